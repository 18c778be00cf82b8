package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

// The slow twin of unions: which member is valid, and what it holds.
type twinUnion struct {
	member int // -1: none
	fields []byte
}

// unionTwin runs random operations on the engine and on the twin.
type unionTwin struct {
	*rand.Rand
	t      *testing.T
	prog   *bmv2.Program
	c      *compiler
	st     *State
	index  bmv2.Expr // a field of metadata
	single twinUnion
	stacks [2][]twinUnion
	next   [2]int
}

const unionStackSize = 3

func unionProgram() *bmv2.Program {
	p := &bmv2.Program{}
	u := &bmv2.UnionType{Name: "U"}
	for i, bits := range []int{8, 24, 16} {
		t := &bmv2.HeaderType{Name: fmt.Sprintf("t%d", i), Bits: bits,
			Fields: []bmv2.Field{{Name: "f", Width: bits}}}
		u.Members = append(u.Members, bmv2.UnionMember{Name: fmt.Sprintf("m%d", i), Type: t})
	}
	newUnion := func(name string) *bmv2.HeaderUnion {
		out := &bmv2.HeaderUnion{Name: name, Type: u}
		for _, m := range u.Members {
			h := &bmv2.Header{Name: name + "." + m.Name, Type: m.Type, Union: out}
			out.Headers, p.Headers = append(out.Headers, h), append(p.Headers, h)
		}
		p.Unions = append(p.Unions, out)
		return out
	}
	newUnion("u")
	for _, name := range []string{"a", "b"} {
		s := &bmv2.UnionStack{Name: name, Type: u}
		for i := range unionStackSize {
			x := newUnion(fmt.Sprintf("%s[%d]", name, i))
			x.Stack, x.Index = s, i
			s.Unions = append(s.Unions, x)
		}
		for k, m := range u.Members {
			column := &bmv2.HeaderStack{Name: name + "." + m.Name, Type: m.Type, Unions: s}
			for _, x := range s.Unions {
				column.Headers = append(column.Headers, x.Headers[k])
			}
			s.Columns = append(s.Columns, column)
		}
		p.UnionStacks = append(p.UnionStacks, s)
	}
	m := &bmv2.HeaderType{Name: "m", Bits: 8, Fields: []bmv2.Field{{Name: "i", Width: 8}}}
	p.Headers = append(p.Headers, &bmv2.Header{Name: "m", Type: m, Metadata: true})
	return p
}

func newUnionTwin(t *testing.T, seed uint64) *unionTwin {
	p := unionProgram()
	m := &Machine{Program: p, layout: newLayout(p)}
	x := &unionTwin{Rand: rand.New(rand.NewPCG(seed, 21)), t: t, prog: p, c: &compiler{Machine: m},
		single: twinUnion{member: -1}}
	x.index = &bmv2.FieldExpr{Ref: bmv2.FieldRef{Header: p.Header("m")}}
	for s := range x.stacks {
		x.stacks[s] = slices.Repeat([]twinUnion{{member: -1}}, unionStackSize)
	}
	x.st = m.NewState()
	return x
}

// place is a union of either side: the single one, or an element, which may be out of range.
type unionPlace struct {
	expr bmv2.Expr
	twin *twinUnion // nil: out of range
	at   uint64     // value of the index
}

func (x *unionTwin) place() unionPlace {
	if x.IntN(3) == 0 {
		return unionPlace{&bmv2.UnionExpr{Union: x.prog.Unions[0]}, &x.single, 0}
	}
	s, i := x.IntN(2), x.IntN(unionStackSize+1)
	if x.IntN(2) == 0 && i < unionStackSize {
		return unionPlace{&bmv2.UnionExpr{Union: x.prog.UnionStacks[s].Unions[i]}, &x.stacks[s][i], 0}
	}
	p := unionPlace{&bmv2.UnionIndexExpr{Stack: x.prog.UnionStacks[s], Index: x.index}, nil, uint64(i)}
	if i < unionStackSize {
		p.twin = &x.stacks[s][i]
	}
	return p
}

// member turns a union into one of its headers.
func member(e bmv2.Expr, k int) bmv2.Expr {
	if u, ok := e.(*bmv2.UnionExpr); ok {
		return &bmv2.HeaderExpr{Header: u.Union.Headers[k]}
	}
	i := e.(*bmv2.UnionIndexExpr)
	return &bmv2.IndexExpr{Stack: i.Stack.Columns[k], Index: i.Index}
}

// do runs a primitive; the index is at while it does.
func (x *unionTwin) do(at uint64, op string, args ...bmv2.Expr) {
	x.t.Helper()
	run, err := x.c.primitive(&bmv2.Primitive{Op: op, Args: args})
	if err != nil {
		x.t.Fatalf("%s: %v", op, err)
	}
	x.setIndex(at)
	run(x.st)
}

func (x *unionTwin) setIndex(at uint64) {
	p := x.c.layout.place(x.index.(*bmv2.FieldExpr).Ref)
	storeBits(x.st.arena, p.bit, p.width, at)
}

func (x *unionTwin) step() {
	dst, k := x.place(), x.IntN(3)
	s := x.IntN(2)
	stack := &bmv2.UnionStackExpr{Stack: x.prog.UnionStacks[s]}
	switch x.IntN(8) {
	case 0:
		x.do(dst.at, "add_header", member(dst.expr, k))
		if t := dst.twin; t != nil && t.member != k {
			*t = twinUnion{k, make([]byte, x.prog.Unions[0].Headers[k].Type.Bits/8)}
		}
	case 1:
		x.do(dst.at, "remove_header", member(dst.expr, k))
		if t := dst.twin; t != nil && t.member == k {
			t.member = -1
		}
	case 2:
		x.assignHeader(dst, k)
	case 3:
		src := x.place()
		src.at = dst.at // one index for both
		if i, ok := src.expr.(*bmv2.UnionIndexExpr); ok {
			src.twin = x.element(i, dst.at)
		}
		x.do(dst.at, "assign_union", dst.expr, src.expr)
		if dst.twin != nil {
			*dst.twin = copyUnion(src.twin)
		}
	case 4:
		other := &bmv2.UnionStackExpr{Stack: x.prog.UnionStacks[1-s]}
		x.do(0, "assign_union_stack", stack, other)
		for i := range x.stacks[s] {
			x.stacks[s][i] = copyUnion(&x.stacks[1-s][i])
		}
		x.next[s] = x.next[1-s]
	case 5:
		n := x.IntN(5)
		x.do(0, "push", stack, constant(int64(n)))
		empty := slices.Repeat([]twinUnion{{member: -1}}, min(n, unionStackSize))
		x.stacks[s] = append(empty, x.stacks[s]...)[:unionStackSize]
		x.next[s] = min(x.next[s]+n, unionStackSize)
	case 6:
		n := x.IntN(5)
		x.do(0, "pop", stack, constant(int64(n)))
		x.stacks[s] = x.stacks[s][min(n, unionStackSize):]
		for len(x.stacks[s]) < unionStackSize {
			x.stacks[s] = append(x.stacks[s], twinUnion{member: -1})
		}
		x.next[s] = max(x.next[s]-n, 0)
	case 7:
		x.extract(s, k)
	}
}

func (x *unionTwin) element(e *bmv2.UnionIndexExpr, at uint64) *twinUnion {
	s := slices.Index(x.prog.UnionStacks, e.Stack)
	if at >= unionStackSize {
		return nil
	}
	return &x.stacks[s][at]
}

func copyUnion(u *twinUnion) twinUnion {
	if u == nil || u.member < 0 {
		return twinUnion{member: -1}
	}
	return twinUnion{u.member, bytes.Clone(u.fields)}
}

// assignHeader copies a member of the single union.
func (x *unionTwin) assignHeader(dst unionPlace, k int) {
	src := &bmv2.HeaderExpr{Header: x.prog.Unions[0].Headers[k]}
	from := copyUnion(&x.single)
	x.do(dst.at, "assign_header", member(dst.expr, k), src)
	switch t := dst.twin; {
	case t == nil:
	case from.member == k:
		*t = from
	case t.member == k:
		t.member = -1
	}
}

func (x *unionTwin) extract(s, k int) {
	column := x.prog.UnionStacks[s].Columns[k]
	packet := make([]byte, x.IntN(5))
	for i := range packet {
		packet[i] = byte(x.Uint32())
	}
	x.st.packet, x.st.pos, x.st.fail = packet, 0, 0
	x.c.layout.stacks[column].extract(x.st)
	size := column.Type.Bits / 8
	switch {
	case x.next[s] == unionStackSize:
		if x.st.fail != stackOutOfBounds {
			x.t.Fatalf("a full stack: %d", x.st.fail)
		}
	case size > len(packet):
		if x.st.fail != packetTooShort {
			x.t.Fatalf("a short packet: %d", x.st.fail)
		}
	default:
		x.stacks[s][x.next[s]] = twinUnion{k, packet[:size]}
		x.next[s]++
	}
}

// check compares everything that can be seen of the unions.
func (x *unionTwin) check() {
	x.t.Helper()
	twins := []*twinUnion{&x.single}
	for s := range x.stacks {
		for i := range x.stacks[s] {
			twins = append(twins, &x.stacks[s][i])
		}
	}
	for i, u := range x.prog.Unions {
		for k, h := range u.Headers {
			if x.c.Valid(x.st, h) != (twins[i].member == k) {
				x.t.Fatalf("%s valid: %v, want member %d", h.Name, x.c.Valid(x.st, h), twins[i].member)
			}
			if got := x.c.Value(x.st, bmv2.FieldRef{Header: h}); twins[i].member == k &&
				!bytes.Equal(got, twins[i].fields) {
				x.t.Fatalf("%s is %x, want %x", h.Name, got, twins[i].fields)
			}
		}
	}
	a, b := x.IntN(len(twins)), x.IntN(len(twins))
	e := &bmv2.OpExpr{Op: bmv2.OpEq, Left: &bmv2.UnionExpr{Union: x.prog.Unions[a]},
		Right: &bmv2.UnionExpr{Union: x.prog.Unions[b]}}
	equal, err := x.c.boolean(e)
	if err != nil {
		x.t.Fatal(err)
	}
	want := twins[a].member == twins[b].member &&
		(twins[a].member < 0 || bytes.Equal(twins[a].fields, twins[b].fields))
	if equal(x.st) != want {
		x.t.Fatalf("%s == %s: %v", x.prog.Unions[a].Name, x.prog.Unions[b].Name, !want)
	}
	p := x.place()
	valid, err := x.c.boolean(&bmv2.OpExpr{Op: bmv2.OpValidUnion, Right: p.expr})
	if err != nil {
		x.t.Fatal(err)
	}
	x.setIndex(p.at)
	if valid(x.st) != (p.twin != nil && p.twin.member >= 0) {
		x.t.Fatalf("valid_union of %+v: %v", p.twin, valid(x.st))
	}
	for s, stack := range x.prog.UnionStacks {
		next := int(be.Uint32(x.st.arena[x.c.layout.unions[stack].next:]))
		if next != x.next[s] {
			x.t.Fatalf("next of %s is %d, want %d", stack.Name, next, x.next[s])
		}
	}
}

func TestUnionsHaveAtMostOneMember(t *testing.T) {
	for seed := range uint64(300) {
		x := newUnionTwin(t, seed)
		for range 60 {
			x.step()
			x.check()
		}
	}
}

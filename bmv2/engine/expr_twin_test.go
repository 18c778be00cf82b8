package engine

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

// The slow twin of the expression compiler: numbers are big.Int without bounds, as the JSON
// format says. It is checked against compiled code on random expressions and packets.

// twinProgram has fields of every shape in a header and in metadata.
func twinProgram() *bmv2.Program {
	widths := []int{1, 3, 4, 7, 8, 9, 13, 16, 24, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 130,
		256}
	fields := func(signed bool) (out []bmv2.Field, bits int) {
		for i, w := range widths {
			s := signed && w > 1 && i%2 == 0
			out = append(out, bmv2.Field{Name: fmt.Sprintf("f%d", i), Width: w, Offset: bits,
				Signed: s})
			bits += w
		}
		pad := (8 - bits%8) % 8
		if pad > 0 {
			out = append(out, bmv2.Field{Name: "pad", Width: pad, Offset: bits})
		}
		return out, bits + pad
	}
	hf, hbits := fields(false)
	mf, mbits := fields(true)
	ht := &bmv2.HeaderType{Name: "h_t", Fields: hf, Bits: hbits}
	mt := &bmv2.HeaderType{Name: "m_t", Fields: mf, Bits: mbits}
	return &bmv2.Program{
		HeaderTypes: []*bmv2.HeaderType{ht, mt},
		Headers: []*bmv2.Header{{Name: "h", Type: ht}, {Name: "m", Type: mt, Metadata: true},
			{Name: "m2", Type: mt, Metadata: true}},
	}
}

// twin generates expressions and evaluates them.
type twin struct {
	*rand.Rand
	prog   *bmv2.Program
	c      *compiler
	st     *State
	values map[bmv2.FieldRef]*big.Int
}

func newTwin(seed uint64) *twin {
	p := twinProgram()
	m := &Machine{Program: p, layout: newLayout(p)}
	return &twin{Rand: rand.New(rand.NewPCG(seed, 1)), prog: p, c: &compiler{Machine: m},
		values: map[bmv2.FieldRef]*big.Int{}}
}

func (tw *twin) bits(n int) *big.Int {
	v := new(big.Int)
	for range (n + 31) / 32 {
		v.Lsh(v, 32).Or(v, big.NewInt(int64(tw.Uint32())))
	}
	if tw.IntN(4) == 0 { // numbers near the borders
		v.SetInt64(int64(tw.IntN(3)) - 1)
	}
	return v.And(v, allBits(n))
}

func allBits(n int) *big.Int {
	one := big.NewInt(1)
	return new(big.Int).Sub(new(big.Int).Lsh(one, uint(n)), one)
}

// fill gives every field a random value, through the arena and in the twin's own table.
func (tw *twin) fill() {
	for _, h := range tw.prog.Headers {
		for i, f := range h.Type.Fields {
			ref := bmv2.FieldRef{Header: h, Index: i}
			v := tw.bits(f.Width)
			storeWide(tw.st.arena, tw.c.layout.place(ref).bit, f.Width, constLimbs(v, f.Width/64+1))
			tw.values[ref] = signedValue(v, f.Width, f.Signed)
		}
	}
}

func signedValue(v *big.Int, width int, signed bool) *big.Int {
	v = new(big.Int).And(v, allBits(width))
	if signed && v.Bit(width-1) == 1 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(width)))
	}
	return v
}

func (tw *twin) field() *bmv2.FieldExpr {
	h := tw.prog.Headers[tw.IntN(len(tw.prog.Headers))]
	return &bmv2.FieldExpr{Ref: bmv2.FieldRef{Header: h, Index: tw.IntN(len(h.Type.Fields))}}
}

func constant(v int64) *bmv2.ConstExpr { return &bmv2.ConstExpr{Value: big.NewInt(v)} }

var twinOps = []bmv2.Op{bmv2.OpAdd, bmv2.OpSub, bmv2.OpMul, bmv2.OpBitAnd, bmv2.OpBitOr,
	bmv2.OpBitXor, bmv2.OpBitNot, bmv2.OpShl, bmv2.OpShr, bmv2.OpTernary, bmv2.OpTwoCompMod,
	bmv2.OpSatCast, bmv2.OpUsatCast, bmv2.OpToData, bmv2.OpDiv, bmv2.OpMod}

func (tw *twin) number(depth int) bmv2.Expr {
	if depth == 0 || tw.IntN(5) == 0 {
		if tw.IntN(3) == 0 {
			v := tw.bits(1 + tw.IntN(140))
			if tw.IntN(3) == 0 {
				v.Neg(v)
			}
			return &bmv2.ConstExpr{Value: v}
		}
		return tw.field()
	}
	e := &bmv2.OpExpr{Op: twinOps[tw.IntN(len(twinOps))], Right: tw.number(depth - 1)}
	switch e.Op {
	case bmv2.OpBitNot:
	case bmv2.OpToData:
		e.Right = tw.boolean(depth - 1)
	case bmv2.OpTwoCompMod, bmv2.OpSatCast, bmv2.OpUsatCast:
		e.Left, e.Right = tw.number(depth-1), constant(int64(1+tw.IntN(140)))
	case bmv2.OpShl: // as p4c does: the result is truncated
		e.Left = tw.number(depth - 1)
		e.Right = tw.amount()
		mask := &bmv2.ConstExpr{Value: allBits(1 + tw.IntN(140))}
		return &bmv2.OpExpr{Op: bmv2.OpBitAnd, Left: e, Right: mask}
	case bmv2.OpShr:
		e.Left, e.Right = tw.number(depth-1), tw.amount()
	case bmv2.OpTernary:
		e.Cond, e.Left = tw.boolean(depth-1), tw.number(depth-1)
	default:
		e.Left = tw.number(depth - 1)
	}
	return e
}

// amount is a shift amount that the twin can afford: a constant or a narrow unsigned field.
func (tw *twin) amount() bmv2.Expr {
	if tw.IntN(2) == 0 {
		return constant(int64(tw.IntN(200)))
	}
	h := tw.prog.Header("h")
	return &bmv2.FieldExpr{Ref: bmv2.FieldRef{Header: h, Index: 1 + tw.IntN(4)}}
}

func (tw *twin) boolean(depth int) bmv2.Expr {
	comparisons := []bmv2.Op{bmv2.OpEq, bmv2.OpNe, bmv2.OpLt, bmv2.OpLe, bmv2.OpGt, bmv2.OpGe}
	switch n := tw.IntN(10); {
	case depth > 0 && n == 0:
		return &bmv2.OpExpr{Op: bmv2.OpAnd, Left: tw.boolean(depth - 1),
			Right: tw.boolean(depth - 1)}
	case depth > 0 && n == 1:
		return &bmv2.OpExpr{Op: bmv2.OpOr, Left: tw.boolean(depth - 1),
			Right: tw.boolean(depth - 1)}
	case depth > 0 && n == 2:
		return &bmv2.OpExpr{Op: bmv2.OpNot, Right: tw.boolean(depth - 1)}
	case n == 3:
		return &bmv2.OpExpr{Op: bmv2.OpToBool, Right: tw.number(max(depth-1, 0))}
	case n < 6: // what tests on the arena are made for
		e := &bmv2.OpExpr{Op: comparisons[tw.IntN(6)], Left: tw.slice(),
			Right: constant(int64(tw.IntN(20)))}
		return e
	}
	e := &bmv2.OpExpr{Op: comparisons[tw.IntN(6)], Left: tw.number(max(depth-1, 0))}
	e.Right = tw.number(max(depth-1, 0))
	if tw.IntN(3) == 0 {
		e.Right = e.Left // equal operands
	}
	return e
}

// slice is (field >> k) & mask.
func (tw *twin) slice() bmv2.Expr {
	f := tw.field()
	shift := &bmv2.OpExpr{Op: bmv2.OpShr, Left: f, Right: constant(int64(tw.IntN(f.Ref.Width())))}
	mask := &bmv2.ConstExpr{Value: allBits(1 + tw.IntN(f.Ref.Width()))}
	return &bmv2.OpExpr{Op: bmv2.OpBitAnd, Left: shift, Right: mask}
}

func (tw *twin) eval(e bmv2.Expr) *big.Int {
	switch e := e.(type) {
	case *bmv2.FieldExpr:
		return tw.values[e.Ref]
	case *bmv2.ConstExpr:
		return e.Value
	}
	o := e.(*bmv2.OpExpr)
	out := new(big.Int)
	switch o.Op {
	case bmv2.OpBitNot:
		return out.Not(tw.eval(o.Right))
	case bmv2.OpToData:
		return out.SetUint64(b2u(tw.truth(o.Right)))
	case bmv2.OpTernary:
		if tw.truth(o.Cond) {
			return tw.eval(o.Left)
		}
		return tw.eval(o.Right)
	}
	l, r := tw.eval(o.Left), tw.eval(o.Right)
	switch o.Op {
	case bmv2.OpAdd:
		return out.Add(l, r)
	case bmv2.OpSub:
		return out.Sub(l, r)
	case bmv2.OpMul:
		return out.Mul(l, r)
	case bmv2.OpBitAnd:
		return out.And(l, r)
	case bmv2.OpBitOr:
		return out.Or(l, r)
	case bmv2.OpBitXor:
		return out.Xor(l, r)
	case bmv2.OpDiv, bmv2.OpMod:
		if r.Sign() == 0 {
			return out
		}
		q, m := new(big.Int).QuoRem(l, r, new(big.Int))
		if o.Op == bmv2.OpDiv {
			return q
		}
		return m
	case bmv2.OpShl:
		return out.Lsh(l, uint(r.Uint64()))
	case bmv2.OpShr:
		return out.Rsh(l, uint(r.Uint64()))
	case bmv2.OpTwoCompMod:
		return signedValue(l, int(r.Int64()), true)
	}
	lo, hi := limits(int(r.Int64()), o.Op == bmv2.OpSatCast)
	switch {
	case l.Cmp(lo) < 0:
		return lo
	case l.Cmp(hi) > 0:
		return hi
	}
	return l
}

func (tw *twin) truth(e bmv2.Expr) bool {
	o := e.(*bmv2.OpExpr)
	switch o.Op {
	case bmv2.OpAnd:
		return tw.truth(o.Left) && tw.truth(o.Right)
	case bmv2.OpOr:
		return tw.truth(o.Left) || tw.truth(o.Right)
	case bmv2.OpNot:
		return !tw.truth(o.Right)
	case bmv2.OpToBool:
		return tw.eval(o.Right).Sign() != 0
	}
	d := tw.eval(o.Left).Cmp(tw.eval(o.Right))
	return map[bmv2.Op]bool{bmv2.OpEq: d == 0, bmv2.OpNe: d != 0, bmv2.OpLt: d < 0,
		bmv2.OpLe: d <= 0, bmv2.OpGt: d > 0, bmv2.OpGe: d >= 0}[o.Op]
}

func show(e bmv2.Expr) string {
	switch e := e.(type) {
	case *bmv2.FieldExpr:
		return e.Ref.String()
	case *bmv2.ConstExpr:
		return e.Value.String()
	case *bmv2.OpExpr:
		parts := ""
		for _, x := range []bmv2.Expr{e.Cond, e.Left, e.Right} {
			if x != nil {
				parts += " " + show(x)
			}
		}
		return "(" + string(e.Op) + parts + ")"
	}
	return fmt.Sprintf("%T", e)
}

func TestAssignmentsAgreeWithUnboundedIntegers(t *testing.T) {
	for seed := range uint64(1500) {
		tw := newTwin(seed)
		dst, src := tw.field(), tw.number(3)
		body := []bmv2.Primitive{{Op: "assign", Args: []bmv2.Expr{dst, src}}}
		a, err := tw.c.action(&bmv2.Action{Body: body})
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, show(src), err)
		}
		tw.st = tw.c.NewState()
		for range 4 {
			tw.fill()
			want := new(big.Int).And(tw.eval(src), allBits(dst.Ref.Width()))
			a.run(tw.st)
			if got := tw.stored(dst); got.Cmp(want) != 0 {
				t.Fatalf("seed %d: %s = %s: got %x, want %x", seed, show(dst), show(src), got, want)
			}
			tw.values[dst.Ref] = signedValue(want, dst.Ref.Width(), dst.Ref.Signed())
			tw.checkOthers(t, seed)
		}
	}
}

// stored reads the raw bits of a field.
func (tw *twin) stored(f *bmv2.FieldExpr) *big.Int {
	p := tw.c.layout.place(f.Ref)
	return new(big.Int).SetBytes(appendField(tw.st.arena, p, (p.width+7)/8, nil))
}

// checkOthers verifies that an assignment touched nothing else.
func (tw *twin) checkOthers(t *testing.T, seed uint64) {
	t.Helper()
	for ref, v := range tw.values {
		want := new(big.Int).And(v, allBits(ref.Width()))
		if got := tw.stored(&bmv2.FieldExpr{Ref: ref}); got.Cmp(want) != 0 {
			t.Fatalf("seed %d: %s changed from %x to %x", seed, ref, want, got)
		}
	}
}

func TestConditionsAgreeWithUnboundedIntegers(t *testing.T) {
	for seed := range uint64(3000) {
		tw := newTwin(seed)
		e := tw.boolean(3)
		closure, err := tw.c.boolean(e)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, show(e), err)
		}
		branch := false
		yes := new(node)
		yes.setBody([]instr{{kind: instrCall, call: func(*State) { branch = true }}})
		first, err := tw.c.branch(e, yes, nil)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, show(e), err)
		}
		tw.st = tw.c.NewState()
		for range 6 {
			tw.fill()
			want := tw.truth(e)
			if got := closure(tw.st); got != want {
				t.Fatalf("seed %d: %s: closure is %v, want %v", seed, show(e), got, want)
			}
			branch = false
			(&Control{init: first}).Run(tw.st)
			if branch != want {
				t.Fatalf("seed %d: %s: branches give %v, want %v", seed, show(e), branch, want)
			}
		}
	}
}

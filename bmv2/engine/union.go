package engine

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
)

// A union is its members: at most one of their validity bytes is set. Whatever makes a member valid
// clears those of its rivals.

// unionStack is where a stack of unions lives: a stack for each member, which all count with next.
type unionStack struct {
	columns []*stack
	count   int
	next    int // byte offset, see stack
}

func (l *layout) placeUnionStack(s *bmv2.UnionStack, off int) int {
	u := &unionStack{count: len(s.Unions), next: off}
	for _, column := range s.Columns {
		k := &stack{first: l.headers[column.Headers[0]], count: u.count, next: off}
		l.stacks[column] = k
		u.columns = append(u.columns, k)
	}
	l.unions[s] = u
	return off + 4
}

// setRivals tells each member of a union where the validity bytes of the others are. In all
// elements of a stack the distances are the same.
func (l *layout) setRivals(p *bmv2.Program) {
	for _, u := range p.Unions {
		for _, m := range u.Headers {
			h := l.headers[m]
			for _, other := range u.Headers {
				if other != m {
					h.rivals = append(h.rivals, l.headers[other].valid-h.valid)
				}
			}
		}
	}
}

// setValid makes element i of the stack that h is the first of valid; i is 0 for a single header.
func (h *header) setValid(arena []byte, i int) {
	at := h.valid + i
	arena[at] = 1
	for _, d := range h.rivals {
		arena[at+d] = 0
	}
}

// unionTarget is a union known at compile time, or an element of a stack chosen at run time.
type unionTarget struct {
	members []*header
	index   func(*State) int // see target
}

func (t *unionTarget) at(st *State) int {
	if t.index == nil {
		return 0
	}
	return t.index(st)
}

func (c *compiler) unionTarget(e bmv2.Expr) (t unionTarget, err error) {
	switch e := e.(type) {
	case *bmv2.UnionExpr:
		for _, h := range e.Union.Headers {
			t.members = append(t.members, c.layout.headers[h])
		}
		return t, nil
	case *bmv2.UnionIndexExpr:
		s := c.layout.unions[e.Stack]
		for _, k := range s.columns {
			t.members = append(t.members, k.first)
		}
		t.index, err = c.elementIndex(e.Index, s.count)
		return t, err
	}
	return t, unsupported(fmt.Sprintf("%T as a header union", e), "header union",
		"element of a header union stack")
}

// unionPair compiles two unions of one type.
func (c *compiler) unionPair(l, r bmv2.Expr) (a, b unionTarget, err error) {
	if a, err = c.unionTarget(l); err != nil {
		return a, b, err
	}
	if b, err = c.unionTarget(r); err != nil {
		return a, b, err
	}
	if len(a.members) != len(b.members) {
		return a, b, fmt.Errorf("header unions of %d and %d members", len(a.members),
			len(b.members))
	}
	for k := range a.members {
		if a.members[k].size != b.members[k].size {
			return a, b, fmt.Errorf("header unions of different types")
		}
	}
	return a, b, nil
}

func (c *compiler) assignUnion(args []bmv2.Expr) (op, error) {
	dst, src, err := c.unionPair(args[0], args[1])
	return func(st *State) {
		to, from := dst.at(st), src.at(st)
		if to < 0 {
			return
		}
		for k, h := range dst.members {
			h.assign(st.arena, to, src.members[k], from)
		}
	}, err
}

func (c *compiler) assignUnionStack(args []bmv2.Expr) (op, error) {
	d, ok := args[0].(*bmv2.UnionStackExpr)
	s, ok2 := args[1].(*bmv2.UnionStackExpr)
	if !ok || !ok2 || d.Stack.Type != s.Stack.Type || len(d.Stack.Unions) != len(s.Stack.Unions) {
		return nil, unsupported("assignment of different stacks", "stacks of one type and size")
	}
	dst, src := c.layout.unions[d.Stack], c.layout.unions[s.Stack]
	return func(st *State) {
		for k, column := range dst.columns {
			column.assign(st.arena, src.columns[k])
		}
	}, nil
}

// unionValidity is true when any member is valid.
func (c *compiler) unionValidity(e bmv2.Expr) (pred, error) {
	t, err := c.unionTarget(e)
	return func(st *State) bool { return t.valid(st.arena, t.at(st)) >= 0 }, err
}

// valid returns which member of element i is valid, or -1.
func (t *unionTarget) valid(arena []byte, i int) int {
	for k, h := range t.members {
		if i >= 0 && arena[h.valid+i] != 0 {
			return k
		}
	}
	return -1
}

// equalUnions is true when neither has a valid member, or both the same one with the same content.
func (c *compiler) equalUnions(l, r bmv2.Expr) (pred, error) {
	a, b, err := c.unionPair(l, r)
	return func(st *State) bool {
		i, j := a.at(st), b.at(st)
		k := a.valid(st.arena, i)
		if k != b.valid(st.arena, j) {
			return false
		}
		return k < 0 || a.members[k].sameContent(st.arena, i, b.members[k], j)
	}, err
}

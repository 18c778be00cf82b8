package engine

import (
	"bytes"
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
)

// boolean compiles a truth value.
func (c *compiler) boolean(e bmv2.Expr) (pred, error) {
	switch e := e.(type) {
	case *bmv2.BoolExpr:
		v := e.Value
		return func(*State) bool { return v }, nil
	case *bmv2.OpExpr:
		return c.logic(e)
	}
	return nil, unsupported(fmt.Sprintf("%T as a condition", e), "comparison", "d2b", "valid")
}

func (c *compiler) logic(e *bmv2.OpExpr) (pred, error) {
	if t, negated, ok := c.testOf(e); ok {
		return func(st *State) bool { return t.holds(st.arena) != negated }, nil
	}
	switch e.Op {
	case bmv2.OpAnd, bmv2.OpOr:
		return c.junction(e)
	case bmv2.OpNot:
		r, err := c.boolean(e.Right)
		return func(st *State) bool { return !r(st) }, err
	case bmv2.OpToBool:
		return c.toBool(e.Right)
	case bmv2.OpValid:
		return c.validity(e.Right)
	case bmv2.OpValidUnion:
		return c.unionValidity(e.Right)
	case bmv2.OpTernary:
		return c.chooseBool(e)
	case bmv2.OpEq, bmv2.OpNe:
		return c.equality(e)
	case bmv2.OpGt, bmv2.OpGe, bmv2.OpLt, bmv2.OpLe:
		return c.compare(e)
	}
	return nil, unsupported(fmt.Sprintf("operator %q as a condition", e.Op))
}

func (c *compiler) booleans(e *bmv2.OpExpr) (l, r pred, err error) {
	if l, err = c.boolean(e.Left); err != nil {
		return nil, nil, err
	}
	r, err = c.boolean(e.Right)
	return l, r, err
}

func (c *compiler) junction(e *bmv2.OpExpr) (pred, error) {
	if tests, ok := c.all(e); ok {
		return func(st *State) bool {
			for i := range tests {
				if !tests[i].holds(st.arena) {
					return false
				}
			}
			return true
		}, nil
	}
	l, r, err := c.booleans(e)
	if e.Op == bmv2.OpAnd {
		return func(st *State) bool { return l(st) && r(st) }, err
	}
	return func(st *State) bool { return l(st) || r(st) }, err
}

// toBool compiles the conversion of a number.
func (c *compiler) toBool(e bmv2.Expr) (pred, error) {
	if t, ok := c.equalTest(e, 0); ok {
		return func(st *State) bool { return !t.holds(st.arena) }, nil
	}
	if !c.boundOf(e).fits64() {
		v, err := c.exact(e)
		return func(st *State) bool {
			for _, w := range v.eval(st) {
				if w != 0 {
					return true
				}
			}
			return false
		}, err
	}
	v, err := c.number(e)
	return func(st *State) bool { return v(st) != 0 }, err
}

func (c *compiler) validity(e bmv2.Expr) (pred, error) {
	switch e := e.(type) {
	case *bmv2.HeaderExpr:
		off := c.layout.headers[e.Header].valid
		meta := e.Header.Metadata
		return func(st *State) bool { return meta || st.arena[off] != 0 }, nil
	case *bmv2.IndexExpr:
		t, err := c.target(e)
		return func(st *State) bool {
			i := t.at(st)
			return i >= 0 && st.arena[t.h.valid+i] != 0
		}, err
	}
	return nil, unsupported(fmt.Sprintf("validity of %T", e), "header", "stack element")
}

func (c *compiler) chooseBool(e *bmv2.OpExpr) (pred, error) {
	cond, err := c.boolean(e.Cond)
	if err != nil {
		return nil, err
	}
	l, r, err := c.booleans(e)
	return func(st *State) bool {
		if cond(st) {
			return l(st)
		}
		return r(st)
	}, err
}

// equality compiles == and != on numbers, truth values and headers.
func (c *compiler) equality(e *bmv2.OpExpr) (pred, error) {
	eq, err := c.equal(e)
	if err != nil || e.Op == bmv2.OpEq {
		return eq, err
	}
	return func(st *State) bool { return !eq(st) }, nil
}

func (c *compiler) equal(e *bmv2.OpExpr) (pred, error) {
	if isBool(e.Left) && isBool(e.Right) {
		l, r, err := c.booleans(e)
		return func(st *State) bool { return l(st) == r(st) }, err
	}
	switch e.Left.(type) {
	case *bmv2.HeaderExpr, *bmv2.IndexExpr:
		return c.equalHeaders(e.Left, e.Right)
	case *bmv2.UnionExpr, *bmv2.UnionIndexExpr:
		return c.equalUnions(e.Left, e.Right)
	}
	if isVar(e.Left) && isVar(e.Right) {
		return c.equalVars(e.Left, e.Right)
	}
	return c.compareNumbers(bmv2.OpEq, e.Left, e.Right)
}

func (c *compiler) compare(e *bmv2.OpExpr) (pred, error) {
	switch e.Op {
	case bmv2.OpGt: // l > r is r < l
		return c.compareNumbers(bmv2.OpLt, e.Right, e.Left)
	case bmv2.OpLe: // l <= r is not r < l
		lt, err := c.compareNumbers(bmv2.OpLt, e.Right, e.Left)
		return func(st *State) bool { return !lt(st) }, err
	case bmv2.OpGe:
		lt, err := c.compareNumbers(bmv2.OpLt, e.Left, e.Right)
		return func(st *State) bool { return !lt(st) }, err
	}
	return c.compareNumbers(bmv2.OpLt, e.Left, e.Right)
}

// compareNumbers compiles l == r or l < r. It picks the cheapest form that is exact.
func (c *compiler) compareNumbers(o bmv2.Op, l, r bmv2.Expr) (pred, error) {
	bl, br := c.boundOf(l), c.boundOf(r)
	if !bl.fits64() || !br.fits64() {
		if p := c.compareFields(o, l, r); p != nil {
			return p, nil
		}
		return c.compareWide(o, l, r)
	}
	if bl.signed || br.signed {
		if bl.bits > 63 || br.bits > 63 { // uint64 against int64
			return c.compareWide(o, l, r)
		}
		return c.compareSigned(o, l, r)
	}
	return c.compareUnsigned(o, l, r)
}

func (c *compiler) compareUnsigned(o bmv2.Op, l, r bmv2.Expr) (pred, error) {
	a, err := c.number(l)
	if err != nil {
		return nil, err
	}
	b, err := c.number(r)
	if o == bmv2.OpEq {
		return func(st *State) bool { return a(st) == b(st) }, err
	}
	return func(st *State) bool { return a(st) < b(st) }, err
}

func (c *compiler) compareSigned(o bmv2.Op, l, r bmv2.Expr) (pred, error) {
	a, err := c.number(l)
	if err != nil {
		return nil, err
	}
	b, err := c.number(r)
	if o == bmv2.OpEq {
		return func(st *State) bool { return a(st) == b(st) }, err
	}
	return func(st *State) bool { return int64(a(st)) < int64(b(st)) }, err
}

// compareFields compares two unsigned fields of whole bytes in place: big-endian numbers of the
// same length order as byte strings.
func (c *compiler) compareFields(o bmv2.Op, l, r bmv2.Expr) pred {
	a, n, ok := c.fieldBytes(l)
	b, k, ok2 := c.fieldBytes(r)
	if !ok || !ok2 || n != k {
		return nil
	}
	switch {
	case n == 16 && o == bmv2.OpEq:
		return func(st *State) bool {
			return be.Uint64(st.arena[a:]) == be.Uint64(st.arena[b:]) &&
				be.Uint64(st.arena[a+8:]) == be.Uint64(st.arena[b+8:])
		}
	case n == 16:
		return func(st *State) bool {
			x, y := be.Uint64(st.arena[a:]), be.Uint64(st.arena[b:])
			if x != y {
				return x < y
			}
			return be.Uint64(st.arena[a+8:]) < be.Uint64(st.arena[b+8:])
		}
	case o == bmv2.OpEq:
		return func(st *State) bool { return bytes.Equal(st.arena[a:a+n], st.arena[b:b+n]) }
	}
	return func(st *State) bool { return bytes.Compare(st.arena[a:a+n], st.arena[b:b+n]) < 0 }
}

func (c *compiler) fieldBytes(e bmv2.Expr) (off, n int, ok bool) {
	f, ok := e.(*bmv2.FieldExpr)
	if !ok || f.Ref.Signed() {
		return 0, 0, false
	}
	return c.layout.place(f.Ref).bytes()
}

func (c *compiler) compareWide(o bmv2.Op, l, r bmv2.Expr) (pred, error) {
	n := max(c.boundOf(l).limbs(), c.boundOf(r).limbs())
	a, err := c.exactIn(l, n)
	if err != nil {
		return nil, err
	}
	b, err := c.exactIn(r, n)
	if o == bmv2.OpEq {
		return func(st *State) bool { return compareLimbs(a.eval(st), b.eval(st)) == 0 }, err
	}
	return func(st *State) bool { return compareLimbs(a.eval(st), b.eval(st)) < 0 }, err
}

package engine

import (
	"math/big"

	"github.com/turbokv/turbokv/bmv2"
)

// maxBits bounds the width of intermediate values that must be exact. Field widths end at 2048;
// a shift to the left by a computed amount exceeds it unless the program truncates the result,
// as p4c always does.
const maxBits = 8192

// bound is what the compiler knows about a value v: 0 <= v < 2^bits, or, when signed,
// -2^bits <= v < 2^bits.
type bound struct {
	bits   int
	signed bool
}

// fits64 reports whether a uint64 (unsigned) or an int64 (signed) holds every such value.
func (b bound) fits64() bool { return b.bits <= 63 || !b.signed && b.bits == 64 }

// limbs returns how many 64-bit limbs of two's complement hold every such value with its sign.
func (b bound) limbs() int { return b.bits/64 + 1 }

func (b bound) union(o bound) bound {
	return bound{max(b.bits, o.bits), b.signed || o.signed}
}

func constBound(v *big.Int) bound {
	if v.Sign() >= 0 {
		return bound{v.BitLen(), false}
	}
	return bound{new(big.Int).Not(v).BitLen(), true}
}

// boundOf derives the bound of a numeric expression.
func (c *compiler) boundOf(e bmv2.Expr) bound {
	switch e := e.(type) {
	case *bmv2.FieldExpr:
		return fieldBound(e.Ref.Width(), e.Ref.Signed())
	case *bmv2.AccessExpr:
		f := e.Element.Stack.Type.Fields[e.Field]
		return fieldBound(f.Width, f.Signed)
	case *bmv2.StackFieldExpr:
		f := e.Stack.Type.Fields[e.Field]
		return fieldBound(f.Width, f.Signed)
	case *bmv2.ConstExpr:
		return constBound(e.Value)
	case *bmv2.BoolExpr:
		return bound{1, false}
	case *bmv2.ParamExpr:
		return bound{e.Width, false}
	case *bmv2.LookaheadExpr:
		return bound{e.Width, false}
	case *bmv2.RegisterExpr:
		return bound{e.Register.Width, false}
	case *bmv2.OpExpr:
		return c.opBound(e)
	}
	return bound{maxBits + 1, true}
}

func fieldBound(width int, signed bool) bound {
	if signed {
		return bound{width - 1, true}
	}
	return bound{width, false}
}

func (c *compiler) opBound(e *bmv2.OpExpr) bound {
	var l, r bound
	if e.Left != nil {
		l = c.boundOf(e.Left)
	}
	r = c.boundOf(e.Right)
	switch e.Op {
	case bmv2.OpAdd:
		return bound{max(l.bits, r.bits) + 1, l.signed || r.signed}
	case bmv2.OpSub:
		return bound{max(l.bits, r.bits) + 1, true}
	case bmv2.OpMul:
		return bound{l.bits + r.bits + 1, l.signed || r.signed}
	case bmv2.OpMod, bmv2.OpShr:
		return l
	case bmv2.OpDiv:
		if l.signed || r.signed { // the smallest number by -1
			return bound{l.bits + 1, true}
		}
		return l
	case bmv2.OpShl:
		return bound{shifted(l.bits, e.Right), l.signed}
	case bmv2.OpBitAnd:
		return andBound(l, r)
	case bmv2.OpBitOr, bmv2.OpBitXor, bmv2.OpTernary:
		return l.union(r)
	case bmv2.OpBitNot:
		return bound{r.bits, true}
	case bmv2.OpTwoCompMod, bmv2.OpSatCast:
		return bound{constWidth(e.Right) - 1, true}
	case bmv2.OpUsatCast:
		return bound{constWidth(e.Right), false}
	case bmv2.OpLastIndex, bmv2.OpStackSize:
		return bound{32, true}
	}
	return bound{1, false} // operations with a boolean result
}

func shifted(bits int, by bmv2.Expr) int {
	if k, ok := by.(*bmv2.ConstExpr); ok && k.Value.IsInt64() && k.Value.Int64() >= 0 &&
		k.Value.Int64() <= maxBits {
		return bits + int(k.Value.Int64())
	}
	return maxBits + 1
}

func andBound(l, r bound) bound {
	switch {
	case !l.signed && !r.signed:
		return bound{min(l.bits, r.bits), false}
	case !l.signed:
		return l
	case !r.signed:
		return r
	}
	return l.union(r)
}

// constWidth returns the constant that an operation takes as a width, or 1 if it is not one,
// which compiling the operation reports.
func constWidth(e bmv2.Expr) int {
	k, ok := e.(*bmv2.ConstExpr)
	if !ok || !k.Value.IsInt64() || k.Value.Int64() < 1 || k.Value.Int64() > maxBits {
		return 1
	}
	return int(k.Value.Int64())
}

// isBool reports whether an expression is a truth value rather than a number.
func isBool(e bmv2.Expr) bool {
	switch e := e.(type) {
	case *bmv2.BoolExpr:
		return true
	case *bmv2.OpExpr:
		switch e.Op {
		case bmv2.OpEq, bmv2.OpNe, bmv2.OpGt, bmv2.OpGe, bmv2.OpLt, bmv2.OpLe, bmv2.OpAnd,
			bmv2.OpOr, bmv2.OpNot, bmv2.OpValid, bmv2.OpValidUnion, bmv2.OpToBool:
			return true
		case bmv2.OpTernary:
			return isBool(e.Left)
		}
	}
	return false
}

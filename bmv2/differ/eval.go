package differ

import "github.com/turbokv/turbokv/bmv2"

// eval computes an expression on what the walk has written so far, if it is made of fields,
// constants and the arithmetic of lengths. Numbers are cut to 64 bits.
func (w *walk) eval(e bmv2.Expr) (v uint64, ok bool) {
	switch e := e.(type) {
	case *bmv2.ConstExpr:
		return e.Value.Uint64(), e.Value.IsUint64()
	case *bmv2.FieldExpr:
		if from := w.alias[e.Ref]; from != nil {
			delete(w.alias, e.Ref) // a field may be set to itself
			v, ok = w.eval(from)
			w.alias[e.Ref] = from
			return v, ok
		}
		at, extracted := w.found[e.Ref]
		if !extracted {
			return 0, false
		}
		n := w.bits.number(at.at, at.width)
		return n.Uint64(), n.IsUint64()
	case *bmv2.OpExpr:
		if e.Left == nil || e.Right == nil {
			return 0, false
		}
		l, ok := w.eval(e.Left)
		r, ok2 := w.eval(e.Right)
		return calculate(e.Op, l, r), ok && ok2
	}
	return 0, false
}

func calculate(op bmv2.Op, l, r uint64) uint64 {
	switch op {
	case bmv2.OpAdd:
		return l + r
	case bmv2.OpSub:
		return l - r
	case bmv2.OpMul:
		return l * r
	case bmv2.OpShl:
		return l << min(r, 64)
	case bmv2.OpShr:
		return l >> min(r, 64)
	case bmv2.OpBitAnd:
		return l & r
	}
	return 0
}

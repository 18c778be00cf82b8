package engine

import (
	"fmt"
	"math/big"

	"github.com/turbokv/turbokv/bmv2"
)

// temp is a place in the scratch area for one intermediate number. Every number has its own, so
// that no evaluation order can mix them up.
type temp struct{ off, n int }

func (t temp) of(st *State) []uint64 { return st.scratch[t.off : t.off+t.n : t.off+t.n] }

func (c *compiler) temp(n int) temp {
	t := temp{c.scratchWords, n}
	c.scratchWords += n
	return t
}

// exactValue is a number evaluated without loss, sign included.
type exactValue struct {
	temp
	fn wide
}

func (v exactValue) eval(st *State) []uint64 {
	limbs := v.of(st)
	v.fn(st, limbs)
	return limbs
}

// exact compiles e with as many limbs as its bound needs.
func (c *compiler) exact(e bmv2.Expr) (exactValue, error) {
	return c.exactIn(e, c.boundOf(e).limbs())
}

func (c *compiler) exactIn(e bmv2.Expr, n int) (exactValue, error) {
	if b := c.boundOf(e); b.bits > maxBits {
		return exactValue{}, unsupported("number without a bound",
			fmt.Sprintf("up to %d bits; truncate the result of a shift", maxBits))
	}
	fn, err := c.wide(e, n)
	return exactValue{c.temp(n), fn}, err
}

// wide compiles e to n limbs: its value modulo 2^(64n).
func (c *compiler) wide(e bmv2.Expr, n int) (wide, error) {
	if b := c.boundOf(e); b.fits64() {
		return c.fromNumber(e, b.signed)
	}
	switch e := e.(type) {
	case *bmv2.FieldExpr:
		return wideField(c.layout.place(e.Ref), e.Ref.Signed()), nil
	case *bmv2.ConstExpr:
		limbs := constLimbs(e.Value, n)
		return func(_ *State, dst []uint64) { copy(dst, limbs) }, nil
	case *bmv2.ParamExpr:
		i, k := c.paramWord(e.Index), (e.Width+63)/64
		return func(st *State, dst []uint64) {
			clear(dst[copy(dst, st.args[i:i+k]):])
		}, nil
	case *bmv2.AccessExpr:
		return c.wideElement(e)
	case *bmv2.StackFieldExpr:
		v, err := c.wideElement(&bmv2.AccessExpr{Element: lastIndex(e.Stack), Field: e.Field})
		if !c.inParser {
			return v, err
		}
		check := c.notEmpty(e.Stack)
		return func(st *State, dst []uint64) {
			check(st)
			v(st, dst)
		}, err
	case *bmv2.LookaheadExpr:
		return wideLookahead(e), nil
	case *bmv2.RegisterExpr:
		return c.wideCell(e)
	case *bmv2.OpExpr:
		return c.wideOp(e, n)
	}
	return nil, unsupported(fmt.Sprintf("%T as a number", e))
}

func (c *compiler) fromNumber(e bmv2.Expr, signed bool) (wide, error) {
	v, err := c.number(e)
	return func(st *State, dst []uint64) {
		dst[0] = v(st)
		fill := uint64(0)
		if signed {
			fill = uint64(int64(dst[0]) >> 63)
		}
		for i := 1; i < len(dst); i++ {
			dst[i] = fill
		}
	}, err
}

func wideField(p place, signed bool) wide {
	if off, n, ok := p.bytes(); ok && n == 16 && p.width == 128 && !signed {
		return func(st *State, dst []uint64) {
			dst[0] = be.Uint64(st.arena[off+8:])
			if len(dst) > 1 {
				dst[1] = be.Uint64(st.arena[off:])
				clear(dst[2:])
			}
		}
	}
	return func(st *State, dst []uint64) {
		loadWide(st.arena, p.bit, p.width, dst)
		if signed {
			keepBits(dst, p.width, true)
		}
	}
}

func constLimbs(v *big.Int, n int) []uint64 {
	limbs := make([]uint64, n)
	rest := new(big.Int).Set(v)
	for i := range limbs {
		limbs[i] = lowWord(rest)
		rest.Rsh(rest, 64)
	}
	return limbs
}

func (c *compiler) wideElement(e *bmv2.AccessExpr) (wide, error) {
	bit, err := c.elementBit(e.Element, e.Field)
	if err != nil {
		return nil, err
	}
	f := e.Element.Stack.Type.Fields[e.Field]
	return func(st *State, dst []uint64) {
		at := bit(st)
		if at < 0 {
			clear(dst)
			return
		}
		loadWide(st.arena, at, f.Width, dst)
		if f.Signed {
			keepBits(dst, f.Width, true)
		}
	}, nil
}

func (c *compiler) wideCell(e *bmv2.RegisterExpr) (wide, error) {
	r := c.cells(e.Register)
	index, err := c.amount(e.Index)
	return func(st *State, dst []uint64) {
		i := index(st)
		for k := range dst {
			dst[k] = r.word(i, k)
		}
	}, err
}

func (c *compiler) wideOp(e *bmv2.OpExpr, n int) (wide, error) {
	switch e.Op {
	case bmv2.OpAdd, bmv2.OpSub, bmv2.OpMul, bmv2.OpBitAnd, bmv2.OpBitOr, bmv2.OpBitXor:
		return c.wideModular(e, n)
	case bmv2.OpBitNot:
		r, err := c.wide(e.Right, n)
		return func(st *State, dst []uint64) {
			r(st, dst)
			for i := range dst {
				dst[i] = ^dst[i]
			}
		}, err
	case bmv2.OpShl:
		return c.wideShl(e, n)
	case bmv2.OpShr:
		return c.wideShr(e)
	case bmv2.OpDiv, bmv2.OpMod:
		return c.wideDivide(e)
	case bmv2.OpTernary:
		return c.wideChoose(e, n)
	case bmv2.OpTwoCompMod:
		return c.wideSignExtend(e, n)
	case bmv2.OpSatCast, bmv2.OpUsatCast:
		return c.saturate(e)
	}
	return nil, unsupported(fmt.Sprintf("operator %q on numbers wider than 64 bits", e.Op))
}

func (c *compiler) wideModular(e *bmv2.OpExpr, n int) (wide, error) {
	l := wide(func(_ *State, dst []uint64) { clear(dst) }) // unary plus and minus
	var err error
	if e.Left != nil {
		if l, err = c.wide(e.Left, n); err != nil {
			return nil, err
		}
	}
	r, err := c.wide(e.Right, n)
	if err != nil {
		return nil, err
	}
	a, b := c.temp(n), c.temp(n)
	combine := limbOp(e.Op)
	return func(st *State, dst []uint64) {
		x, y := a.of(st), b.of(st)
		l(st, x)
		r(st, y)
		combine(dst, x, y)
	}, nil
}

func limbOp(o bmv2.Op) func(dst, l, r []uint64) {
	switch o {
	case bmv2.OpAdd:
		return addLimbs
	case bmv2.OpSub:
		return subLimbs
	case bmv2.OpMul:
		return mulLimbs
	case bmv2.OpBitAnd:
		return func(dst, l, r []uint64) {
			for i := range dst {
				dst[i] = l[i] & r[i]
			}
		}
	case bmv2.OpBitOr:
		return func(dst, l, r []uint64) {
			for i := range dst {
				dst[i] = l[i] | r[i]
			}
		}
	}
	return func(dst, l, r []uint64) {
		for i := range dst {
			dst[i] = l[i] ^ r[i]
		}
	}
}

func (c *compiler) wideShl(e *bmv2.OpExpr, n int) (wide, error) {
	l, err := c.wide(e.Left, n)
	if err != nil {
		return nil, err
	}
	by, err := c.amount(e.Right)
	a := c.temp(n)
	return func(st *State, dst []uint64) {
		x := a.of(st)
		l(st, x)
		shlLimbs(dst, x, by(st))
	}, err
}

func (c *compiler) wideShr(e *bmv2.OpExpr) (wide, error) {
	l, err := c.exact(e.Left)
	if err != nil {
		return nil, err
	}
	by, err := c.amount(e.Right)
	return func(st *State, dst []uint64) { sarLimbs(dst, l.eval(st), by(st)) }, err
}

func (c *compiler) wideChoose(e *bmv2.OpExpr, n int) (wide, error) {
	cond, err := c.boolean(e.Cond)
	if err != nil {
		return nil, err
	}
	l, err := c.wide(e.Left, n)
	if err != nil {
		return nil, err
	}
	r, err := c.wide(e.Right, n)
	return func(st *State, dst []uint64) {
		if cond(st) {
			l(st, dst)
		} else {
			r(st, dst)
		}
	}, err
}

func (c *compiler) wideSignExtend(e *bmv2.OpExpr, n int) (wide, error) {
	width, err := needWidth(e)
	if err != nil {
		return nil, err
	}
	l, err := c.wide(e.Left, n)
	return func(st *State, dst []uint64) {
		l(st, dst)
		keepBits(dst, width, true)
	}, err
}

// saturate compiles sat_cast and usat_cast: the nearest number of the given width.
func (c *compiler) saturate(e *bmv2.OpExpr) (wide, error) {
	width, err := needWidth(e)
	if err != nil {
		return nil, err
	}
	lo, hi := limits(width, e.Op == bmv2.OpSatCast)
	n := max(c.boundOf(e.Left).limbs(), width/64+1)
	l, err := c.exactIn(e.Left, n)
	min, max := constLimbs(lo, n), constLimbs(hi, n)
	return func(st *State, dst []uint64) {
		v := l.eval(st)
		switch {
		case compareLimbs(v, min) < 0:
			v = min
		case compareLimbs(v, max) > 0:
			v = max
		}
		extend(dst, v)
	}, err
}

// limits returns the smallest and largest number of a width.
func limits(width int, signed bool) (lo, hi *big.Int) {
	one := big.NewInt(1)
	if !signed {
		hi = new(big.Int).Lsh(one, uint(width))
		return new(big.Int), hi.Sub(hi, one)
	}
	half := new(big.Int).Lsh(one, uint(width-1))
	return new(big.Int).Neg(half), new(big.Int).Sub(half, one)
}

// lowLimb compiles an operation that needs exact operands, and returns its low 64 bits.
func (c *compiler) lowLimb(e *bmv2.OpExpr) (u64, error) {
	fn, err := c.wideOp(e, 1)
	t := c.temp(1)
	return func(st *State) uint64 {
		dst := t.of(st)
		fn(st, dst)
		return dst[0]
	}, err
}

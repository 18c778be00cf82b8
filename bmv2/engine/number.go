package engine

import (
	"fmt"
	"math/big"

	"github.com/turbokv/turbokv/bmv2"
)

// number compiles an expression to a closure that returns its value modulo 2^64, in two's
// complement. The value is exact when the bound fits 64 bits.
func (c *compiler) number(e bmv2.Expr) (u64, error) {
	switch e := e.(type) {
	case *bmv2.FieldExpr:
		return c.loadField(c.layout.place(e.Ref), e.Ref.Signed()), nil
	case *bmv2.ConstExpr:
		v := lowWord(e.Value)
		return func(*State) uint64 { return v }, nil
	case *bmv2.BoolExpr:
		v := b2u(e.Value)
		return func(*State) uint64 { return v }, nil
	case *bmv2.ParamExpr:
		i := c.paramWord(e.Index)
		return func(st *State) uint64 { return st.args[i] }, nil
	case *bmv2.AccessExpr:
		return c.loadElement(e)
	case *bmv2.StackFieldExpr:
		return c.loadLast(e)
	case *bmv2.LookaheadExpr:
		return lookahead(e), nil
	case *bmv2.RegisterExpr:
		return c.loadCell(e)
	case *bmv2.OpExpr:
		return c.operation(e)
	}
	return nil, unsupported(fmt.Sprintf("%T as a number", e))
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// lowWord returns v modulo 2^64.
func lowWord(v *big.Int) uint64 {
	m := new(big.Int).And(v, new(big.Int).SetUint64(^uint64(0)))
	return m.Uint64()
}

func (c *compiler) loadField(p place, signed bool) u64 {
	if !signed || p.width > 64 {
		return load(p.low())
	}
	v, unused := load(p), 64-p.width
	return func(st *State) uint64 { return uint64(int64(v(st)<<unused) >> unused) }
}

// operation compiles operators. Those that only need the low words of their operands come
// first; the others need exact operands.
func (c *compiler) operation(e *bmv2.OpExpr) (u64, error) {
	if p, ok := c.part(e); ok {
		return load(p.low()), nil
	}
	switch e.Op {
	case bmv2.OpAdd, bmv2.OpSub, bmv2.OpMul, bmv2.OpBitAnd, bmv2.OpBitOr, bmv2.OpBitXor:
		return c.modular(e)
	case bmv2.OpBitNot:
		r, err := c.number(e.Right)
		return func(st *State) uint64 { return ^r(st) }, err
	case bmv2.OpShl:
		return c.shiftLeft(e)
	case bmv2.OpShr:
		return c.shiftRight(e)
	case bmv2.OpDiv, bmv2.OpMod:
		return c.divide(e)
	case bmv2.OpTernary:
		return c.choose(e)
	case bmv2.OpTwoCompMod:
		return c.signExtend(e)
	case bmv2.OpSatCast, bmv2.OpUsatCast:
		return c.lowLimb(e)
	case bmv2.OpToData:
		return c.fromBool(e.Right)
	case bmv2.OpLastIndex:
		return c.stackCount(e, -1)
	case bmv2.OpStackSize:
		return c.stackCount(e, 0)
	}
	if isBool(e) {
		return c.fromBool(e)
	}
	return nil, unsupported(fmt.Sprintf("operator %q as a number", e.Op))
}

func (c *compiler) operands(e *bmv2.OpExpr) (l, r u64, err error) {
	l = func(*State) uint64 { return 0 } // unary plus and minus
	if e.Left != nil {
		if l, err = c.number(e.Left); err != nil {
			return nil, nil, err
		}
	}
	r, err = c.number(e.Right)
	return l, r, err
}

// modular compiles operators that commute with taking the remainder modulo 2^64.
func (c *compiler) modular(e *bmv2.OpExpr) (u64, error) {
	if k, ok := e.Right.(*bmv2.ConstExpr); ok && e.Left != nil {
		return c.modularConst(e, lowWord(k.Value))
	}
	l, r, err := c.operands(e)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case bmv2.OpAdd:
		return func(st *State) uint64 { return l(st) + r(st) }, nil
	case bmv2.OpSub:
		return func(st *State) uint64 { return l(st) - r(st) }, nil
	case bmv2.OpMul:
		return func(st *State) uint64 { return l(st) * r(st) }, nil
	case bmv2.OpBitAnd:
		return func(st *State) uint64 { return l(st) & r(st) }, nil
	case bmv2.OpBitOr:
		return func(st *State) uint64 { return l(st) | r(st) }, nil
	}
	return func(st *State) uint64 { return l(st) ^ r(st) }, nil
}

func (c *compiler) modularConst(e *bmv2.OpExpr, k uint64) (u64, error) {
	l, err := c.number(e.Left)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case bmv2.OpAdd:
		return func(st *State) uint64 { return l(st) + k }, nil
	case bmv2.OpSub:
		return func(st *State) uint64 { return l(st) - k }, nil
	case bmv2.OpMul:
		return func(st *State) uint64 { return l(st) * k }, nil
	case bmv2.OpBitAnd:
		return func(st *State) uint64 { return l(st) & k }, nil
	case bmv2.OpBitOr:
		return func(st *State) uint64 { return l(st) | k }, nil
	}
	return func(st *State) uint64 { return l(st) ^ k }, nil
}

// amount compiles a shift amount: exact, with everything that is too large as MaxUint64.
func (c *compiler) amount(e bmv2.Expr) (u64, error) {
	b := c.boundOf(e)
	if !b.signed && b.fits64() {
		return c.number(e)
	}
	v, err := c.exact(e)
	if err != nil {
		return nil, err
	}
	return func(st *State) uint64 {
		limbs := v.eval(st)
		for _, w := range limbs[1:] {
			if w != 0 { // too large, or negative, which bmv2 does not define
				return ^uint64(0)
			}
		}
		return limbs[0]
	}, nil
}

func (c *compiler) shiftLeft(e *bmv2.OpExpr) (u64, error) {
	l, err := c.number(e.Left)
	if err != nil {
		return nil, err
	}
	if k, ok := e.Right.(*bmv2.ConstExpr); ok && k.Value.IsUint64() {
		by := k.Value.Uint64()
		return func(st *State) uint64 { return l(st) << by }, nil
	}
	by, err := c.amount(e.Right)
	return func(st *State) uint64 { return l(st) << by(st) }, err
}

func (c *compiler) shiftRight(e *bmv2.OpExpr) (u64, error) {
	b := c.boundOf(e.Left)
	if !b.fits64() {
		return c.lowLimb(e)
	}
	l, err := c.number(e.Left)
	if err != nil {
		return nil, err
	}
	if k, ok := e.Right.(*bmv2.ConstExpr); ok && !b.signed && k.Value.IsUint64() {
		by := k.Value.Uint64()
		return func(st *State) uint64 { return l(st) >> by }, nil
	}
	by, err := c.amount(e.Right)
	if b.signed {
		return func(st *State) uint64 { return uint64(int64(l(st)) >> by(st)) }, err
	}
	return func(st *State) uint64 { return l(st) >> by(st) }, err
}

// divide compiles / and %. Division by zero, undefined in P4, gives zero. The language has no
// division of signed numbers; it is cut towards zero, as bmv2's numbers do.
func (c *compiler) divide(e *bmv2.OpExpr) (u64, error) {
	bl, br := c.boundOf(e.Left), c.boundOf(e.Right)
	if bl.signed || br.signed || !bl.fits64() || !br.fits64() {
		return c.lowLimb(e)
	}
	l, r, err := c.operands(e)
	if e.Op == bmv2.OpDiv {
		return func(st *State) uint64 {
			d := r(st)
			if d == 0 {
				return 0
			}
			return l(st) / d
		}, err
	}
	return func(st *State) uint64 {
		d := r(st)
		if d == 0 {
			return 0
		}
		return l(st) % d
	}, err
}

func (c *compiler) choose(e *bmv2.OpExpr) (u64, error) {
	cond, err := c.boolean(e.Cond)
	if err != nil {
		return nil, err
	}
	l, r, err := c.operands(e)
	return func(st *State) uint64 {
		if cond(st) {
			return l(st)
		}
		return r(st)
	}, err
}

// signExtend takes the low bits of a number as two's complement.
func (c *compiler) signExtend(e *bmv2.OpExpr) (u64, error) {
	width, err := needWidth(e)
	if err != nil {
		return nil, err
	}
	l, err := c.number(e.Left)
	if width >= 64 {
		return l, err
	}
	unused := 64 - width
	return func(st *State) uint64 { return uint64(int64(l(st)<<unused) >> unused) }, err
}

func needWidth(e *bmv2.OpExpr) (int, error) {
	k, ok := e.Right.(*bmv2.ConstExpr)
	if !ok || !k.Value.IsInt64() || k.Value.Int64() < 1 || k.Value.Int64() > maxBits {
		return 0, unsupported(fmt.Sprintf("width of %q that is no constant from 1 to %d",
			e.Op, maxBits))
	}
	return int(k.Value.Int64()), nil
}

func (c *compiler) fromBool(e bmv2.Expr) (u64, error) {
	p, err := c.boolean(e)
	return func(st *State) uint64 { return b2u(p(st)) }, err
}

// stackCount compiles size_stack and last_stack_index.
func (c *compiler) stackCount(e *bmv2.OpExpr, add int) (u64, error) {
	var next int
	switch s := e.Right.(type) {
	case *bmv2.StackExpr:
		next = c.layout.stacks[s.Stack].next
	case *bmv2.UnionStackExpr:
		next = c.layout.unions[s.Stack].next
	default:
		return nil, unsupported(fmt.Sprintf("operator %q on %T", e.Op, e.Right), "header stack",
			"header union stack")
	}
	return func(st *State) uint64 { return uint64(int(be.Uint32(st.arena[next:])) + add) }, nil
}

// loadElement reads a field of a stack element chosen at run time; out of range reads zero.
func (c *compiler) loadElement(e *bmv2.AccessExpr) (u64, error) {
	bit, err := c.elementBit(e.Element, e.Field)
	if err != nil {
		return nil, err
	}
	f := e.Element.Stack.Type.Fields[e.Field]
	skip, width := max(0, f.Width-64), min(64, f.Width)
	unused := 64 - width
	return func(st *State) uint64 {
		at := bit(st)
		if at < 0 {
			return 0
		}
		v := loadBits(st.arena, at+skip, width)
		if f.Signed {
			return uint64(int64(v<<unused) >> unused)
		}
		return v
	}, nil
}

// elementBit compiles the arena position of a field of stack[index], or -1 if out of range.
func (c *compiler) elementBit(e *bmv2.IndexExpr, field int) (func(*State) int, error) {
	s := c.layout.stacks[e.Stack]
	index, err := c.amount(e.Index)
	first, stride, count := s.first.fields[field].bit, 8*s.first.size, uint64(s.count)
	return func(st *State) int {
		i := index(st)
		if i >= count {
			return -1
		}
		return first + int(i)*stride
	}, err
}

// lastIndex turns stack.last into an index expression.
func lastIndex(s *bmv2.HeaderStack) *bmv2.IndexExpr {
	return &bmv2.IndexExpr{Stack: s, Index: &bmv2.OpExpr{
		Op: bmv2.OpLastIndex, Right: &bmv2.StackExpr{Stack: s}}}
}

func (c *compiler) loadLast(e *bmv2.StackFieldExpr) (u64, error) {
	v, err := c.loadElement(&bmv2.AccessExpr{Element: lastIndex(e.Stack), Field: e.Field})
	if !c.inParser {
		return v, err
	}
	check := c.notEmpty(e.Stack)
	return func(st *State) uint64 {
		check(st)
		return v(st)
	}, err
}

// notEmpty stops the parser if a stack has no last element.
func (c *compiler) notEmpty(s *bmv2.HeaderStack) op {
	next := c.layout.stacks[s].next
	return func(st *State) {
		if be.Uint32(st.arena[next:]) == 0 {
			st.fail = stackOutOfBounds
		}
	}
}

func (c *compiler) loadCell(e *bmv2.RegisterExpr) (u64, error) {
	r := c.cells(e.Register)
	index, err := c.amount(e.Index)
	return func(st *State) uint64 { return r.word(index(st), 0) }, err
}

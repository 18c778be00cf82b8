package engine

import "github.com/turbokv/turbokv/bmv2"

// part recognizes expressions that are a run of bits of a field: the field itself, a constant
// shift to the right, or a mask of low bits, as p4c writes slices and casts. They are loaded
// from their own place, without arithmetic.
func (c *compiler) part(e bmv2.Expr) (place, bool) {
	switch e := e.(type) {
	case *bmv2.FieldExpr:
		return c.layout.place(e.Ref), !e.Ref.Signed()
	case *bmv2.OpExpr:
		k, ok := e.Right.(*bmv2.ConstExpr)
		if !ok || e.Left == nil || !k.Value.IsUint64() {
			return place{}, false
		}
		switch e.Op {
		case bmv2.OpShr:
			return c.upperPart(e.Left, k.Value.Uint64())
		case bmv2.OpBitAnd:
			return c.lowerPart(e.Left, k.Value.Uint64())
		}
	}
	return place{}, false
}

// upperPart is e >> by.
func (c *compiler) upperPart(e bmv2.Expr, by uint64) (place, bool) {
	p, ok := c.part(e)
	if !ok || by >= uint64(p.width) {
		return place{}, false
	}
	if by == 0 {
		return p, true
	}
	return place{bit: p.bit, width: p.width - int(by)}, true
}

// lowerPart is e & m where m has all low bits up to some point.
func (c *compiler) lowerPart(e bmv2.Expr, m uint64) (place, bool) {
	p, ok := c.part(e)
	if !ok {
		return place{}, false
	}
	n := 0
	for n < 64 && m>>n&1 == 1 {
		n++
	}
	if p.width <= n {
		return p, true // a cast that cuts nothing
	}
	if n == 0 || n < 64 && m>>n != 0 {
		return place{}, false
	}
	return place{bit: p.bit + p.width - n, width: n}, true
}

// test is a comparison of a run of bits with constants, done on the bytes around the run:
// low <= word & mask <= low + span. The word is as short as possible: processors stall when they
// load more bytes than were just stored.
type test struct {
	off       int
	size      int // bytes: 1, 2, 4 or 8
	mask      uint64
	low, span uint64
}

func (t *test) holds(arena []byte) bool {
	return loadWord(arena, t.off, t.size)&t.mask-t.low <= t.span
}

// loadWord reads 1, 2, 4 or 8 bytes.
func loadWord(arena []byte, off, size int) uint64 {
	switch size {
	case 1:
		return uint64(arena[off])
	case 2:
		return uint64(be.Uint16(arena[off:]))
	case 4:
		return uint64(be.Uint32(arena[off:]))
	}
	return be.Uint64(arena[off:])
}

// all compiles a condition that is a conjunction of tests, if it is one.
func (c *compiler) all(e bmv2.Expr) (tests []test, ok bool) {
	if o, isOp := e.(*bmv2.OpExpr); isOp && o.Op == bmv2.OpAnd {
		l, ok := c.all(o.Left)
		r, ok2 := c.all(o.Right)
		return append(l, r...), ok && ok2
	}
	t, negated, ok := c.testOf(e)
	if negated && ok { // a bit that is not zero is one
		ok = t.mask&(t.mask-1) == 0 && t.low == 0 && t.span == 0
		t.low = t.mask
	}
	return []test{t}, ok
}

// window is the smallest word that holds a place: size bytes from off, shift bits to the right of
// the place.
type window struct{ off, size, shift int }

func (p place) window() (w window, ok bool) {
	lead := p.bit % 8
	w.off = p.bit / 8
	if w.size = boxSize(lead + p.width); w.size > 8 {
		return w, false
	}
	if p.box > 0 { // boxes are written as a whole, so they are read as a whole
		w.off, w.size, lead = (p.bit+p.width)/8-p.box, p.box, 8*p.box-p.width
	}
	w.shift = 8*w.size - lead - p.width
	return w, true
}

// test compares the bits under a mask with the numbers from low to high.
func (w window) test(mask, low, high uint64) test {
	return test{off: w.off, size: w.size, mask: mask << w.shift, low: low << w.shift,
		span: (high - low) << w.shift}
}

// testOf recognizes conditions that are a test, or (negated) the opposite of one.
func (c *compiler) testOf(e bmv2.Expr) (t test, negated, ok bool) {
	o, isOp := e.(*bmv2.OpExpr)
	if !isOp {
		return t, false, false
	}
	if o.Op == bmv2.OpToBool {
		t, ok = c.equalTest(o.Right, 0)
		return t, true, ok
	}
	k, isConst := o.Right.(*bmv2.ConstExpr)
	if !isConst || !k.Value.IsUint64() {
		return t, false, false
	}
	v := k.Value.Uint64()
	switch o.Op {
	case bmv2.OpEq, bmv2.OpNe:
		t, ok = c.equalTest(o.Left, v)
		return t, o.Op == bmv2.OpNe, ok
	case bmv2.OpLe, bmv2.OpGt: // w <= v, or its opposite
		t, ok = c.atMostTest(o.Left, v)
		return t, o.Op == bmv2.OpGt, ok
	case bmv2.OpLt, bmv2.OpGe: // w <= v-1, or its opposite
		if v == 0 {
			return t, false, false
		}
		t, ok = c.atMostTest(o.Left, v-1)
		return t, o.Op == bmv2.OpGe, ok
	}
	return t, false, false
}

// equalTest is e == v, where e may also be a field under any mask.
func (c *compiler) equalTest(e bmv2.Expr, v uint64) (test, bool) {
	m := ^uint64(0)
	if o, ok := e.(*bmv2.OpExpr); ok && o.Op == bmv2.OpBitAnd && o.Left != nil {
		if k, ok := o.Right.(*bmv2.ConstExpr); ok && k.Value.IsUint64() {
			m, e = k.Value.Uint64(), o.Left
		}
	}
	p, ok := c.part(e)
	if !ok {
		return test{}, false
	}
	w, ok := p.window()
	m &= mask(p.width)
	if !ok || v&^m != 0 {
		return test{}, false
	}
	return w.test(m, v, v), true
}

// atMostTest is e <= v.
func (c *compiler) atMostTest(e bmv2.Expr, v uint64) (test, bool) {
	p, ok := c.part(e)
	if !ok {
		return test{}, false
	}
	w, ok := p.window()
	if !ok || v > mask(p.width) {
		return test{}, false
	}
	return w.test(mask(p.width), 0, v), true
}

package engine

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
)

// variable is the variable-length field of a header. In the arena it has its maximal width and the
// value stands right-aligned in it, so that everything that reads a field reads the number. What
// follows it has fixed offsets there, and moves up on the wire.
type variable struct {
	place
	length int // byte offset of the present length in bits: 4 bytes
	before int // bits of the header before it
	after  int // and behind it
	end    int // bit in the arena where the latter begin
}

// placeLength reserves the word for the length, if the type needs one.
func (h *header) placeLength(t *bmv2.HeaderType, off int) int {
	if t.VarField() < 0 {
		return off
	}
	off = align(off, 4)
	h.vari = &variable{length: off}
	return off + 4
}

// setVariable fills in the rest when the fields have their places.
func (h *header) setVariable(t *bmv2.HeaderType) {
	v := h.vari
	if v == nil {
		return
	}
	f := t.Fields[t.VarField()]
	v.place = h.fields[t.VarField()]
	v.before, v.after = f.Offset, t.Bits-f.Offset-f.Width
	v.end = v.bit + v.width
}

// bits returns the present length in element i of the stack that the header is the first of.
func (v *variable) bits(arena []byte, i int) int { return int(be.Uint32(arena[v.length+4*i:])) }

func (v *variable) setBits(arena []byte, i, n int) {
	be.PutUint32(arena[v.length+4*i:], uint32(n))
}

// bytes returns how many bytes element i has on the wire at present.
func (h *header) bytes(arena []byte, i int) int {
	if h.vari == nil {
		return h.size
	}
	return (h.vari.before + h.vari.after + h.vari.bits(arena, i)) / 8
}

// append adds element 0, whose size varies, to what is in w.
func (h *header) append(w *bitBuffer, arena []byte) {
	v := h.vari
	n := v.bits(arena, 0)
	w.add(arena, 8*h.base, v.before)
	w.add(arena, v.end-n, n)
	w.add(arena, v.end, v.after)
}

// extractVar extracts to element i; bits is the length of the field. The order of the checks is
// that of simple_switch.
func (h *header) extractVar(st *State, i int, bits uint64) {
	v := h.vari
	fixed, left := uint64(v.before+v.after)/8, uint64(len(st.packet)-st.pos)
	switch {
	case bits%8 != 0:
		st.fail = invalidArgument
		return
	case fixed > left || bits/8 > left-fixed:
		st.fail = packetTooShort
		return
	case bits > uint64(v.width):
		st.fail = headerTooShort
		return
	}
	n := int(bits)
	base, shift := h.base+i*h.size, 8*i*h.size
	clear(st.arena[base : base+h.size])
	src, at := st.packet, 8*st.pos
	copyBits(st.arena, 8*base, src, at, v.before)
	copyBits(st.arena, v.end+shift-n, src, at+v.before, n)
	copyBits(st.arena, v.end+shift, src, at+v.before+n, v.after)
	v.setBits(st.arena, i, n)
	h.setValid(st.arena, i)
	st.pos += int(fixed) + n/8
}

// copyBits copies bits between byte strings.
func copyBits(dst []byte, to int, src []byte, from, n int) {
	if to%8 == 0 && from%8 == 0 && n%8 == 0 {
		copy(dst[to/8:(to+n)/8], src[from/8:])
		return
	}
	for n > 0 {
		k := min(n, 8-to%8, 8-from%8)
		v := src[from/8] << (from % 8) >> (8 - k) // k bits, right-aligned
		shift := 8 - to%8 - k
		dst[to/8] = dst[to/8]&^(byte(mask(k))<<shift) | v<<shift
		to, from, n = to+k, from+k, n-k
	}
}

// present is where the bits of the variable-length field of a header stand at present.
func (m *Machine) present(st *State, h *bmv2.Header) place {
	v := m.layout.headers[h].vari
	n := v.bits(st.arena, 0)
	return place{bit: v.end - n, width: n}
}

// varTarget is the header of a variable-length field.
func (c *compiler) varTarget(e bmv2.Expr) (target, error) {
	var t target
	var err error
	switch e := e.(type) {
	case *bmv2.FieldExpr:
		if e.Ref.Var() {
			return target{h: c.layout.headers[e.Ref.Header]}, nil
		}
	case *bmv2.AccessExpr:
		if e.Element.Stack.Type.Fields[e.Field].Var {
			return c.target(e.Element)
		}
	case *bmv2.StackFieldExpr:
		if e.Stack.Type.Fields[e.Field].Var {
			return c.target(lastIndex(e.Stack))
		}
	}
	if err == nil {
		err = unsupported(fmt.Sprintf("%T as a variable-length field", e), "varbit field")
	}
	return t, err
}

// isVar reports whether an expression is a variable-length field.
func isVar(e bmv2.Expr) bool {
	switch e := e.(type) {
	case *bmv2.FieldExpr:
		return e.Ref.Var()
	case *bmv2.AccessExpr:
		return e.Element.Stack.Type.Fields[e.Field].Var
	case *bmv2.StackFieldExpr:
		return e.Stack.Type.Fields[e.Field].Var
	}
	return false
}

// assignVar copies value and length of a variable-length field.
func (c *compiler) assignVar(args []bmv2.Expr) (op, error) {
	dst, src, err := c.varPair(args[0], args[1])
	return func(st *State) {
		to, from := dst.at(st), src.at(st)
		if to < 0 || from < 0 {
			return
		}
		a, d, s := st.arena, dst.h.vari, src.h.vari
		copyBits(a, d.bit+8*to*dst.h.size, a, s.bit+8*from*src.h.size, d.width)
		d.setBits(a, to, s.bits(a, from))
	}, err
}

// varPair compiles two variable-length fields of one type.
func (c *compiler) varPair(l, r bmv2.Expr) (a, b target, err error) {
	if a, err = c.varTarget(l); err != nil {
		return a, b, err
	}
	if b, err = c.varTarget(r); err == nil && a.h.vari.width != b.h.vari.width {
		err = fmt.Errorf("variable-length fields of up to %d and %d bits", a.h.vari.width,
			b.h.vari.width)
	}
	return a, b, err
}

// equalVars compares lengths and values, as the language says.
func (c *compiler) equalVars(l, r bmv2.Expr) (pred, error) {
	a, b, err := c.varPair(l, r)
	if err != nil {
		return nil, err
	}
	same, err := c.compareNumbers(bmv2.OpEq, l, r)
	return func(st *State) bool {
		i, j := a.at(st), b.at(st)
		if i < 0 || j < 0 {
			return i == j
		}
		return a.h.vari.bits(st.arena, i) == b.h.vari.bits(st.arena, j) && same(st)
	}, err
}

package engine

import "encoding/binary"

// The closures that compiled programs consist of.
type (
	op   func(*State)
	u64  func(*State) uint64
	pred func(*State) bool
	wide func(st *State, dst []uint64) // little-endian limbs
)

var be = binary.BigEndian

func mask(width int) uint64 {
	if width >= 64 {
		return ^uint64(0)
	}
	return 1<<width - 1
}

// load returns a closure that reads a field of at most 64 bits.
func load(p place) u64 {
	if off, n, ok := p.bytes(); ok {
		switch n {
		case 1:
			return func(st *State) uint64 { return uint64(st.arena[off]) }
		case 2:
			return func(st *State) uint64 { return uint64(be.Uint16(st.arena[off:])) }
		case 4:
			return func(st *State) uint64 { return uint64(be.Uint32(st.arena[off:])) }
		case 8:
			return func(st *State) uint64 { return be.Uint64(st.arena[off:]) }
		}
	}
	w, ok := p.window()
	off, shift, m := w.off, w.shift, mask(p.width)
	switch {
	case ok && w.size == 1:
		return func(st *State) uint64 { return uint64(st.arena[off]>>shift) & m }
	case ok && w.size == 2:
		return func(st *State) uint64 { return uint64(be.Uint16(st.arena[off:])>>shift) & m }
	case ok && w.size == 4:
		return func(st *State) uint64 { return uint64(be.Uint32(st.arena[off:])>>shift) & m }
	case ok:
		return func(st *State) uint64 { return be.Uint64(st.arena[off:]) >> shift & m }
	}
	return func(st *State) uint64 { return loadBits(st.arena, p.bit, p.width) }
}

// loadBits reads up to 64 bits at any position. There must be 9 readable bytes.
func loadBits(b []byte, bit, width int) uint64 {
	off, lead := bit/8, bit%8
	v := be.Uint64(b[off:]) << lead
	if lead+width > 64 {
		v |= uint64(b[off+8]) >> (8 - lead)
	}
	return v >> (64 - width)
}

// storeBits writes the low bits of v, up to 64, at any position.
func storeBits(b []byte, bit, width int, v uint64) {
	off, lead := bit/8, bit%8
	m := mask(width)
	v &= m
	shift := 64 - lead - width
	if shift >= 0 {
		old := be.Uint64(b[off:])
		be.PutUint64(b[off:], old&^(m<<shift)|v<<shift)
		return
	}
	over := -shift // bits that fall into the ninth byte
	old := be.Uint64(b[off:])
	be.PutUint64(b[off:], old&^(m>>over)|v>>over)
	tail := byte(mask(over) << (8 - over))
	b[off+8] = b[off+8]&^tail | byte(v<<(8-over))
}

// store returns a closure that writes the value of v, cut to the width, into a field of at most
// 64 bits.
func store(p place, v u64) op {
	off, n, ok := p.bytes()
	if !ok {
		return func(st *State) { storeBits(st.arena, p.bit, p.width, v(st)) }
	}
	m := mask(p.width)
	switch n {
	case 1:
		return func(st *State) { st.arena[off] = byte(v(st) & m) }
	case 2:
		return func(st *State) { be.PutUint16(st.arena[off:], uint16(v(st)&m)) }
	case 4:
		return func(st *State) { be.PutUint32(st.arena[off:], uint32(v(st)&m)) }
	case 8:
		return func(st *State) { be.PutUint64(st.arena[off:], v(st)&m) }
	}
	return func(st *State) { storeBits(st.arena, p.bit, p.width, v(st)) }
}

// loadWide reads a field of any width into limbs; bits beyond the field are zero.
func loadWide(b []byte, bit, width int, dst []uint64) {
	end := bit + width
	for i := range dst {
		n := min(64, end-bit)
		if n <= 0 {
			dst[i] = 0
			continue
		}
		dst[i] = loadBits(b, end-n, n)
		end -= n
	}
}

// storeWide writes the low bits of limbs into a field of any width.
func storeWide(b []byte, bit, width int, src []uint64) {
	end := bit + width
	for i := 0; end > bit; i++ {
		n := min(64, end-bit)
		storeBits(b, end-n, n, src[i])
		end -= n
	}
}

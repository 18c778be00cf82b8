package engine

import "github.com/turbokv/turbokv/bmv2"

// peek reads up to 56 bits of the packet at a bit position after the parsed bytes.
func peek(st *State, bit, width int) uint64 {
	bit += 8 * st.pos
	var v uint64
	for i := bit / 8; i < (bit+width+7)/8; i++ {
		v = v<<8 | uint64(st.packet[i])
	}
	return v >> (-(bit + width) & 7) & mask(width)
}

// inPacket reports whether a lookahead stays within the packet, and stops the parser if not.
func inPacket(st *State, e *bmv2.LookaheadExpr) bool {
	if 8*st.pos+e.Offset+e.Width > 8*len(st.packet) {
		st.fail = packetTooShort
		return false
	}
	return true
}

func lookahead(e *bmv2.LookaheadExpr) u64 {
	offset, width := e.Offset, e.Width
	if width > 64 {
		offset, width = offset+width-64, 64
	}
	high := max(0, width-32)
	return func(st *State) uint64 {
		if !inPacket(st, e) {
			return 0
		}
		v := peek(st, offset+high, width-high)
		if high > 0 {
			v |= peek(st, offset, high) << (width - high)
		}
		return v
	}
}

func wideLookahead(e *bmv2.LookaheadExpr) wide {
	return func(st *State, dst []uint64) {
		clear(dst)
		if !inPacket(st, e) {
			return
		}
		for done := 0; done < e.Width && done/64 < len(dst); done += 32 {
			n := min(32, e.Width-done)
			v := peek(st, e.Offset+e.Width-done-n, n)
			dst[done/64] |= v << (done % 64)
		}
	}
}

package engine

import (
	"bytes"
	"math/bits"
)

// byteRange bounds the key bytes from off on, both ends included.
type byteRange struct {
	off    int
	lo, hi []byte
	// Up to 8 bytes are compared as a number: what is loaded at off is shifted by shift.
	shift    int
	low, top uint64
}

const wideRange = -1 // the shift of ranges that are no numbers

func newByteRange(off int, lo, hi []byte) byteRange {
	r := byteRange{off: off, lo: lo, hi: hi, shift: wideRange}
	if n := len(lo); n <= 8 {
		r.shift = 64 - 8*n
		r.low, r.top = wordOf(lo), wordOf(hi)
	}
	return r
}

// holds reports whether a key is within the bounds. The key has at least 8 bytes from off on.
func (r *byteRange) holds(key []byte) bool {
	if r.shift != wideRange {
		v := be.Uint64(key[r.off:]) >> r.shift
		return r.low <= v && v <= r.top
	}
	v := key[r.off : r.off+len(r.lo)]
	return bytes.Compare(v, r.lo) >= 0 && bytes.Compare(v, r.hi) <= 0
}

// setRange puts a range into an entry. The bits that all its numbers have in common become a
// condition like that of a ternary field, so that entries are found by them; bounds are kept only if
// these bits are not all there is to say.
func (e *Entry) setRange(p keyPart, key, masks []byte, m Match) {
	value, mask := key[p.off:p.off+p.size], masks[p.off:p.off+p.size]
	n := p.width
	for i := range m.Value {
		if x := m.Value[i] ^ m.High[i]; x != 0 {
			n = 8*i + bits.LeadingZeros8(x) - (8*p.size - p.width)
			break
		}
	}
	copy(value, m.Value)
	prefixMask(mask, p.width, n)
	for i := range value {
		loose := ^mask[i]
		if i == 0 {
			loose &= 0xff >> (8*p.size - p.width)
		}
		if m.Value[i]&loose != 0 || m.High[i]&loose != loose {
			e.ranges = append(e.ranges, newByteRange(p.off, m.Value, m.High))
			return
		}
	}
}

// bounds returns the range of an entry on one part of the key, from what is left of it there.
func (e *Entry) bounds(p keyPart, value, mask []byte) (lo, hi []byte) {
	for _, r := range e.ranges {
		if r.off == p.off {
			return r.lo, r.hi
		}
	}
	hi = make([]byte, p.size)
	fill(hi, p.width)
	for i := range hi {
		hi[i] = hi[i]&^mask[i] | value[i]
	}
	return value, hi
}

package v1model

import "math/bits"

// order numbers the entries of a table. Among entries of equal priority that match a packet,
// simple_switch takes the one with the lowest handle, and it gives a new entry the lowest handle
// that is free; so does this.
type order struct {
	used []uint64 // a bit for each number
	from int      // no word before it has a free number
}

// next returns the lowest free number.
func (o *order) next() uint32 {
	for ; o.from < len(o.used); o.from++ {
		if w := o.used[o.from]; w != ^uint64(0) {
			return uint32(64*o.from + bits.TrailingZeros64(^w))
		}
	}
	o.used = append(o.used, 0)
	return uint32(64 * o.from)
}

func (o *order) take(n uint32) { o.used[n/64] |= 1 << (n % 64) }

func (o *order) free(n uint32) {
	o.used[n/64] &^= 1 << (n % 64)
	o.from = min(o.from, int(n/64))
}

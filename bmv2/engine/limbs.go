package engine

import "math/bits"

// Arithmetic on little-endian limbs in two's complement. Operands and result have the same
// length; the result is modulo 2^(64*len).

func addLimbs(dst, l, r []uint64) {
	var carry uint64
	for i := range dst {
		dst[i], carry = bits.Add64(l[i], r[i], carry)
	}
}

func subLimbs(dst, l, r []uint64) {
	var borrow uint64
	for i := range dst {
		dst[i], borrow = bits.Sub64(l[i], r[i], borrow)
	}
}

// mulLimbs needs dst to be distinct from l and r.
func mulLimbs(dst, l, r []uint64) {
	clear(dst)
	for i := range dst {
		var carry uint64
		for j := 0; i+j < len(dst); j++ {
			hi, lo := bits.Mul64(l[i], r[j])
			var c uint64
			lo, c = bits.Add64(lo, dst[i+j], 0)
			hi += c
			lo, c = bits.Add64(lo, carry, 0)
			dst[i+j], carry = lo, hi+c
		}
	}
}

func shlLimbs(dst, l []uint64, by uint64) {
	words, n := by/64, by%64
	for i := len(dst) - 1; i >= 0; i-- {
		var v uint64
		if uint64(i) >= words {
			at := i - int(words)
			v = l[at] << n
			if n > 0 && at > 0 {
				v |= l[at-1] >> (64 - n)
			}
		}
		dst[i] = v
	}
}

// sarLimbs shifts right and fills with the sign.
func sarLimbs(dst, l []uint64, by uint64) {
	fill := signFill(l)
	at := func(i uint64) uint64 {
		if i >= uint64(len(l)) {
			return fill
		}
		return l[i]
	}
	words, n := by/64, by%64
	for i := range dst {
		j := uint64(i) + words
		if by > uint64(64*len(l)) {
			j = uint64(len(l))
		}
		dst[i] = at(j) >> n
		if n > 0 {
			dst[i] |= at(j+1) << (64 - n)
		}
	}
}

// signFill returns what extends a number to the left: all ones if it is negative.
func signFill(l []uint64) uint64 { return uint64(int64(l[len(l)-1]) >> 63) }

// extend copies l into a longer or shorter dst with its sign.
func extend(dst, l []uint64) {
	n := copy(dst, l)
	fill := signFill(l)
	for i := n; i < len(dst); i++ {
		dst[i] = fill
	}
}

// keepBits cuts a number to its low bits, and extends their sign if asked.
func keepBits(dst []uint64, width int, signed bool) {
	if width >= 64*len(dst) {
		return
	}
	fill := uint64(0)
	if signed && dst[(width-1)/64]>>((width-1)%64)&1 == 1 {
		fill = ^uint64(0)
	}
	first := width / 64
	if n := width % 64; n > 0 {
		dst[first] = dst[first]&mask(n) | fill&^mask(n)
		first++
	}
	for i := first; i < len(dst); i++ {
		dst[i] = fill
	}
}

// compareLimbs compares signed numbers of the same length: -1, 0 or +1.
func compareLimbs(l, r []uint64) int {
	top := len(l) - 1
	if a, b := int64(l[top]), int64(r[top]); a != b {
		if a < b {
			return -1
		}
		return 1
	}
	for i := top - 1; i >= 0; i-- {
		if l[i] != r[i] {
			if l[i] < r[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

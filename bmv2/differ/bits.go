package differ

import (
	"math/big"
	"math/rand/v2"
)

// bitString is the content of a frame while it is made: bits, some of which are decided.
type bitString struct {
	r    *rand.Rand
	bits []bool
	held []bool // decided by a select case
}

// grow makes room for n bits; new ones are random.
func (b *bitString) grow(n int) {
	for len(b.bits) < n {
		b.bits = append(b.bits, b.r.IntN(2) == 1)
		b.held = append(b.held, false)
	}
}

// put writes a value of some width where nothing is decided yet.
func (b *bitString) put(at, width int, v *big.Int) {
	b.grow(at + width)
	for i := range width {
		if !b.held[at+i] {
			b.bits[at+i] = v.Bit(width-1-i) == 1
		}
	}
}

// hold writes a value and decides those bits, where mask has a one.
func (b *bitString) hold(at, width int, v, mask *big.Int) {
	b.grow(at + width)
	for i := range width {
		if k := width - 1 - i; mask == nil || mask.Bit(k) == 1 {
			b.bits[at+i], b.held[at+i] = v.Bit(k) == 1, true
		}
	}
}

// number returns the value of some bits.
func (b *bitString) number(at, width int) *big.Int {
	v := new(big.Int)
	for i := range width {
		if b.bits[at+i] {
			v.SetBit(v, width-1-i, 1)
		}
	}
	return v
}

// bytes returns the whole bytes; a last one is filled up.
func (b *bitString) bytes() []byte {
	b.grow((len(b.bits) + 7) / 8 * 8)
	out := make([]byte, len(b.bits)/8)
	for i, set := range b.bits {
		if set {
			out[i/8] |= 0x80 >> (i % 8)
		}
	}
	return out
}

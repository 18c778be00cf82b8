package kv

import (
	"fmt"
	"math/bits"
)

// Prefix is the set of index keys that agree with Key in the first Len bits. It is what one entry
// of a longest-prefix-match table covers.
type Prefix struct {
	Key IndexKey
	Len int // bits, 0 to 128
}

// String prints the prefix as key/length.
func (p Prefix) String() string { return fmt.Sprintf("%v/%d", p.Key, p.Len) }

// Interval returns the index keys that the prefix covers.
func (p Prefix) Interval() Interval {
	hi, lo := p.Key.words()
	maskHi, maskLo := suffixMask(IndexKeySize*8 - p.Len)
	return Interval{
		First: indexKeyOf(hi&^maskHi, lo&^maskLo),
		Last:  indexKeyOf(hi|maskHi, lo|maskLo),
	}
}

// suffixMask returns a 128-bit number with the lowest n bits set.
func suffixMask(n int) (hi, lo uint64) {
	if n <= 64 {
		return 0, ones(n)
	}
	return ones(n - 64), ^uint64(0)
}

func ones(n int) uint64 {
	if n >= 64 {
		return ^uint64(0)
	}
	return 1<<n - 1
}

// Cover returns the smallest set of prefixes whose union is the interval, in ascending order: at
// most 254 of them. It is the price of a sub-range in switch table entries. An interval whose ends
// are swapped has no cover.
func (i Interval) Cover() []Prefix {
	var out []Prefix
	at := i.First
	for at.Compare(i.Last) <= 0 {
		p := largestPrefix(at, i.Last)
		out = append(out, p)
		next, ok := p.Interval().Last.Next()
		if !ok {
			break
		}
		at = next
	}
	return out
}

// largestPrefix returns the largest aligned block that starts at first and does not pass last.
func largestPrefix(first, last IndexKey) Prefix {
	size := trailingZeros(first)
	for size > 0 {
		p := Prefix{Key: first, Len: IndexKeySize*8 - size}
		if p.Interval().Last.Compare(last) <= 0 {
			return p
		}
		size--
	}
	return Prefix{Key: first, Len: IndexKeySize * 8}
}

func trailingZeros(k IndexKey) int {
	hi, lo := k.words()
	if lo != 0 {
		return bits.TrailingZeros64(lo)
	}
	return 64 + bits.TrailingZeros64(hi)
}

package kv

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// IndexKeySize is the length in bytes of an index key, the part of a key that switches match.
const IndexKeySize = 16

// IndexKey is a point on the line of a keyspace, compared as a big-endian 128-bit number.
type IndexKey [IndexKeySize]byte

// The two ends of the line.
var (
	MinIndexKey = IndexKey{}
	MaxIndexKey = IndexKey{
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	}
)

// Compare returns -1, 0 or +1 as k is below, equal to or above o.
func (k IndexKey) Compare(o IndexKey) int { return bytes.Compare(k[:], o[:]) }

// Less reports whether k is below o.
func (k IndexKey) Less(o IndexKey) bool { return k.Compare(o) < 0 }

// Next returns the successor of k; ok is false at the end of the line.
func (k IndexKey) Next() (next IndexKey, ok bool) {
	for i := IndexKeySize - 1; i >= 0; i-- {
		k[i]++
		if k[i] != 0 {
			return k, true
		}
	}
	return MinIndexKey, false
}

// Prev returns the predecessor of k; ok is false at the start of the line.
func (k IndexKey) Prev() (prev IndexKey, ok bool) {
	for i := IndexKeySize - 1; i >= 0; i-- {
		k[i]--
		if k[i] != 0xff {
			return k, true
		}
	}
	return MaxIndexKey, false
}

// words returns the number as two 64-bit halves.
func (k IndexKey) words() (hi, lo uint64) {
	for i := range 8 {
		hi = hi<<8 | uint64(k[i])
		lo = lo<<8 | uint64(k[8+i])
	}
	return hi, lo
}

func indexKeyOf(hi, lo uint64) (k IndexKey) {
	for i := 7; i >= 0; i-- {
		k[i], k[8+i] = byte(hi), byte(lo)
		hi, lo = hi>>8, lo>>8
	}
	return k
}

// String prints the key in hexadecimal without its trailing zero bytes.
func (k IndexKey) String() string {
	trimmed := bytes.TrimRight(k[:], "\x00")
	if len(trimmed) == 0 {
		return "0x00"
	}
	return "0x" + hex.EncodeToString(trimmed)
}

// Partitioner maps keys to index keys. Its values are stored and sent: do not renumber.
type Partitioner uint8

// The partitioners.
const (
	// RangePartitioned keeps the order of keys: the index key is the first 16 bytes of the key,
	// zero padded. Keys that agree in them share a sub-range.
	RangePartitioned Partitioner = 1
	// HashPartitioned spreads keys evenly and cannot scan: the index key is XXH3-128 of the key.
	HashPartitioned Partitioner = 2
)

// IndexKey returns the index key of key. An unknown partitioner is a broken invariant.
func (p Partitioner) IndexKey(key []byte) (k IndexKey) {
	switch p {
	case RangePartitioned:
		copy(k[:], key)
		return k
	case HashPartitioned:
		return xxh3.Hash128(key).Bytes()
	}
	panic(fmt.Sprintf("kv: partitioner %d", p))
}

// String gives the name that command lines and descriptors use.
func (p Partitioner) String() string {
	switch p {
	case RangePartitioned:
		return "range"
	case HashPartitioned:
		return "hash"
	}
	return fmt.Sprintf("partitioner(%d)", uint8(p))
}

// ParsePartitioner is the inverse of String.
func ParsePartitioner(s string) (Partitioner, error) {
	for _, p := range []Partitioner{RangePartitioned, HashPartitioned} {
		if p.String() == s {
			return p, nil
		}
	}
	return 0, fmt.Errorf("partitioner %q: must be range or hash", s)
}

// Interval is a closed range of index keys: both ends belong to it.
type Interval struct {
	First, Last IndexKey
}

// FullInterval is the whole line.
var FullInterval = Interval{First: MinIndexKey, Last: MaxIndexKey}

// Contains reports whether k lies in the interval.
func (i Interval) Contains(k IndexKey) bool {
	return i.First.Compare(k) <= 0 && k.Compare(i.Last) <= 0
}

// String prints both ends in hexadecimal.
func (i Interval) String() string { return fmt.Sprintf("[%v, %v]", i.First, i.Last) }

// EvenSplit cuts the line into n intervals of nearly equal length. Cut points at multiples of
// 2^128/n rounded up to the next power of two are cheap in prefixes; n = 2^k gives one prefix each.
func EvenSplit(n int) []Interval {
	if n < 1 {
		panic(fmt.Sprintf("kv: EvenSplit(%d)", n))
	}
	out := make([]Interval, n)
	out[0].First = MinIndexKey
	for i := 1; i < n; i++ {
		// The top 64 bits of i*2^128/n are enough to tell any sensible number of cuts apart.
		hi, _ := bits.Div64(uint64(i), 0, uint64(n))
		cut := indexKeyOf(hi, 0)
		out[i].First = cut
		out[i-1].Last, _ = cut.Prev()
	}
	out[n-1].Last = MaxIndexKey
	return out
}

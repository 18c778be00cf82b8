package engine

import (
	"fmt"
	"sync/atomic"
)

// Counter counts packets and bytes. It is safe for concurrent use.
type Counter struct {
	packets, bytes atomic.Uint64
}

// Add counts one packet.
func (c *Counter) Add(bytes int) {
	c.packets.Add(1)
	c.bytes.Add(uint64(bytes))
}

// Load returns what was counted. The two numbers may be read a packet apart.
func (c *Counter) Load() (packets, bytes uint64) { return c.packets.Load(), c.bytes.Load() }

// Store sets both numbers.
func (c *Counter) Store(packets, bytes uint64) {
	c.packets.Store(packets)
	c.bytes.Store(bytes)
}

// CounterArray is an indirect counter array.
type CounterArray struct{ cells []Counter }

func newCounterArray(size int) *CounterArray {
	return &CounterArray{make([]Counter, size)}
}

// Size returns the number of cells.
func (a *CounterArray) Size() int { return len(a.cells) }

// Cell returns one cell, or nil when the index is out of range.
func (a *CounterArray) Cell(i uint64) *Counter {
	if i >= uint64(len(a.cells)) {
		return nil
	}
	return &a.cells[i]
}

// RegisterArray is an array of numbers of one width. Single words are atomic; for cells wider
// than 64 bits, and for programs that read, compute and write, the owner runs one packet at a
// time.
type RegisterArray struct {
	size, width, words int
	cells              []atomic.Uint64
}

func newRegisterArray(size, width int) *RegisterArray {
	words := (width + 63) / 64
	return &RegisterArray{size: size, width: width, words: words,
		cells: make([]atomic.Uint64, size*words)}
}

// Size returns the number of cells.
func (a *RegisterArray) Size() int { return a.size }

// Width returns the width of a cell in bits.
func (a *RegisterArray) Width() int { return a.width }

// word returns a limb of a cell; limbs that do not exist are zero.
func (a *RegisterArray) word(i uint64, limb int) uint64 {
	if i >= uint64(a.size) || limb >= a.words {
		return 0
	}
	return a.cells[int(i)*a.words+limb].Load()
}

func (a *RegisterArray) setWord(i uint64, limb int, v uint64) {
	if i < uint64(a.size) {
		a.cells[int(i)*a.words+limb].Store(v & mask(a.width-64*limb))
	}
}

// Bytes returns a cell as a big-endian byte string.
func (a *RegisterArray) Bytes(i int) ([]byte, error) {
	if i < 0 || i >= a.size {
		return nil, fmt.Errorf("index %d: the array has %d cells", i, a.size)
	}
	out := make([]byte, 8*a.words)
	for k := range a.words {
		be.PutUint64(out[8*(a.words-1-k):], a.word(uint64(i), k))
	}
	return out[len(out)-(a.width+7)/8:], nil
}

// SetBytes sets a cell from a big-endian byte string, cut to the width.
func (a *RegisterArray) SetBytes(i int, v []byte) error {
	if i < 0 || i >= a.size {
		return fmt.Errorf("index %d: the array has %d cells", i, a.size)
	}
	for k, w := range wordsOf(v, a.words) {
		a.setWord(uint64(i), k, w)
	}
	return nil
}

// wordsOf converts a big-endian byte string to n little-endian limbs.
func wordsOf(b []byte, n int) []uint64 {
	out := make([]uint64, n)
	putWords(out, b)
	return out
}

// putWords does the same in place; the limbs must be zero.
func putWords(out []uint64, b []byte) {
	for i, v := range b {
		bit := 8 * (len(b) - 1 - i)
		if bit/64 < len(out) {
			out[bit/64] |= uint64(v) << (bit % 64)
		}
	}
}

// wordOf returns the low 64 bits of a big-endian byte string.
func wordOf(b []byte) (word uint64) {
	for _, v := range b {
		word = word<<8 | uint64(v)
	}
	return word
}

package memory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Sizes of the slab allocator, in bytes unless they say otherwise.
const (
	unitSize    = 16                // every block starts on a multiple of it
	slabUnits   = 1 << 16           // units per slab, so that a ref is slab<<16 | unit
	slabSize    = slabUnits * 16    // 1 MiB
	maxSlabs    = 1 << 16           // limit of the ref: 64 GiB of small blocks
	largeUnits  = 1 << 12           // a larger block (64 KiB) has a slab of its own
	classes     = 96                // class() of largeUnits is 80
	blockHeader = 8                 // u32 key length, u32 value length
	probe       = ref(1<<32 - 1)    // stands for the key that is looked for, not a block
	maxRecord   = 1<<31 - 1 - 1<<20 // key and value together
)

// ErrFull is returned when the engine has no room for another record.
var ErrFull = errors.New("memory engine is full")

// ref names a block: slab number and first unit. Zero means none.
type ref uint32

// slabs hands out blocks of bytes named by refs. Blocks have one of about eight sizes per power of
// two, so at most an eighth of one is lost; a freed block is reused only for its own size.
type slabs struct {
	slab  [][]byte     // nil: a freed slab of one large block
	free  [classes]ref // lists of freed blocks, linked through their first four bytes
	spare []ref        // numbers of freed slabs, as refs of their first unit
	next  int          // first unused unit of current
	last  int          // number of the slab that small blocks are cut from
	bytes int64        // of all slabs together
	used  int64        // of the blocks in use
}

func newSlabs() slabs {
	// Unit 0 of slab 0 stays unused, because ref 0 means none.
	return slabs{slab: [][]byte{make([]byte, slabSize)}, next: 1, bytes: slabSize}
}

// units returns the number of units of a block for n bytes, rounded up to its size class.
func units(n int) int {
	u := (n + unitSize - 1) / unitSize
	if shift := bits.Len(uint(u)) - 4; shift > 0 && u <= largeUnits {
		return (u + 1<<shift - 1) &^ (1<<shift - 1)
	}
	return u
}

// class numbers the sizes that units returns for small blocks.
func class(units int) int {
	shift := max(bits.Len(uint(units))-4, 0)
	return shift*8 + units>>shift
}

// alloc returns a block of the given units; its content is undefined.
func (s *slabs) alloc(units int) (ref, error) {
	r, err := s.take(units)
	if err == nil {
		s.used += int64(units * unitSize)
	}
	return r, err
}

// take finds or makes room for alloc.
func (s *slabs) take(units int) (ref, error) {
	if units > largeUnits {
		return s.addSlab(units)
	}
	c := class(units)
	if r := s.free[c]; r != 0 {
		s.free[c] = ref(binary.NativeEndian.Uint32(s.block(r)))
		return r, nil
	}
	if s.next+units > slabUnits {
		r, err := s.addSlab(slabUnits)
		if err != nil {
			return 0, err
		}
		s.last, s.next = int(r>>16), 0
	}
	r := ref(s.last<<16 | s.next)
	s.next += units
	return r, nil
}

// addSlab returns the ref of the first unit of a new slab.
func (s *slabs) addSlab(units int) (ref, error) {
	if n := len(s.spare); n > 0 {
		r := s.spare[n-1]
		s.spare = s.spare[:n-1]
		s.slab[r>>16] = make([]byte, units*unitSize)
		s.bytes += int64(units * unitSize)
		return r, nil
	}
	// The last slab number is left to probe.
	if len(s.slab) == maxSlabs-1 {
		return 0, fmt.Errorf("%w: %d slabs of %d bytes", ErrFull, len(s.slab), slabSize)
	}
	s.slab = append(s.slab, make([]byte, units*unitSize))
	s.bytes += int64(units * unitSize)
	return ref((len(s.slab) - 1) << 16), nil
}

// release takes back a block of the given units.
func (s *slabs) release(r ref, units int) {
	s.used -= int64(units * unitSize)
	if units > largeUnits {
		s.slab[r>>16] = nil
		s.bytes -= int64(units * unitSize)
		s.spare = append(s.spare, r)
		return
	}
	c := class(units)
	binary.NativeEndian.PutUint32(s.block(r), uint32(s.free[c]))
	s.free[c] = r
}

// block returns the slab from r on.
func (s *slabs) block(r ref) []byte { return s.slab[r>>16][int(r&(slabUnits-1))*unitSize:] }

// key returns the key of the record in block r.
func (s *slabs) key(r ref) []byte {
	b := s.block(r)
	n := binary.NativeEndian.Uint32(b)
	return b[blockHeader : blockHeader+n]
}

// record returns the key and the value in block r.
func (s *slabs) record(r ref) (key, value []byte) {
	b := s.block(r)
	k, v := binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:])
	b = b[blockHeader:]
	return b[:k:k], b[k : k+v : k+v]
}

// store writes a record into block r, which is large enough.
func (s *slabs) store(r ref, key, value []byte) {
	b := s.block(r)
	binary.NativeEndian.PutUint32(b, uint32(len(key)))
	binary.NativeEndian.PutUint32(b[4:], uint32(len(value)))
	copy(b[blockHeader:], key)
	copy(b[blockHeader+len(key):], value)
}

// recordUnits returns the units of the block for a record.
func recordUnits(key, value []byte) int { return units(blockHeader + len(key) + len(value)) }

package workload

import (
	"encoding/binary"
	"fmt"

	"github.com/turbokv/turbokv/wire"
)

// Record numbers the records of a run from 0.
type Record uint64

// The sizes in bytes that a Records starts from: YCSB's keys are "user" and 19 digits, its values
// ten fields of 100 bytes.
const (
	DefaultKeySize   = 24
	DefaultValueSize = 1000
	// MinKeySize keeps keys distinct: the first 8 bytes of a key are a bijection of its number.
	MinKeySize = 8
)

// Records is the shape of the keys and values of a run.
type Records struct {
	KeySize   int    // bytes, at least MinKeySize; 0 means DefaultKeySize
	ValueSize int    // bytes; 0 means DefaultValueSize
	Seed      uint64 // makes the values of different runs differ
}

// Validate fills in defaults and checks that a record fits one packet.
func (s Records) Validate() (Records, error) {
	if s.KeySize == 0 {
		s.KeySize = DefaultKeySize
	}
	if s.ValueSize == 0 {
		s.ValueSize = DefaultValueSize
	}
	switch {
	case s.KeySize < MinKeySize || s.KeySize > wire.MaxKeySize:
		return s, fmt.Errorf("key size %d: must be %d to %d bytes", s.KeySize, MinKeySize,
			wire.MaxKeySize)
	case s.ValueSize < 0 || s.KeySize+s.ValueSize > wire.MaxRecordSize:
		return s, fmt.Errorf("value size %d with keys of %d: together at most %d bytes",
			s.ValueSize, s.KeySize, wire.MaxRecordSize)
	}
	return s, nil
}

// Key appends the key of record n to dst. Neighbouring numbers lie far apart: the key starts with
// a bijective mix of n, so keys are even over the line of a range-partitioned keyspace and popular
// records are not neighbours. The rest spells n in decimal, for the eye.
func (s Records) Key(dst []byte, n Record) []byte {
	dst = binary.BigEndian.AppendUint64(dst, mix64(uint64(n)))
	at := len(dst)
	for range s.KeySize - 8 {
		dst = append(dst, '0')
	}
	for i, rest := len(dst)-1, uint64(n); i >= at && rest > 0; i-- {
		dst[i] = byte('0' + rest%10)
		rest /= 10
	}
	return dst
}

// Value appends the value of the given version of record n to dst: the version when there is room
// for it, then bytes that depend on seed, record and version.
func (s Records) Value(dst []byte, n Record, version uint32, size int) []byte {
	at := len(dst)
	state := mix64(s.Seed ^ mix64(uint64(n)^uint64(version)<<40))
	for len(dst)-at < size {
		state += 0x9e3779b97f4a7c15
		dst = binary.BigEndian.AppendUint64(dst, mix64(state))
	}
	dst = dst[:at+size]
	if size >= minTaggedValue {
		binary.BigEndian.PutUint32(dst[at:], version)
	}
	return dst
}

// minTaggedValue is the smallest value in bytes that names its version, so that a report can say
// which one was found.
const minTaggedValue = 16

// mix64 is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), a bijection.
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

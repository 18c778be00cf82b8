package session

import (
	"bytes"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Scans exist only in range-partitioned keyspaces, where the index key is the key's first 16
// bytes, zero padded.

// lastIndexKey returns the last index key that a key below end can have; an empty end stands for
// the end of the keyspace.
func lastIndexKey(end []byte) kv.IndexKey {
	if len(end) == 0 {
		return kv.MaxIndexKey
	}
	k := kv.RangePartitioned.IndexKey(end)
	// Keys below an end longer than an index key, or with zero bytes at its end, may share its
	// index key. Any other end is itself the first key that has it.
	if len(end) <= kv.IndexKeySize && end[len(end)-1] != 0 {
		k, _ = k.Prev()
	}
	return k
}

// keyAfter appends the first key behind key to dst. There is none behind the longest key of the
// highest bytes.
func keyAfter(dst, key []byte) (next []byte, ok bool) {
	if len(key) < wire.MaxKeySize {
		return append(append(dst, key...), 0), true
	}
	key = bytes.TrimRight(key, "\xff")
	if len(key) == 0 {
		return dst, false
	}
	dst = append(dst, key...)
	dst[len(dst)-1]++
	return dst, true
}

// firstKey appends the first key that has index key k to dst: zero bytes at its end are padding.
func firstKey(dst []byte, k kv.IndexKey) []byte {
	return append(dst, bytes.TrimRight(k[:], "\x00")...)
}

func maxKey(a, b kv.IndexKey) kv.IndexKey {
	if a.Less(b) {
		return b
	}
	return a
}

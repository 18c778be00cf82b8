package memory

import (
	"bytes"
	"encoding/binary"

	"github.com/tidwall/btree"
)

// item is a record in the tree: its first twelve bytes, zero padded, and where it is. Most
// comparisons are decided by the prefix without a look at the record, which is a cache miss.
// Twelve bytes are the three that the Server puts before a key and nine of the key, and make
// the item 16 bytes long.
type item struct {
	high uint64
	low  uint32
	ref  ref
}

func newItem(key []byte, r ref) item {
	if len(key) >= 12 {
		return item{binary.BigEndian.Uint64(key), binary.BigEndian.Uint32(key[8:]), r}
	}
	var padded [12]byte
	copy(padded[:], key)
	return item{binary.BigEndian.Uint64(padded[:]), binary.BigEndian.Uint32(padded[8:]), r}
}

// tree holds the records in the order of their keys.
type tree struct {
	btree  *btree.BTreeG[item]
	hint   btree.PathHint // where the last insert went: log rows arrive in order
	slabs  *slabs
	wanted []byte // the key that probe stands for during a call
}

func newTree(s *slabs) *tree {
	t := &tree{slabs: s}
	t.btree = btree.NewBTreeGOptions(t.less, btree.Options{NoLocks: true})
	return t
}

func (t *tree) less(a, b item) bool {
	switch {
	case a.high != b.high:
		return a.high < b.high
	case a.low != b.low:
		return a.low < b.low
	}
	return bytes.Compare(t.key(a.ref), t.key(b.ref)) < 0
}

func (t *tree) key(r ref) []byte {
	if r == probe {
		return t.wanted
	}
	return t.slabs.key(r)
}

// set adds the record r, or puts it in the place of the one with the same key.
func (t *tree) set(key []byte, r ref) { t.btree.SetHint(newItem(key, r), &t.hint) }

// remove forgets the record with this key.
func (t *tree) remove(key []byte) {
	t.wanted = key
	t.btree.Delete(newItem(key, probe))
}

// ascend calls yield for each record from start on, in order, until yield returns false.
func (t *tree) ascend(start []byte, yield func(r ref) bool) {
	t.wanted = start
	t.btree.Ascend(newItem(start, probe), func(i item) bool { return yield(i.ref) })
}

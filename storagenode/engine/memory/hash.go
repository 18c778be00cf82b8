package memory

// table maps the 32-bit hash of a key to its record by open addressing with linear probing. A slot
// is hash<<32 | ref, so growing needs no look at the records; an empty slot is zero. Keys are
// compared by the caller.
type table struct {
	slots []uint64
	used  int
}

// minSlots is the size of an empty table; sizes are powers of two.
const minSlots = 1 << 10

func newTable() table { return table{slots: make([]uint64, minSlots)} }

// mask cuts a hash to the position where its slot belongs.
func (t *table) mask() uint32 { return uint32(len(t.slots) - 1) }

// find returns the position of the slot of the record with this key and hash, or -1.
func (t *table) find(hash uint32, key []byte, s *slabs) int {
	mask := t.mask()
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot == 0 {
			return -1
		}
		if uint32(slot>>32) == hash && string(s.key(ref(slot))) == string(key) {
			return int(i)
		}
	}
}

func (t *table) ref(at int) ref { return ref(t.slots[at]) }

// move changes the record that a slot names; its key is the same.
func (t *table) move(at int, r ref) { t.slots[at] = t.slots[at]&^(1<<32-1) | uint64(r) }

// insert adds a record whose key is not in the table.
func (t *table) insert(hash uint32, r ref) {
	// At three quarters full a search that fails looks at about eight slots: one cache line.
	if t.used >= len(t.slots)/4*3 {
		t.grow()
	}
	t.place(uint64(hash)<<32 | uint64(r))
	t.used++
}

func (t *table) place(slot uint64) {
	mask := t.mask()
	i := uint32(slot>>32) & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = slot
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	for _, slot := range old {
		if slot != 0 {
			t.place(slot)
		}
	}
}

// remove empties a slot and closes the gap, so that no marker of deleted slots is needed: a later
// slot moves up unless that would put it before the place where its hash belongs.
func (t *table) remove(at int) {
	mask, gap := t.mask(), uint32(at)
	for i := (gap + 1) & mask; t.slots[i] != 0; i = (i + 1) & mask {
		home := uint32(t.slots[i]>>32) & mask
		if (i-home)&mask >= (i-gap)&mask {
			t.slots[gap] = t.slots[i]
			gap = i
		}
	}
	t.slots[gap] = 0
	t.used--
}

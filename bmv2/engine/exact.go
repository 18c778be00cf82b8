package engine

import "math/bits"

// exactIndex is an immutable hash table with open addressing. Its slots stand in small pages
// behind a directory: an update copies the directory and one page instead of everything.
//
// A slot is found by a 64-bit word: the whole key where it fits (packed), else a hash of it, in
// which case the caller compares the key as well.
type exactIndex struct {
	pages []*exactPage // a power of two
	shift uint         // turns a spread word into a slot number
	used  int          // slots that are not empty, removed ones included
	live  int
}

const pageSlots = 32

type exactPage [pageSlots]exactSlot

type exactSlot struct {
	word uint64
	e    *Entry // nil: empty; removed: was deleted
}

// removed keeps probe sequences intact where an entry was deleted.
var removed = &Entry{}

// spread distributes words over slots: multiplication by 2^64 / golden ratio, upper bits.
func spread(w uint64) uint64 { return (w ^ w>>32) * 0x9e3779b97f4a7c15 }

func newExactIndex(pages int) *exactIndex {
	x := &exactIndex{pages: make([]*exactPage, pages)}
	for i := range x.pages {
		x.pages[i] = new(exactPage)
	}
	x.shift = uint(64 - bits.TrailingZeros(uint(pages*pageSlots)))
	return x
}

// find returns the entry with the given word and, unless packed, key; nil if there is none.
func (x *exactIndex) find(word uint64, key []byte) *Entry {
	last := len(x.pages)*pageSlots - 1
	for i := int(spread(word) >> x.shift); ; i = (i + 1) & last {
		s := &x.pages[i/pageSlots][i%pageSlots]
		if s.e == nil {
			return nil
		}
		if s.word == word && s.e != removed && (key == nil || string(s.e.key) == string(key)) {
			return s.e
		}
	}
}

// with returns a table in which e has replaced an entry with the same key or was added.
func (x *exactIndex) with(word uint64, e *Entry) *exactIndex {
	out := x.copyDirectory()
	if 4*(x.used+1) > 3*len(x.pages)*pageSlots {
		out = x.rehashed()
	}
	i, old := out.slotFor(word, e.key)
	page := out.copyPage(i / pageSlots)
	if old == nil {
		out.used++
	}
	if old == nil || old == removed {
		out.live++
	}
	page[i%pageSlots] = exactSlot{word, e}
	return out
}

// without returns a table that lacks the entry with the given word and key.
func (x *exactIndex) without(word uint64, key []byte) *exactIndex {
	i, old := x.slotFor(word, key)
	if old == nil || old == removed {
		return x
	}
	out := x.copyDirectory()
	out.copyPage(i / pageSlots)[i%pageSlots] = exactSlot{word, removed}
	out.live--
	return out
}

// slotFor finds the slot of a key, or the one where it would be inserted.
func (x *exactIndex) slotFor(word uint64, key []byte) (int, *Entry) {
	last := len(x.pages)*pageSlots - 1
	free := -1
	for i := int(spread(word) >> x.shift); ; i = (i + 1) & last {
		s := &x.pages[i/pageSlots][i%pageSlots]
		switch {
		case s.e == nil && free >= 0:
			return free, removed
		case s.e == nil:
			return i, nil
		case s.e == removed:
			if free < 0 {
				free = i
			}
		case s.word == word && string(s.e.key) == string(key):
			return i, s.e
		}
	}
}

func (x *exactIndex) copyDirectory() *exactIndex {
	out := *x
	out.pages = append([]*exactPage(nil), x.pages...)
	return &out
}

func (x *exactIndex) copyPage(i int) *exactPage {
	p := *x.pages[i]
	x.pages[i] = &p
	return &p
}

// rehashed returns a table without removed slots that is at most half full.
func (x *exactIndex) rehashed() *exactIndex {
	pages := 1
	for pages*pageSlots < 2*(x.live+1) {
		pages *= 2
	}
	out := newExactIndex(pages)
	for _, p := range x.pages {
		for _, s := range p {
			if s.e != nil && s.e != removed {
				i, _ := out.slotFor(s.word, s.e.key)
				out.pages[i/pageSlots][i%pageSlots] = s
				out.used++
			}
		}
	}
	out.live = out.used
	return out
}

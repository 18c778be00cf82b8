package engine

import "math/bits"

// paged is an immutable hash table with open addressing. Its slots stand in small pages behind a
// directory: an update copies the directory and one page instead of everything, and an [Editor]
// copies each of them once for a whole batch.
//
// A slot is found by a 64-bit word; whoever files several values under one word has to tell them
// apart. What is found in which slot is decided by the caller, see [paged.slot].
type paged[T any] struct {
	pages []*page[T] // a power of two
	shift uint       // turns a spread word into a slot number
	used  int        // slots that are not empty, removed ones included
	live  int
	owner *edit // who may change the directory and the counts
}

const pageSlots = 32

type page[T any] struct {
	slots [pageSlots]slot[T]
	owner *edit
}

// slot is empty when it has neither a value nor the mark.
type slot[T any] struct {
	word uint64
	v    *T // nil: empty or removed
}

// removedWord in a slot without a value keeps probe sequences intact where one was deleted.
const removedWord = 1

func (s *slot[T]) empty() bool { return s.v == nil && s.word == 0 }

// spread distributes words over slots: multiplication by 2^64 / golden ratio, upper bits.
func spread(w uint64) uint64 { return (w ^ w>>32) * 0x9e3779b97f4a7c15 }

func newPaged[T any](ed *edit, pages int) *paged[T] {
	x := &paged[T]{pages: make([]*page[T], pages), owner: ed}
	for i := range x.pages {
		x.pages[i] = &page[T]{owner: ed}
	}
	x.shift = uint(64 - bits.TrailingZeros(uint(pages*pageSlots)))
	return x
}

// first returns the slot number where the search for a word begins; mask wraps the next ones.
func (x *paged[T]) first(word uint64) (i, mask int) {
	return int(spread(word) >> x.shift), len(x.pages)*pageSlots - 1
}

func (x *paged[T]) at(i int) *slot[T] { return &x.pages[i/pageSlots].slots[i%pageSlots] }

// edited returns a table that ed may change: x itself or a copy.
func (x *paged[T]) edited(ed *edit) *paged[T] {
	if x.owner == ed {
		return x
	}
	out := *x
	out.pages, out.owner = append([]*page[T](nil), x.pages...), ed
	return &out
}

// set fills a slot of a table that ed may change.
func (x *paged[T]) set(ed *edit, i int, s slot[T]) {
	p := x.pages[i/pageSlots]
	if p.owner != ed {
		c := *p
		c.owner = ed
		p, x.pages[i/pageSlots] = &c, &c
	}
	p.slots[i%pageSlots] = s
}

// slot finds where the value of a word stands for which same holds, or where it would be filed;
// found tells which.
func (x *paged[T]) slot(word uint64, same func(*T) bool) (i int, found bool) {
	i, mask := x.first(word)
	for free := -1; ; i = (i + 1) & mask {
		s := x.at(i)
		switch {
		case s.v != nil:
			if s.word == word && same(s.v) {
				return i, true
			}
		case s.word != removedWord && free >= 0:
			return free, false
		case s.word != removedWord:
			return i, false
		case free < 0:
			free = i
		}
	}
}

// with returns a table in which v has replaced the value of the word for which same holds, or was
// added.
func (x *paged[T]) with(ed *edit, word uint64, v *T, same func(*T) bool) *paged[T] {
	if 4*(x.used+1) > 3*len(x.pages)*pageSlots {
		x = x.rehashed(ed)
	}
	x = x.edited(ed)
	i, found := x.slot(word, same)
	if !found {
		x.live++
		if x.at(i).empty() {
			x.used++
		}
	}
	x.set(ed, i, slot[T]{word, v})
	return x
}

// without returns a table that lacks the value of the word for which same holds.
func (x *paged[T]) without(ed *edit, word uint64, same func(*T) bool) *paged[T] {
	i, found := x.slot(word, same)
	if !found {
		return x
	}
	x = x.edited(ed)
	x.set(ed, i, slot[T]{word: removedWord})
	x.live--
	if len(x.pages) > 1 && 16*x.live < len(x.pages)*pageSlots {
		return x.rehashed(ed)
	}
	return x
}

// rehashed returns a table without removed slots that is at most half full.
func (x *paged[T]) rehashed(ed *edit) *paged[T] {
	pages := 1
	for pages*pageSlots < 2*(x.live+1) {
		pages *= 2
	}
	out := newPaged[T](ed, pages)
	for v := range x.all() {
		i, mask := out.first(v.word)
		for ; out.at(i).v != nil; i = (i + 1) & mask {
		}
		*out.at(i) = v
	}
	out.used, out.live = x.live, x.live
	return out
}

// all goes through the slots with a value.
func (x *paged[T]) all() func(yield func(slot[T]) bool) {
	return func(yield func(slot[T]) bool) {
		for _, p := range x.pages {
			for _, s := range p.slots {
				if s.v != nil && !yield(s) {
					return
				}
			}
		}
	}
}

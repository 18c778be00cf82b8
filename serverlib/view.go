package serverlib

import (
	"bytes"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// view is the committed state of a tail whose engine is ahead of it (I7): for every record that has
// updates which are not committed yet, it keeps what the record was before them. So a read never
// waits for a disk, and never sees what may still be lost.
//
// The obvious alternative, to let reads wait, starves them on a record that is written all the
// time, because when one update commits the next is already in the engine.
//
// A tail that has just started, or just become tail, holds updates of which it cannot tell whether
// they were acknowledged before. The state before such an update may be old news to some client, so
// it is shown to nobody; the update itself is, when it is known to be committed.
type view struct {
	shadows []shadow // the one of the update at seq stands at seq modulo len, a power of two
	base    kv.Seq   // updates up to base are committed
	last    kv.Seq   // newest update that is not; base if there is none
	doubt   kv.Seq   // updates up to it may have been acknowledged, whatever is known of them here
	oldest  map[uint64]kv.Seq
}

// shadow is one update that is not committed. Updates of one record form a list; only its first,
// the oldest, has what the record was before.
type shadow struct {
	hash   uint64
	key    []byte
	next   kv.Seq // the next update of the same record, 0 if none
	newest kv.Seq // in the oldest: the last of the list
	known  bool   // what follows is meant
	had    bool   // there was a record,
	before []byte // with this version and value
}

const initialShadows = 16

func (v *view) at(seq kv.Seq) *shadow { return &v.shadows[int(seq)&(len(v.shadows)-1)] }

func (v *view) empty() bool { return v.last == v.base }

// reset forgets everything.
func (v *view) reset() {
	v.base, v.last, v.doubt = 0, 0, 0
	clear(v.oldest)
}

// addDoubtful notes that the update at seq, the next, may be committed already.
func (v *view) addDoubtful(seq kv.Seq, key []byte) {
	v.add(seq, key)
	v.doubt = seq
}

// add notes that the update at seq, the next, changes key. The result is not nil if the caller
// must set what the record was before it.
func (v *view) add(seq kv.Seq, key []byte) *shadow {
	if v.empty() {
		v.base, v.last = seq-1, seq-1
	}
	if int(v.last-v.base) == len(v.shadows) {
		v.grow()
	}
	v.last = seq
	s := v.at(seq)
	*s = shadow{key: append(s.key[:0], key...), before: s.before[:0]}
	if len(key) == 0 {
		return nil
	}
	s.hash = xxh3.Hash(key)
	first, ok := v.oldest[s.hash]
	if !ok {
		v.oldest[s.hash] = seq
		s.newest = seq
		return s
	}
	v.at(v.at(first).newest).next = seq
	v.at(first).newest = seq
	return nil
}

func (v *view) grow() {
	if v.oldest == nil {
		v.oldest = map[uint64]kv.Seq{}
	}
	bigger := make([]shadow, max(initialShadows, 2*len(v.shadows)))
	for seq := v.base + 1; seq <= v.last; seq++ {
		bigger[int(seq)&(len(bigger)-1)] = *v.at(seq)
	}
	v.shadows = bigger
}

// commit removes the oldest update, if it is the one at seq.
func (v *view) commit(seq kv.Seq, e wire.ChainEntry) {
	if v.empty() || seq != v.base+1 {
		return
	}
	v.base = seq
	s := v.at(seq)
	switch {
	case len(s.key) == 0:
	case s.next == 0:
		delete(v.oldest, s.hash)
	default:
		v.oldest[s.hash] = s.next
		next := v.at(s.next)
		next.newest = s.newest
		if s.next <= v.doubt || !bytes.Equal(next.key, s.key) {
			return // unknown until it is committed; so is the second of two records of one hash
		}
		next.known, next.had = true, e.Effect() == wire.EffectPut
		if next.had {
			next.before = appendRecord(next.before[:0], kv.Version(seq), e.Value())
		}
	}
}

// find returns what shadows a record, nil if its state in the engine is committed.
func (v *view) find(key []byte) *shadow {
	if v.empty() {
		return nil
	}
	seq, ok := v.oldest[xxh3.Hash(key)]
	if !ok {
		return nil
	}
	s := v.at(seq)
	if !bytes.Equal(s.key, key) {
		return &shadow{} // another record of the same hash: unknown
	}
	return s
}

// each calls yield once for each record that is shadowed, and perhaps again, as unknown, for one that
// shares its hash with another.
func (v *view) each(yield func(s *shadow)) {
	for seq := v.base + 1; seq <= v.last; seq++ {
		s := v.at(seq)
		switch oldest := v.oldest[s.hash]; {
		case len(s.key) == 0:
		case oldest == seq:
			yield(s)
		case !bytes.Equal(v.at(oldest).key, s.key):
			yield(&shadow{key: s.key})
		}
	}
}

// between returns what shadows the records of start <= key < end, in ascending order; an empty end
// means no bound. known is false if one of them is not known.
func (v *view) between(start, end []byte) (found []*shadow, known bool) {
	for seq := v.base + 1; seq <= v.last; seq++ {
		s := v.at(seq)
		if len(s.key) == 0 || bytes.Compare(s.key, start) < 0 ||
			len(end) > 0 && bytes.Compare(s.key, end) >= 0 {
			continue
		}
		switch oldest := v.oldest[s.hash]; {
		case oldest == seq && !s.known, oldest != seq && !bytes.Equal(v.at(oldest).key, s.key):
			return nil, false
		case oldest == seq:
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *shadow) int { return bytes.Compare(a.key, b.key) })
	return found, true
}

package turbokvtest

import (
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// copies knows which copies of sub-ranges the mishaps have destroyed. It watches what the controller
// commits, and judges: a copy that is whole must not be given up while none of those that remain is.
type copies struct {
	c         *Cluster
	destroyed map[copyOf]time.Duration // and when the controller can know
	// unproven are members that were learners and have not served yet: they may lack what their
	// predecessor acknowledged last (I6), so they are no copies before that.
	unproven map[copyOf]bool
}

// copyOf names the copy of a sub-range at a node.
type copyOf struct {
	subRange kv.SubRangeID
	node     kv.NodeID
}

// How long after the destruction of a copy the controller may still believe in it: until it hears
// that the session is over, or has missed two beats.
const (
	soonKnown = 10 * time.Millisecond
	lateKnown = 300 * time.Millisecond
)

func newCopies(c *Cluster) *copies {
	return &copies{c: c, destroyed: map[copyOf]time.Duration{}, unproven: map[copyOf]bool{}}
}

// destroy notes that a node has lost what was in its memory, and on its disk if that was wiped. It
// may have done so without a word, because it has lost power.
func (k *copies) destroy(victim *node, disk, silent bool) {
	store, n, known := k.c.control.store, victim.id, soonKnown
	if silent || !k.c.management.open(victim.host.place, controllerPlace) {
		known = lateKnown
	}
	for id, s := range store.subRanges {
		holds := s.Chain.Position(n) >= 0 && s.Created
		if holds && (disk || store.keyspaces[s.Keyspace].Durability == kv.DurabilityMemory) {
			k.destroyed[copyOf{id, n}] = k.c.events.now + known
		}
	}
}

// gone reports whether the copy of a sub-range at a node was destroyed.
func (k *copies) gone(id kv.SubRangeID, n kv.NodeID) bool {
	_, ok := k.destroyed[copyOf{id, n}]
	return ok
}

// lost reports whether mishaps have destroyed every copy of a sub-range.
func (k *copies) lost(s directory.SubRange) bool {
	return !slices.ContainsFunc(s.Chain, func(n kv.NodeID) bool {
		return !k.gone(s.ID, n) && !k.unproven[copyOf{s.ID, n}]
	})
}

// serves notes that a replica serves: it is whole, also if an earlier one there was destroyed. (One
// that served without being whole would be found by its records, and by what clients were told.)
func (k *copies) serves(id kv.SubRangeID, n kv.NodeID) {
	delete(k.unproven, copyOf{id, n})
	delete(k.destroyed, copyOf{id, n})
}

// committed judges a change of a sub-range by the controller, and follows what it does to copies.
func (k *copies) committed(old, s directory.SubRange) {
	for _, n := range old.Chain {
		if s.Chain.Position(n) < 0 && !k.gone(s.ID, n) && k.knownLost(s) {
			k.c.failf("%v: %v was taken out of %v, and the copies of the rest %v are destroyed",
				s.ID, n, old.Chain, s.Chain)
		}
	}
	for _, n := range old.Chain { // what leaves begins anew when it comes back
		if s.Chain.Position(n) < 0 {
			delete(k.destroyed, copyOf{s.ID, n})
			delete(k.unproven, copyOf{s.ID, n})
		}
	}
	if n := old.Learner; n != 0 && s.Chain.Position(n) >= 0 {
		k.unproven[copyOf{s.ID, n}] = true
	}
	if q := s.Absorbs.SubRange; q != 0 && old.Absorbs.SubRange == 0 {
		k.inherit(q, s)
	}
}

// begun follows a new sub-range: the upper part of a split is lost where the whole was.
func (k *copies) begun(s directory.SubRange) {
	for _, n := range s.Chain { // of an earlier use of the id
		delete(k.destroyed, copyOf{s.ID, n})
		delete(k.unproven, copyOf{s.ID, n})
	}
	if s.ForkOf != 0 {
		k.inherit(s.ForkOf, s)
	}
}

func (k *copies) inherit(from kv.SubRangeID, to directory.SubRange) {
	for _, n := range to.Chain {
		if at, ok := k.destroyed[copyOf{from, n}]; ok {
			k.destroyed[copyOf{to.ID, n}] = at
		}
	}
}

// knownLost reports whether all copies are destroyed and the controller could know.
func (k *copies) knownLost(s directory.SubRange) bool {
	return !slices.ContainsFunc(s.Chain, func(n kv.NodeID) bool {
		at, ok := k.destroyed[copyOf{s.ID, n}]
		if k.unproven[copyOf{s.ID, n}] {
			return false
		}
		return !ok || k.c.events.now < at
	})
}

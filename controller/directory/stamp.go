package directory

import (
	"maps"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// This file decides when nodes may be told of an epoch, and why no two tails ever answer for one key.
//
// What can answer in an epoch is its tail alone: reads, and writes after all members have applied them.
// A node serves a sub-range in one epoch at a time and refuses all others (I1), whoever stamped them. So
// several switches may stamp different epochs of a key, and its home may move while the old one is out of
// reach. What must never be: the members of the present epoch acknowledge a write, and another node
// answers a read that a switch sends it afterwards.
//
// They acknowledge nothing before all of them have entered the present epoch. So a former tail does no
// harm as long as it is a member: either it has entered the epoch, and refuses what is stamped otherwise,
// or it has not, and the epoch can do nothing without it. (What a member that has become the tail may
// show before that is a matter of the nodes: I6, and the model of the epochs.) Nor does one that has
// acknowledged an epoch after those in which it was the tail, though it may have left since. Those that
// remain stand in Tails; Stampers are the switches that may send them reads. Therefore:
//
//   - An epoch that leaves one of Tails out is told to nobody (Untold) before every one of Stampers has
//     confirmed, by holding what the present revision or a later one asks for, that it leads there no
//     more. All other epochs are told at once.
//   - With each epoch, the tail of the last one is added to Tails, unless nobody was told that one, and
//     the new home to Stampers. It does not matter that the tail may stay: should it leave before it has
//     entered this epoch, it may still be in the last one.
//   - A node that acknowledges the present epoch is taken off Tails; that the new tail has done so is not
//     enough, since an earlier one may leave later and never have heard anything. When Tails is empty,
//     whatever other switches than the home may stamp is refused, so Stampers is the home alone.
//   - A switch that has confirmed is taken off Stampers, unless it is the home. What it says stays
//     true: rows of the sub-range come back to it only when it becomes the home again.
//
// A split leaves rows of the lower part's id that lead to the upper part: the upper one takes over
// Stampers and Tails, with the tail of the epoch that was split. A node acknowledges the upper part only
// after it has entered the epoch of the lower one that begins with the split, in which it refuses keys
// of the upper part. A merge leaves rows of the id that is gone: the one that remains takes over its
// Stampers; both had the same tail, and no other of Tails, since all had acknowledged them; a node
// acknowledges the merge only after the other is a part of it. An id that is used
// again goes on with higher epochs, and nodes look at keyspace and interval, too: old rows that lead
// to it are refused. A learner is asked by nobody.
//
// After a start of the controller, Stampers and Tails are known, because they are stored with the epoch,
// before any switch or node hears of it. What any switch holds is not, so all must confirm anew.
//
// With one switch, Stampers is that one, which replaces a row in one step. Still it may hold rows from
// before a split or merge, of another id and with an earlier chain, that lead to a part of the interval;
// when the chain changes then, requests are kept away (Blocked) until it has followed.

// guard returns a sub-range that is about to enter its next epoch with who may stamp, and answer, what is
// older, and says whether anybody must wait for that. old is as it was; s may have more Stampers.
func (d *Directory) guard(old, s SubRange) SubRange {
	unmapped := slices.Contains(old.Stampers, s.Home) &&
		d.synced[s.Home] < max(d.mappedAt[s.ID], 1)
	s.Blocked = s.Blocked || unmapped && !slices.Equal(old.Chain, s.Chain)
	s.Tails = d.askable(old)
	s.Stampers = with(s.Stampers, s.Home)
	s.Untold = len(without(s.Tails, s.Chain...)) > 0
	return s
}

// askable returns the nodes that may answer reads in the present epoch of a sub-range or an earlier one.
func (d *Directory) askable(s SubRange) []kv.NodeID {
	tails := s.Tails
	if d.confirmed(s) {
		tails = nil
	}
	if s.Untold {
		return slices.Clone(tails)
	}
	return with(tails, s.Chain.Tail())
}

// confirmed reports whether no switch leads to an earlier epoch of a sub-range.
func (d *Directory) confirmed(s SubRange) bool {
	return !slices.ContainsFunc(s.Stampers, func(name string) bool {
		return d.synced[name] < d.changed(s.ID)
	})
}

// changed returns the revision that has the present epoch of a sub-range. What was stored before the
// controller started is in the first.
func (d *Directory) changed(id kv.SubRangeID) uint64 { return max(d.changedAt[id], 1) }

// past returns the sub-range after a node has acknowledged its epoch.
func (s SubRange) past(n kv.NodeID) SubRange {
	if !slices.Contains(s.Tails, n) {
		return s
	}
	if s.Tails = without(s.Tails, n); s.Tails == nil {
		s.Stampers = []string{s.Home}
	}
	return s
}

// SwitchSynced says that a switch is within reach and holds all that View.Revision asked for.
func (d *Directory) SwitchSynced(name string, revision uint64) Effects {
	var e Effects
	if !slices.Contains(d.cfg.Switches, name) || revision > d.revision ||
		revision <= d.synced[name] {
		return e
	}
	d.synced[name], d.had[name] = revision, revision
	d.confirm(&e, name)
	d.release(&e)
	d.revokeDue(&e)
	d.publishDue(&e)
	return e
}

// SwitchLost says that a switch is out of reach: nothing is known any more of what it holds.
func (d *Directory) SwitchLost(name string) Effects {
	var e Effects
	delete(d.synced, name)
	d.revokeDue(&e) // the others may be enough
	d.publishDue(&e)
	return e
}

// reached is the revision that all switches within reach have; 0 if there is none.
func (d *Directory) reached() uint64 {
	if len(d.synced) == 0 {
		return 0
	}
	return slices.Min(slices.Collect(maps.Values(d.synced)))
}

// confirm takes a switch off Stampers wherever it leads to the sub-range no more.
func (d *Directory) confirm(e *Effects, name string) {
	for _, id := range slices.Sorted(maps.Keys(d.stamped)) {
		s, _ := d.subRanges.Get(id)
		if name != s.Home && slices.Contains(s.Stampers, name) && d.synced[name] >= d.changed(id) {
			s.Stampers = slices.DeleteFunc(slices.Clone(s.Stampers), func(other string) bool {
				return other == name
			})
			d.putSubRange(e, s)
		}
	}
}

// release goes on with what has waited long enough: nodes are told of the epoch, and requests are let
// through.
func (d *Directory) release(e *Effects) {
	raised := false
	for _, id := range slices.Sorted(maps.Keys(d.waiting)) {
		s, _ := d.subRanges.Get(id)
		if d.synced[s.Home] < d.changed(id) || s.Untold && !d.confirmed(s) {
			continue
		}
		if s.Blocked && !raised {
			d.revision++
			raised = true
		}
		if s.Blocked {
			d.changedAt[id] = d.revision
		}
		told := s.Untold
		if told {
			s.Tails = nil
		}
		s.Blocked, s.Untold = false, false
		d.putSubRange(e, s)
		if told {
			d.sendAll(e, s)
		}
		if of, ok := d.subRanges.Get(s.ForkOf); told && ok {
			d.sendAll(e, of) // the fork comes with it
		}
	}
}

// Settled reports whether a sub-range is at rest: every member has acknowledged the present epoch, and
// its home serves it. Then the members hold everything, and former copies are erased. Former homes have
// no say in that: whom they still lead to refuses, with a copy or without. False if there is none.
func (d *Directory) Settled(id kv.SubRangeID) bool {
	s, ok := d.subRanges.Get(id)
	return ok && len(s.Unacknowledged()) == 0 && d.Served(id)
}

// Served reports whether the home of a sub-range sends requests to the chain of the present epoch, of
// which that may know.
func (d *Directory) Served(id kv.SubRangeID) bool {
	s, ok := d.subRanges.Get(id)
	return ok && s.Created && !s.Blocked && !s.Untold && d.synced[s.Home] >= d.changed(id)
}

package directory

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// Split cuts a sub-range in two. The lower part keeps the id; the upper one begins at cut, gets the
// returned id and the same chain, and is served at once: each member makes it out of its own copy,
// in one step with the new epoch of the lower part (Forks).
//
// No write to the upper part is acknowledged before every member has done so, so rows of switches
// that still send its keys to the old epoch do no harm as long as the tail stays. So the upper part
// takes over who may stamp and who may answer.
//
// ErrInvalid: the cut is not inside. ErrCapacity: no free id, or no room in the partition table.
// ErrBusy: another change is in progress, or the home has not followed the last one.
func (d *Directory) Split(id kv.SubRangeID, cut kv.IndexKey) (kv.SubRangeID, Effects, error) {
	s, _, err := d.calm(id)
	if err == nil {
		err = d.maySplit(s, cut)
	}
	var ids []kv.SubRangeID
	if err == nil {
		ids, err = d.freeIDs(1)
	}
	if err != nil {
		return 0, Effects{}, fmt.Errorf("split of %v at %v: %w", id, cut, err)
	}
	upper := SubRange{ID: ids[0], Keyspace: s.Keyspace, Interval: s.Interval, Created: true,
		Chain: slices.Clone(s.Chain), ForkOf: id, Unforked: slices.Clone([]kv.NodeID(s.Chain))}
	upper.Interval.First = cut
	upper.Home = d.home(s.Chain)
	upper.Stampers, upper.Tails = with(s.Stampers, upper.Home), d.askable(s)
	s.Interval.Last, _ = cut.Prev()
	var e Effects
	d.begin(&e, upper) // sent to nobody alone
	d.putMeta(&e)
	d.next(&e, s)
	d.changedAt[upper.ID], d.mappedAt[upper.ID] = d.revision, d.revision
	return upper.ID, e, nil
}

func (d *Directory) maySplit(s SubRange, cut kv.IndexKey) error {
	switch {
	case !s.Interval.First.Less(cut) || s.Interval.Last.Less(cut):
		return fmt.Errorf("%w: must be above %v and at most %v", ErrInvalid, s.Interval.First,
			s.Interval.Last)
	case s.Learner != 0:
		return fmt.Errorf("%w: %v joins", ErrBusy, s.Learner)
	case !d.Served(s.ID):
		return fmt.Errorf("%w: switch %s does not serve %v yet", ErrBusy, s.Home, s.Epoch)
	}
	return d.roomFor(SplitCost(s.Interval, cut))
}

// SplitCost returns how many rows more the two parts take in the partition table; it may be 0.
func SplitCost(i kv.Interval, cut kv.IndexKey) int {
	lower, upper := i, kv.Interval{First: cut, Last: i.Last}
	lower.Last, _ = cut.Prev()
	return len(lower.Cover()) + len(upper.Cover()) - len(i.Cover())
}

// Freeze is the first half of a merge: the two neighbours order no more updates, so that their
// members come to hold the same. ErrInvalid: right is not the upper neighbour of left. ErrNotFit:
// their chains differ; Reorder or moves must come first.
func (d *Directory) Freeze(left, right kv.SubRangeID) (Effects, error) {
	l, _, err := d.calm(left)
	var r SubRange
	if err == nil {
		r, _, err = d.calm(right)
	}
	if err == nil {
		err = mayMerge(l, r)
	}
	if err == nil && (l.Learner != 0 || r.Learner != 0) {
		err = fmt.Errorf("%w: %v, %v: a node joins", ErrBusy, left, right)
	}
	if err != nil {
		return Effects{}, fmt.Errorf("freeze %v and %v: %w", left, right, err)
	}
	l.Frozen, l.Partner = true, right
	r.Frozen, r.Partner = true, left
	var e Effects
	d.nextBoth(&e, l, r)
	return e, nil
}

func mayMerge(l, r SubRange) error {
	switch {
	case !adjacent(l, r):
		return fmt.Errorf("%w: %v of keyspace %d, %v of keyspace %d: must be neighbours, the lower "+
			"one first", ErrInvalid, l.Interval, l.Keyspace, r.Interval, r.Keyspace)
	case !slices.Equal(l.Chain, r.Chain):
		return fmt.Errorf("%w: chains %v and %v: must be the same", ErrNotFit, l.Chain, r.Chain)
	}
	return nil
}

// adjacent reports whether r begins where l ends.
func adjacent(l, r SubRange) bool {
	next, more := l.Interval.Last.Next()
	return l.Keyspace == r.Keyspace && more && next == r.Interval.First
}

// nextBoth puts both halves of a pair into their next epochs, together.
func (d *Directory) nextBoth(e *Effects, l, r SubRange) {
	d.next(e, l)
	d.next(e, r)
}

// Thaw gives up a merge. ErrInvalid: the two are not frozen together.
func (d *Directory) Thaw(left, right kv.SubRangeID) (Effects, error) {
	l, r, err := d.frozen(left, right)
	if err != nil {
		return Effects{}, fmt.Errorf("thaw %v and %v: %w", left, right, err)
	}
	l.Frozen, l.Partner = false, 0
	r.Frozen, r.Partner = false, 0
	var e Effects
	d.nextBoth(&e, l, r)
	return e, nil
}

// frozen returns the two halves of a merge.
func (d *Directory) frozen(left, right kv.SubRangeID) (l, r SubRange, err error) {
	if l, err = d.living(left); err != nil {
		return l, r, err
	}
	if r, err = d.living(right); err != nil {
		return l, r, err
	}
	if !l.Frozen || l.Partner != right || !adjacent(l, r) {
		return l, r, fmt.Errorf("%w: %v is frozen with %v, %v with %v", ErrInvalid, left, l.Partner,
			right, r.Partner)
	}
	return l, r, nil
}

// Absorb is the second half of a merge: left becomes both, and right is gone. The caller knows from
// reports of all members that they hold the same at these epochs. ErrBusy: not all members have
// acknowledged them, or a home has not followed. ErrNotFit: the chains have become different;
// Thaw, and begin again.
func (d *Directory) Absorb(left, right kv.SubRangeID) (Effects, error) {
	l, r, err := d.frozen(left, right)
	if err == nil {
		err = mayMerge(l, r)
	}
	if k, _ := d.keyspaces.Get(l.Keyspace); err == nil && k.Phase == PhaseDropping {
		err = fmt.Errorf("%w: keyspace %q is being dropped", ErrNotReady, k.Name)
	}
	if err == nil && !(d.Settled(left) && d.Settled(right)) {
		err = fmt.Errorf("%w: %v and %v are not acknowledged and served by all", ErrBusy, l.Epoch,
			r.Epoch)
	}
	if err != nil {
		return Effects{}, fmt.Errorf("absorb %v into %v: %w", right, left, err)
	}
	var e Effects
	d.planWithout(&e, right)
	d.revision++
	d.retireOne(&e, r, left)
	l.Frozen, l.Partner = false, 0
	l.Interval.Last = r.Interval.Last
	l.Absorbs = kv.Absorbed{SubRange: right, Epoch: r.Epoch, Into: l.Epoch}
	l.Unabsorbed = slices.Clone([]kv.NodeID(l.Chain))
	l.Stampers = with(l.Stampers, r.Stampers...)
	d.next(&e, l)
	d.mappedAt[left] = d.revision
	return e, nil
}

package directory

import (
	"fmt"
	"maps"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// Evict takes members, or the learner, out of a sub-range. At least one member must remain. What
// they hold is kept until the others hold it for sure.
//
// Before the sub-range is Created the remaining members go on creating it: those that have begun
// keep what they have (nothing), the others begin empty, and all must acknowledge the new epoch. A
// member that has not acknowledged a split leaves both parts, because it can get the upper one only
// with the lower one, and its copy is still of both.
// ErrNotFit: nobody would remain. ErrInvalid: a node does not belong to the sub-range.
func (d *Directory) Evict(id kv.SubRangeID, nodes []kv.NodeID) (Effects, error) {
	s, err := d.living(id)
	if err != nil {
		return Effects{}, err
	}
	if len(nodes) == 0 {
		return Effects{}, fmt.Errorf("evict from %v: %w: no node is named", id, ErrInvalid)
	}
	other, unforked := d.otherPart(s)
	both, upper := false, s.ForkOf != 0
	for _, n := range nodes {
		holds := s.Interval
		if slices.Contains(unforked, n) {
			both, holds = true, s.Interval.Hull(other.Interval)
			if other, err = other.leave(n, holds); err != nil {
				return Effects{}, err
			}
		}
		if s, err = s.leave(n, holds); err != nil {
			return Effects{}, err
		}
	}
	var e Effects
	if upper { // the upper part first, because it is sent with the lower one
		s, other = other, s
	}
	if both || upper {
		d.next(&e, other)
	}
	if both || !upper {
		d.next(&e, s)
	}
	return e, nil
}

// otherPart returns the other half of a split that is not over, and who has not acknowledged it.
func (d *Directory) otherPart(s SubRange) (other SubRange, unforked []kv.NodeID) {
	if upper, ok := d.fork(s.ID); ok {
		return upper, upper.Unforked
	}
	lower, _ := d.subRanges.Get(s.ForkOf)
	return lower, s.Unforked
}

// leave returns the sub-range without a node, which becomes a former one that holds so much.
func (s SubRange) leave(n kv.NodeID, holds kv.Interval) (SubRange, error) {
	at := s.Chain.Position(n)
	switch {
	case n != 0 && n == s.Learner:
		s.Learner, s.LearnerSince = 0, 0
	case at < 0:
		return s, fmt.Errorf("%v: %w: %v does not belong to it; members are %v, learner %v", s.ID,
			ErrInvalid, n, s.Chain, s.Learner)
	case len(s.Chain) == 1:
		return s, fmt.Errorf("%v: %w: %v is the last member", s.ID, ErrNotFit, n)
	default:
		s.Chain = slices.Delete(slices.Clone(s.Chain), at, at+1)
		s.Since = slices.Delete(slices.Clone(s.Since), at, at+1)
	}
	s = s.forked(n).absorbed(n)
	s.Former = append(slices.Clone(s.Former), Former{Node: n, Epoch: s.Epoch, Interval: holds})
	return s, nil
}

// forked and absorbed return the sub-range without what a node owed to a split or a merge.
func (s SubRange) forked(n kv.NodeID) SubRange {
	if s.Unforked = without(s.Unforked, n); s.Unforked == nil {
		s.ForkOf = 0
	}
	return s
}

func (s SubRange) absorbed(n kv.NodeID) SubRange {
	if s.Unabsorbed = without(s.Unabsorbed, n); s.Unabsorbed == nil {
		s.Absorbs = kv.Absorbed{}
	}
	return s
}

// AddLearner lets a node begin to join. ErrBusy: somebody else joins, a split or a merge is in
// progress, or the node has not erased an older copy of a part of this interval, which would
// survive below the new one. ErrNotFit: the node is a member, is being drained, or forgets what it
// must keep.
func (d *Directory) AddLearner(id kv.SubRangeID, node kv.NodeID) (Effects, error) {
	s, k, err := d.calm(id)
	if err == nil && s.Learner != 0 {
		err = fmt.Errorf("%w: %v joins already", ErrBusy, s.Learner)
	}
	if err == nil {
		err = d.mayJoin(s, k, node)
	}
	if err != nil {
		return Effects{}, fmt.Errorf("join of %v to %v: %w", node, id, err)
	}
	s.Learner, s.LearnerSince = node, s.Epoch+1
	s = s.withoutFormer(node)
	var e Effects
	d.next(&e, s)
	return e, nil
}

// MayJoin tells why AddLearner would refuse a node now, or returns nil.
func (d *Directory) MayJoin(id kv.SubRangeID, node kv.NodeID) error {
	s, k, err := d.calm(id)
	if err == nil && s.Learner != 0 {
		err = fmt.Errorf("%w: %v joins already", ErrBusy, s.Learner)
	}
	if err == nil {
		err = d.mayJoin(s, k, node)
	}
	return err
}

// mayJoin tells what speaks against a node as a learner.
func (d *Directory) mayJoin(s SubRange, k Keyspace, node kv.NodeID) error {
	n, ok := d.nodes.Get(node)
	switch {
	case !ok:
		return fmt.Errorf("node: %w", ErrNotFound)
	case s.Chain.Position(node) >= 0:
		return fmt.Errorf("%w: it is a member of %v", ErrNotFit, s.Chain)
	case n.Draining:
		return fmt.Errorf("%w: the node is being drained", ErrNotFit)
	case !n.Persistent && k.Durability == kv.DurabilitySync:
		return fmt.Errorf("%w: sync durability needs a persistent engine", ErrNotFit)
	}
	for _, id := range slices.Sorted(maps.Keys(d.leaving)) {
		if d.mayOverlap(id, node, s) {
			return fmt.Errorf("%w: the node has not erased %v", ErrBusy, id)
		}
	}
	return nil
}

// mayOverlap reports whether a node may still hold a copy of a part of s that would outlive the
// beginning of a join: one under another id, or one of s from when it was larger.
func (d *Directory) mayOverlap(id kv.SubRangeID, node kv.NodeID, s SubRange) bool {
	if r, ok := d.retired.Get(id); ok {
		into, _ := d.subRanges.Get(r.Into)
		return r.Into != 0 && into.Keyspace == s.Keyspace && r.Interval.Overlaps(s.Interval) &&
			slices.Contains(r.Pending, node)
	}
	other, _ := d.subRanges.Get(id)
	return other.Keyspace == s.Keyspace && slices.ContainsFunc(other.Former, func(f Former) bool {
		return f.Node == node && f.Interval.Overlaps(s.Interval) &&
			(id != s.ID || s.Interval.Hull(f.Interval) != s.Interval)
	})
}

// DropLearner gives up a join.
func (d *Directory) DropLearner(id kv.SubRangeID) (Effects, error) {
	s, err := d.living(id)
	if err == nil && s.Learner == 0 {
		err = fmt.Errorf("%v: %w: nobody joins", id, ErrInvalid)
	}
	if err != nil {
		return Effects{}, err
	}
	return d.Evict(id, []kv.NodeID{s.Learner})
}

// Promote makes the learner the tail; the caller knows from its reports that it has joined. If
// leave is not 0, that member leaves in the same step. ErrBusy: the learner has not acknowledged
// the epoch. ErrNotFit: the learner would be alone, or the chain too long.
func (d *Directory) Promote(id kv.SubRangeID, leave kv.NodeID) (Effects, error) {
	s, _, err := d.calm(id)
	if err == nil {
		err = s.mayPromote(leave)
	}
	if err == nil && leave != 0 {
		s, err = s.leave(leave, s.Interval)
	}
	if err == nil && len(s.Chain) == kv.MaxChain {
		err = fmt.Errorf("%w: %d members are the most", ErrNotFit, kv.MaxChain)
	}
	if err != nil {
		return Effects{}, fmt.Errorf("promotion in %v: %w", id, err)
	}
	s.Chain = append(slices.Clone(s.Chain), s.Learner)
	s.Since = append(slices.Clone(s.Since), s.LearnerSince)
	s.Learner, s.LearnerSince = 0, 0
	var e Effects
	d.next(&e, s)
	return e, nil
}

func (s SubRange) mayPromote(leave kv.NodeID) error {
	switch {
	case s.Learner == 0:
		return fmt.Errorf("%w: nobody joins", ErrInvalid)
	case leave == s.Learner:
		return fmt.Errorf("%w: %v cannot join and leave", ErrInvalid, leave)
	case !slices.Contains(s.Acked, s.Learner):
		return fmt.Errorf("%w: %v has not acknowledged %v", ErrBusy, s.Learner, s.Epoch)
	}
	return nil
}

// Reorder makes the members change places. ErrInvalid: they are not the same, or nothing changes.
func (d *Directory) Reorder(id kv.SubRangeID, chain kv.Chain) (Effects, error) {
	s, _, err := d.calm(id)
	if err == nil && s.Learner != 0 {
		err = fmt.Errorf("%w: %v joins", ErrBusy, s.Learner)
	}
	if err == nil && !samePlaces(chain, s.Chain) || err == nil && slices.Equal(chain, s.Chain) {
		err = fmt.Errorf("%w: %v: must be another order of %v", ErrInvalid, chain, s.Chain)
	}
	if err != nil {
		return Effects{}, fmt.Errorf("reorder %v: %w", id, err)
	}
	since := make([]kv.Epoch, len(chain))
	for i, n := range chain {
		since[i] = s.since(n)
	}
	s.Chain, s.Since = slices.Clone(chain), since
	var e Effects
	d.next(&e, s)
	return e, nil
}

// BeginAgain lets members of a sub-range that is still being created begin empty once more, in a new
// epoch, because one has lost what it had begun with. No request was ever sent to it. ErrNotFit: it has
// been created.
func (d *Directory) BeginAgain(id kv.SubRangeID) (Effects, error) {
	s, err := d.living(id)
	if err == nil && s.Created {
		err = fmt.Errorf("%w: it has been created, and may not begin empty", ErrNotFit)
	}
	if err != nil {
		return Effects{}, fmt.Errorf("begin %v again: %w", id, err)
	}
	var e Effects
	d.next(&e, s)
	return e, nil
}

// samePlaces reports whether two chains have the same members.
func samePlaces(a, b kv.Chain) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// living returns a sub-range that exists.
func (d *Directory) living(id kv.SubRangeID) (SubRange, error) {
	s, ok := d.subRanges.Get(id)
	if !ok {
		return s, fmt.Errorf("%v: %w", id, ErrNotFound)
	}
	return s, nil
}

// calm returns a sub-range that is not in the middle of a creation, split, merge or drop.
func (d *Directory) calm(id kv.SubRangeID) (SubRange, Keyspace, error) {
	s, err := d.living(id)
	if err != nil {
		return s, Keyspace{}, err
	}
	k, _ := d.keyspaces.Get(s.Keyspace)
	fork, forked := d.fork(id)
	switch {
	case !s.Created:
		return s, k, fmt.Errorf("%w: it is being created", ErrNotReady)
	case k.Phase == PhaseDropping:
		return s, k, fmt.Errorf("%w: keyspace %q is being dropped", ErrNotReady, k.Name)
	case s.Frozen:
		return s, k, fmt.Errorf("%w: it merges with %v", ErrBusy, s.Partner)
	case len(s.Unforked) > 0:
		return s, k, fmt.Errorf("%w: %v must be cut off %v", ErrBusy, s.Unforked, s.ForkOf)
	case forked:
		return s, k, fmt.Errorf("%w: %v must cut off %v", ErrBusy, fork.Unforked, fork.ID)
	case len(s.Unabsorbed) > 0:
		return s, k, fmt.Errorf("%w: %v must absorb %v", ErrBusy, s.Unabsorbed, s.Absorbs.SubRange)
	}
	return s, k, nil
}

// next puts a changed sub-range into its next epoch: nobody has acknowledged that, its home, and
// switches that had it before, have to learn it, and all who belong to it are told, at once or when
// that is safe (see stamp.go).
func (d *Directory) next(e *Effects, s SubRange) {
	old, _ := d.subRanges.Get(s.ID)
	s.Home = d.home(s.Chain)
	if s.Created {
		s = d.guard(old, s)
	} else {
		s.Stampers = []string{s.Home}
	}
	s.Epoch++
	s.Acked = nil
	d.revision++
	d.changedAt[s.ID] = d.revision
	d.putSubRange(e, s)
	d.sendAll(e, s)
}

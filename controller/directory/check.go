package directory

import (
	"errors"
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// Check verifies every invariant of the records. It names the first that is broken: the last word
// on what a directory may look like, run over everything that is loaded.
func (r records) Check() error {
	var err error
	r.nodes.Scan(func(_ kv.NodeID, n Node) bool {
		err = checkNode(n)
		return err == nil
	})
	if err != nil {
		return err
	}
	names := make(map[string]bool)
	r.keyspaces.Scan(func(_ kv.KeyspaceID, k Keyspace) bool {
		err = r.checkKeyspace(k, names)
		return err == nil
	})
	if err != nil {
		return err
	}
	r.subRanges.Scan(func(_ kv.SubRangeID, s SubRange) bool {
		err = r.checkSubRange(s)
		return err == nil
	})
	if err != nil {
		return err
	}
	if err := r.checkRetired(); err != nil {
		return err
	}
	for _, p := range r.Plans() {
		if err := r.checkPlan(p); err != nil || p.ID >= r.meta.NextPlan {
			return fmt.Errorf("%w: plan %d, below %d: %v", ErrInvalid, p.ID, r.meta.NextPlan, err)
		}
	}
	return nil
}

// checkKeyspace also proves that the sub-ranges cover the line without gap or overlap.
func (r records) checkKeyspace(k Keyspace, names map[string]bool) error {
	if names[k.Name] || checkName(k.Name) != nil {
		return fmt.Errorf("%w: keyspace %d: name %q is taken or malformed", ErrInvalid, k.ID,
			k.Name)
	}
	names[k.Name] = true
	if k.Phase < PhaseCreating || k.Phase > PhaseDropping {
		return fmt.Errorf("%w: keyspace %q: %v", ErrInvalid, k.Name, k.Phase)
	}
	want, more := kv.MinIndexKey, true
	for _, s := range r.SubRangesOf(k.ID) {
		if !more || s.Interval.First != want || s.Interval.Last.Less(s.Interval.First) {
			return fmt.Errorf("%w: keyspace %q: %v has %v, expected it to start at %v", ErrInvalid,
				k.Name, s.ID, s.Interval, want)
		}
		want, more = s.Interval.Last.Next()
	}
	if more {
		return fmt.Errorf("%w: keyspace %q: nothing covers %v and up", ErrInvalid, k.Name, want)
	}
	return nil
}

func (r records) checkSubRange(s SubRange) error {
	k, ok := r.keyspaces.Get(s.Keyspace)
	if !ok {
		return fmt.Errorf("%w: %v: there is no keyspace %d", ErrInvalid, s.ID, s.Keyspace)
	}
	if err := s.Assignment(k, s.Chain.Head()).Validate(); err != nil {
		return fmt.Errorf("%w: %v", ErrInvalid, err)
	}
	if _, gone := r.retired.Get(s.ID); gone || s.ID >= r.meta.NextSubRange {
		return fmt.Errorf("%w: %v is in use and free at once", ErrInvalid, s.ID)
	}
	for _, n := range s.nodes() {
		if _, ok := r.nodes.Get(n); !ok {
			return fmt.Errorf("%w: %v: %v is not known", ErrInvalid, s.ID, n)
		}
	}
	if at := notIn(s.Acked, s.nodes()); at != 0 {
		return fmt.Errorf("%w: %v: acknowledged by %v, members %v", ErrInvalid, s.ID, s.Acked,
			s.Chain)
	}
	return errors.Join(s.checkMembers(), s.checkStampers(), r.checkFormer(s), r.checkFork(s),
		r.checkMerge(s))
}

// checkMembers proves what must be true of a sub-range by itself.
func (s SubRange) checkMembers() error {
	if len(s.Since) != len(s.Chain) {
		return fmt.Errorf("%w: %v: chain %v since %v", ErrInvalid, s.ID, s.Chain, s.Since)
	}
	for i, since := range s.Since {
		if since == 0 || since > s.Epoch {
			return fmt.Errorf("%w: %v: %v is a member since %v, now is %v", ErrInvalid, s.ID,
				s.Chain[i], since, s.Epoch)
		}
	}
	if (s.Learner == 0) != (s.LearnerSince == 0) || s.LearnerSince > s.Epoch {
		return fmt.Errorf("%w: %v: learner %v since %v, now is %v", ErrInvalid, s.ID, s.Learner,
			s.LearnerSince, s.Epoch)
	}
	busy := s.Frozen || s.ForkOf != 0 || s.Absorbs != kv.Absorbed{}
	if s.Learner != 0 && busy || !s.Created && (busy || s.Learner != 0 || s.Blocked || s.Untold) ||
		s.Untold && len(s.Acked) > 0 {
		return fmt.Errorf("%w: %v: two changes at once, one before it is created, or one "+
			"acknowledged before it was told: %+v",
			ErrInvalid, s.ID, s)
	}
	return nil
}

// checkStampers proves that whoever may be asked for what it does not know is waited for.
func (s SubRange) checkStampers() error {
	gone, acked := without(s.Tails, s.Chain...), without(s.Tails, s.Acked...)
	switch {
	case !slices.Contains(s.Stampers, s.Home) || repeats(s.Stampers):
		return fmt.Errorf("%w: %v: home %q, stamped by %q: it must be one of them", ErrInvalid, s.ID,
			s.Home, s.Stampers)
	case !s.Created && len(s.Stampers)+len(s.Tails) > 1:
		return fmt.Errorf("%w: %v: stamped by %q and answered by %v before it is created", ErrInvalid,
			s.ID, s.Stampers, s.Tails)
	case repeats(s.Tails) || len(acked) < len(s.Tails) || !s.Untold && len(gone) > 0:
		return fmt.Errorf("%w: %v with %v, acknowledged by %v, untold %v: answered by %v", ErrInvalid,
			s.ID, s.Chain, s.Acked, s.Untold, s.Tails)
	}
	return nil
}

func repeats[T comparable](list []T) bool {
	for i, v := range list {
		if slices.Contains(list[:i], v) {
			return true
		}
	}
	return false
}

// checkFormer proves that nobody is to erase what it must have.
func (r records) checkFormer(s SubRange) error {
	for i, f := range s.Former {
		_, known := r.nodes.Get(f.Node)
		twice := slices.ContainsFunc(s.Former[:i], func(g Former) bool { return g.Node == f.Node })
		if !known || twice || s.belongs(f.Node) || f.Epoch == 0 || f.Epoch >= s.Epoch {
			return fmt.Errorf("%w: %v: former member %v until %v; now %v with %v and learner %v",
				ErrInvalid, s.ID, f.Node, f.Epoch, s.Epoch, s.Chain, s.Learner)
		}
	}
	return nil
}

// checkFork proves that everybody who still has to make a fork can be told.
func (r records) checkFork(s SubRange) error {
	if s.ForkOf == 0 && len(s.Unforked) == 0 {
		return nil
	}
	of, ok := r.subRanges.Get(s.ForkOf)
	if !ok || of.Keyspace != s.Keyspace || of.Learner != 0 || of.ForkOf != 0 || of.Frozen ||
		len(s.Unforked) == 0 || notIn(s.Unforked, s.Chain) != 0 ||
		notIn(s.Unforked, of.Chain) != 0 {
		return fmt.Errorf("%w: %v with %v is a fork of %v with %v, not made by %v", ErrInvalid,
			s.ID, s.Chain, s.ForkOf, of.Chain, s.Unforked)
	}
	return nil
}

// checkMerge proves that frozen sub-ranges are pairs, and that whoever has not absorbed a
// neighbour is told to do so, and not to erase it.
func (r records) checkMerge(s SubRange) error {
	if other, ok := r.subRanges.Get(s.Partner); s.Frozen != (s.Partner != 0) ||
		s.Frozen && (!ok || other.Partner != s.ID || !adjacent(s, other) && !adjacent(other, s)) {
		return fmt.Errorf("%w: %v: frozen %v with %v, which is frozen with %v", ErrInvalid, s.ID,
			s.Frozen, s.Partner, other.Partner)
	}
	if s.Absorbs == (kv.Absorbed{}) && len(s.Unabsorbed) == 0 {
		return nil
	}
	gone, ok := r.retired.Get(s.Absorbs.SubRange)
	if !ok || gone.Into != s.ID || gone.Epoch != s.Absorbs.Epoch || s.Absorbs.Into >= s.Epoch ||
		len(s.Unabsorbed) == 0 || notIn(s.Unabsorbed, s.Chain) != 0 ||
		notIn(s.Unabsorbed, gone.Pending) != 0 {
		return fmt.Errorf("%w: %v with %v absorbs %+v, not done by %v; retired is %+v", ErrInvalid,
			s.ID, s.Chain, s.Absorbs, s.Unabsorbed, gone)
	}
	return nil
}

// notIn returns a node of the list that is not in the set, or is in the list twice; 0: none.
func notIn(list, set []kv.NodeID) kv.NodeID {
	for i, n := range list {
		if !slices.Contains(set, n) || slices.Contains(list[:i], n) {
			return n
		}
	}
	return 0
}

// checkRetired proves that every id ever given out is in use or remembered.
func (r records) checkRetired() error {
	for id := kv.SubRangeID(1); id < r.meta.NextSubRange; id++ {
		_, used := r.subRanges.Get(id)
		gone, remembered := r.retired.Get(id)
		if used == remembered {
			return fmt.Errorf("%w: %v: in use %v, retired %v: must be one of them", ErrInvalid, id,
				used,
				remembered)
		}
		into, exists := r.subRanges.Get(gone.Into)
		if remembered && (gone.Epoch == 0 || notIn(gone.Pending, gone.Pending) != 0 ||
			gone.Into != 0 && (!exists || into.ID == id || len(gone.Pending) == 0)) {
			return fmt.Errorf("%w: %v: retired as %+v", ErrInvalid, id, gone)
		}
	}
	if r.retired.Len()+r.subRanges.Len() != int(r.meta.NextSubRange)-1 {
		return fmt.Errorf("%w: a sub-range has an id of %d or more, which was never given out",
			ErrInvalid,
			r.meta.NextSubRange)
	}
	return nil
}

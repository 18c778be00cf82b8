package directory

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// Check verifies every invariant of the records. It names the first that is broken.
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
	return r.checkRetired()
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
	if err := s.Assignment(k).Validate(); err != nil {
		return fmt.Errorf("%w: %v", ErrInvalid, err)
	}
	if _, gone := r.retired.Get(s.ID); gone || s.ID >= r.meta.NextSubRange {
		return fmt.Errorf("%w: %v is in use and free at once", ErrInvalid, s.ID)
	}
	for _, n := range s.Chain {
		if _, ok := r.nodes.Get(n); !ok {
			return fmt.Errorf("%w: %v: member %v is not known", ErrInvalid, s.ID, n)
		}
	}
	for i, n := range s.Acked {
		if s.Chain.Position(n) < 0 || slices.Contains(s.Acked[:i], n) {
			return fmt.Errorf("%w: %v: acknowledged by %v, members %v", ErrInvalid, s.ID, s.Acked,
				s.Chain)
		}
	}
	return nil
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
		if remembered && gone.Epoch == 0 {
			return fmt.Errorf("%w: %v: retired at epoch 0", ErrInvalid, id)
		}
	}
	if r.retired.Len()+r.subRanges.Len() != int(r.meta.NextSubRange)-1 {
		return fmt.Errorf("%w: a sub-range has an id of %d or more, which was never given out",
			ErrInvalid,
			r.meta.NextSubRange)
	}
	return nil
}

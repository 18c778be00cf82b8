package v1model

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// TimeSinceHit returns how long ago a packet hit the table entry with the match and priority of e;
// before the first one it counts from the insertion. Only tables with support_timeout know it.
func (s *Switch) TimeSinceHit(e *Entry) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, t, err := s.direct(e)
	if err != nil {
		return 0, err
	}
	if !t.IdleTimeout {
		return 0, fmt.Errorf("%w: table %q does not support idle timeouts", ErrInvalid, e.Table)
	}
	return since(s.cfg.Clock(), d.LastHit()), nil
}

// since returns how much time passed between two times in microseconds; a packet may have read the
// clock after us.
func since(now, then uint64) time.Duration {
	if then > now {
		return 0
	}
	return time.Duration(now-then) * time.Microsecond
}

// Expired returns the entries that have not been hit for their idle timeout, by table and age, and
// begins to count anew for them: each is returned once for each timeout that passes without a hit.
func (s *Switch) Expired() (out []*Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Clock()
	for _, t := range s.snap.Load().rt.prog.Tables() {
		if t.IdleTimeout {
			out = append(out, s.tables[t.Name].expired(now)...)
		}
	}
	return out
}

func (s *store) expired(now uint64) (out []*Entry) {
	late := func(st *stored) bool {
		then := max(st.live.Direct().LastHit(), st.reported)
		return st.entry.IdleTimeout > 0 && since(now, then) >= st.entry.IdleTimeout
	}
	var found []*stored
	for st := range maps.Values(s.byMatch) {
		if late(st) {
			found = append(found, st)
		}
	}
	slices.SortFunc(found, func(a, b *stored) int { return cmp.Compare(a.seq, b.seq) })
	for _, st := range found {
		st.reported = now
		out = append(out, st.entry)
	}
	return out
}

package v1model

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// store is the control plane's view of one table.
type store struct {
	rt      *runtime
	now     func() uint64
	table   *bmv2.Table
	profile *profile // that the entries point into, or nil
	index   int      // in snapshot.tables
	matcher matcher
	byMatch map[identity]*stored
	last    uint64 // sequence number of the newest entry
	order   order
	def     *DefaultEntry
	initial *DefaultEntry // what the program declares
}

// stored is an entry as the control plane wrote it and as packets use it.
type stored struct {
	id    identity
	seq   uint64 // orders entries by insertion
	rank  uint32 // orders entries of equal priority for packets
	entry *Entry
	live  *engine.Entry
	// target is what the entry points at in a table with a profile.
	target target
	// reported is when Expired reported the entry last, in microseconds.
	reported uint64
}

func newStore(rt *runtime, t *bmv2.Table, now func() uint64) *store {
	return &store{rt: rt, now: now, table: t, index: rt.machine.TableIndex(t), matcher: newMatcher(t),
		byMatch: map[identity]*stored{}}
}

// declared fills in the default entry and the const entries of the program.
func (s *store) declared(t *engine.Table) (*engine.Table, error) {
	if d := s.table.Default; d != nil {
		s.initial = &DefaultEntry{Table: s.table.Name, Action: d.Action.Name,
			Params: padded(d.Action, intParams(d.Args))}
		s.def = s.initial
		e, err := s.rt.machine.NewDefault(s.table, d.Action, s.def.Params)
		if err != nil {
			return nil, err
		}
		t = t.WithDefault(e)
	}
	ed := t.Edit()
	last := 0 // bmv2 prefers small priorities, this package large ones
	for _, c := range s.table.Entries {
		last = max(last, c.Priority)
	}
	for i := range s.table.Entries {
		e := s.constEntry(&s.table.Entries[i], last)
		st, err := s.prepare(e, nil)
		if err == nil && s.byMatch[st.id] != nil {
			err = ErrExists
		}
		if err != nil {
			return nil, fmt.Errorf("const entry %d: %w", i, err)
		}
		s.add(st)
		ed.With(st.live)
	}
	return ed.Done(), nil
}

func padded(a *bmv2.Action, params [][]byte) [][]byte {
	for i, p := range a.Params {
		params[i] = append(make([]byte, (p.Width+7)/8-len(params[i])), params[i]...)
	}
	return params
}

func (s *store) constEntry(c *bmv2.ConstEntry, last int) *Entry {
	e := &Entry{Table: s.table.Name, Action: c.Action.Name, Params: intParams(c.Args)}
	if s.table.MatchKind >= bmv2.MatchTernary {
		e.Priority = int32(last - c.Priority + 1)
	}
	for i, m := range c.Match {
		out := Match{Value: m.Value.Bytes(), Mask: m.Mask.Bytes(), High: m.High.Bytes(),
			PrefixLen: m.PrefixLen}
		// Compilers leave bits in the value that do not count.
		switch k := s.table.Key[i]; k.Kind {
		case bmv2.MatchTernary:
			out.Value = masked(out.Value, out.Mask, k.Width)
		case bmv2.MatchLPM:
			out.Value = masked(out.Value, ones(k.Width, m.PrefixLen), k.Width)
		}
		e.Match = append(e.Match, out)
	}
	return e
}

// masked returns v & m. Load has checked that both fit the width.
func masked(v, m []byte, width int) []byte {
	out := make([]byte, (width+7)/8)
	copy(out[len(out)-len(v):], v)
	full := make([]byte, len(out))
	copy(full[len(full)-len(m):], m)
	for i := range out {
		out[i] &= full[i]
	}
	return out
}

// prepare checks an entry and compiles it. What it replaces leaves it its place in the order and all that
// it keeps between packets; a new entry gets the place that [store.add] will take.
func (s *store) prepare(e *Entry, old *stored) (st *stored, err error) {
	matches, id, err := s.matcher.normalize(e)
	if err != nil {
		return nil, err
	}
	if err := s.checkTimeout(e); err != nil {
		return nil, err
	}
	clean := *e
	clean.Match = matches
	st = &stored{id: id, entry: &clean}
	spec := engine.EntrySpec{Priority: e.Priority, Direct: s.direct(old)}
	if err := s.prepareAction(st, &spec); err != nil {
		return nil, err
	}
	spec.Match = s.matcher.engineMatches(matches)
	spec.Order = s.order.next()
	if old != nil {
		spec.Order, st.reported = old.rank, old.reported
	}
	st.rank = spec.Order
	if st.live, err = s.rt.machine.NewEntry(s.table, spec); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return st, nil
}

// prepareAction checks what an entry does: its action, or what it points at.
func (s *store) prepareAction(st *stored, spec *engine.EntrySpec) (err error) {
	e := st.entry
	if s.profile == nil {
		if e.Ref.Kind != RefNone {
			return fmt.Errorf("%w: reference to a %s, the table has no action profile", ErrInvalid,
				e.Ref.Kind)
		}
		spec.Action, e.Params, err = normalizeAction(s.table, e.Action, e.Params)
		spec.Params = e.Params
		return err
	}
	if e.Action != "" || len(e.Params) > 0 {
		return fmt.Errorf("%w: action %q, the table has action profile %q: want a reference", ErrInvalid,
			e.Action, s.profile.decl.Name)
	}
	e.Ref, st.target, err = s.profile.refer(s.rt.machine, e.Ref)
	return err
}

func (s *store) checkTimeout(e *Entry) error {
	if e.IdleTimeout < 0 || e.IdleTimeout > 0 && !s.table.IdleTimeout {
		return fmt.Errorf("%w: idle timeout of %s: must be 0, or positive in a table that supports it",
			ErrInvalid, e.IdleTimeout)
	}
	return nil
}

// direct returns what an entry keeps between packets, nil if the table keeps nothing.
func (s *store) direct(old *stored) *engine.Direct {
	switch {
	case !engine.HasDirect(s.table):
		return nil
	case old != nil:
		return old.live.Direct()
	}
	d := new(engine.Direct)
	d.SetLastHit(s.now())
	return d
}

// find returns the entry with the match and priority of e.
func (s *store) find(e *Entry) (*stored, error) {
	id, err := s.matcher.identify(e)
	if err != nil {
		return nil, err
	}
	if old := s.byMatch[identity(id)]; old != nil {
		return old, nil
	}
	return nil, ErrNotFound
}

// add files an entry that was not there.
func (s *store) add(st *stored) {
	s.last++
	st.seq = s.last
	s.order.take(st.rank)
	s.byMatch[st.id] = st
}

// replace puts st, a change of old, in its place in the order.
func (s *store) replace(old, st *stored) {
	st.seq = old.seq
	s.byMatch[st.id] = st
}

func (s *store) remove(old *stored) {
	s.order.free(old.rank)
	delete(s.byMatch, old.id)
}

// restore takes a removal back.
func (s *store) restore(old *stored) {
	s.order.take(old.rank)
	s.byMatch[old.id] = old
}

// entries returns all entries in the order of their insertion.
func (s *store) entries() []*Entry {
	all := slices.SortedFunc(maps.Values(s.byMatch),
		func(a, b *stored) int { return cmp.Compare(a.seq, b.seq) })
	out := make([]*Entry, len(all))
	for i, st := range all {
		out[i] = st.entry
	}
	return out
}

// mayChange refuses changes to tables with const entries.
func (s *store) mayChange() error {
	if s.table.Const() {
		return fmt.Errorf("%w: the table has const entries", ErrConst)
	}
	return nil
}

// mayDefault refuses changes to a const default entry.
func (s *store) mayDefault(d *DefaultEntry) error {
	fixed := s.table.Default
	if fixed == nil || d.Action == fixed.Action.Name && !fixed.ConstArgs {
		return nil
	}
	if fixed.ConstAction {
		return fmt.Errorf("%w: const default_action %q", ErrConst, fixed.Action.Name)
	}
	return nil
}

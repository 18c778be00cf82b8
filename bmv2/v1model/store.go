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
	table   *bmv2.Table
	index   int // in snapshot.tables
	matcher matcher
	byMatch map[string]*stored // by identity
	last    uint64             // sequence number of the newest entry
	order   order
	def     *DefaultEntry
	initial *DefaultEntry // what the program declares
}

// stored is an entry as the control plane wrote it and as packets use it.
type stored struct {
	id    string
	seq   uint64 // orders entries by insertion
	rank  uint32 // orders entries of equal priority for packets
	entry *Entry
	live  *engine.Entry
}

func newStore(rt *runtime, t *bmv2.Table) *store {
	return &store{rt: rt, table: t, index: rt.machine.TableIndex(t), matcher: newMatcher(t),
		byMatch: map[string]*stored{}}
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

// prepare checks an entry and compiles it. What it replaces leaves it its place in the order and its
// direct counter; a new entry gets the place that [store.add] will take.
func (s *store) prepare(e *Entry, old *stored) (*stored, error) {
	matches, id, err := s.matcher.normalize(e)
	if err != nil {
		return nil, err
	}
	a, params, err := normalizeAction(s.table, e.Action, e.Params)
	if err != nil {
		return nil, err
	}
	spec := engine.EntrySpec{Priority: e.Priority, Action: a, Params: params,
		Match: s.matcher.engineMatches(matches)}
	if old != nil {
		spec.Order = old.rank
	} else {
		spec.Order = s.order.next()
	}
	if s.table.Counter != nil {
		spec.Hits = new(engine.Counter)
		if old != nil {
			spec.Hits = old.live.Hits()
		}
	}
	live, err := s.rt.machine.NewEntry(s.table, spec)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	clean := *e
	clean.Match, clean.Params = matches, params
	return &stored{id: id, rank: spec.Order, entry: &clean, live: live}, nil
}

// find returns the entry with the match and priority of e.
func (s *store) find(e *Entry) (*stored, error) {
	_, id, err := s.matcher.normalize(e)
	if err != nil {
		return nil, err
	}
	if old := s.byMatch[id]; old != nil {
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

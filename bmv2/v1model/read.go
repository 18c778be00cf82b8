package v1model

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// store returns a table by name. The lock must be held.
func (s *Switch) store(table string) (*store, error) {
	if st := s.tables[table]; st != nil {
		return st, nil
	}
	return nil, fmt.Errorf("%w: table %q, the program has %s", ErrUnknown, table,
		strings.Join(slices.Sorted(maps.Keys(s.tables)), ", "))
}

// Entries returns the entries of a table in the order of their insertion, const entries first.
// Entries and their values must not be changed.
func (s *Switch) Entries(table string) ([]*Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.store(table)
	if err != nil {
		return nil, err
	}
	return st.entries(), nil
}

// TableSizes returns how many entries every table has, const entries included.
func (s *Switch) TableSizes() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.tables))
	for name, st := range s.tables {
		out[name] = len(st.byMatch)
	}
	return out
}

// Entry returns the entry with the match and priority of e.
func (s *Switch) Entry(e *Entry) (*Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.find(e)
	if err != nil {
		return nil, err
	}
	return old.entry, nil
}

// find looks an entry up. The lock must be held.
func (s *Switch) find(e *Entry) (*stored, error) {
	st, err := s.store(e.Table)
	if err != nil {
		return nil, err
	}
	old, err := st.find(e)
	return old, in(err, "table", e.Table)
}

// Default returns the default entry of a table; nil when the table has none.
func (s *Switch) Default(table string) (*DefaultEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.store(table)
	if err != nil {
		return nil, err
	}
	return st.def, nil
}

// direct returns what an entry keeps between packets. The lock must be held.
func (s *Switch) direct(e *Entry) (*engine.Direct, *bmv2.Table, error) {
	old, err := s.find(e)
	if err != nil {
		return nil, nil, err
	}
	return old.live.Direct(), s.tables[e.Table].table, nil
}

// hits returns the direct counter of an entry. The lock must be held.
func (s *Switch) hits(e *Entry) (*engine.Counter, error) {
	d, t, err := s.direct(e)
	if err != nil {
		return nil, err
	}
	if t.Counter == nil {
		return nil, fmt.Errorf("%w: table %q has no direct counter", ErrUnknown, e.Table)
	}
	return &d.Hits, nil
}

// DirectCounter returns the counter of the table entry with the match and priority of e.
func (s *Switch) DirectCounter(e *Entry) (CounterValue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cell, err := s.hits(e)
	if err != nil {
		return CounterValue{}, err
	}
	return valueOf(cell), nil
}

func valueOf(c *engine.Counter) (v CounterValue) {
	v.Packets, v.Bytes = c.Load()
	return v
}

// counter returns a cell of an indirect counter array.
func (rt *runtime) counter(name string, index int) (*engine.Counter, error) {
	a := rt.machine.Counters[name]
	if a == nil {
		return nil, fmt.Errorf("%w: indirect counter %q, the program has %s", ErrUnknown, name,
			strings.Join(slices.Sorted(maps.Keys(rt.machine.Counters)), ", "))
	}
	if index < 0 || index >= a.Size() {
		return nil, fmt.Errorf("%w: %d, the array has %d cells", ErrRange, index, a.Size())
	}
	return a.Cell(uint64(index)), nil
}

// ReadCounter returns one cell of an indirect counter array.
func (s *Switch) ReadCounter(name string, index int) (CounterValue, error) {
	cell, err := s.snap.Load().rt.counter(name, index)
	if err != nil {
		return CounterValue{}, in(err, "counter", name)
	}
	return valueOf(cell), nil
}

// register returns an array that has the given cell.
func (rt *runtime) register(name string, index int) (*engine.RegisterArray, error) {
	a := rt.machine.Registers[name]
	if a == nil {
		return nil, fmt.Errorf("%w: the program has %s", ErrUnknown,
			strings.Join(slices.Sorted(maps.Keys(rt.machine.Registers)), ", "))
	}
	if index < 0 || index >= a.Size() {
		return nil, fmt.Errorf("%w: %d, the array has %d cells", ErrRange, index, a.Size())
	}
	return a, nil
}

// ReadRegister returns one cell as a big-endian byte string of the full width.
func (s *Switch) ReadRegister(name string, index int) ([]byte, error) {
	rt := s.snap.Load().rt
	a, err := rt.register(name, index)
	if err != nil {
		return nil, in(err, "register", name)
	}
	lock := rt.locks.cells[name]
	lock.Lock()
	defer lock.Unlock()
	return a.Bytes(index)
}

// WriteRegister sets one cell.
func (s *Switch) WriteRegister(name string, index int, value []byte) error {
	return s.update1(OpModify, &RegisterCell{Register: name, Index: index, Value: value})
}

// CloneSessions returns all clone sessions by ascending id. They must not be changed.
func (s *Switch) CloneSessions() []*CloneSession {
	return slices.SortedFunc(maps.Values(s.snap.Load().sessions),
		func(a, b *CloneSession) int { return cmp.Compare(a.ID, b.ID) })
}

// MulticastGroups returns all multicast groups by ascending id. They must not be changed.
func (s *Switch) MulticastGroups() []*MulticastGroup {
	return slices.SortedFunc(maps.Values(s.snap.Load().groups),
		func(a, b *MulticastGroup) int { return cmp.Compare(a.ID, b.ID) })
}

package v1model

import (
	"fmt"
	"maps"
	"slices"

	"github.com/turbokv/turbokv/bmv2/engine"
)

// update is a batch in progress: a copy of the snapshot that packets do not see yet, and how to
// take back what was changed in the control plane's own view.
type update struct {
	sw               *Switch
	next             *snapshot
	editors          map[*store]*engine.Editor          // of the tables that change
	profiles         map[*profile]*engine.ProfileEditor // of the action profiles that change
	ownSess, ownGrps bool                               // already copied from the old snapshot
	atomic           bool                               // there may be a rollback
	undo             []func()
	// later is what happens to cells, which are in no snapshot, when the batch takes effect.
	later []func()
}

func (s *Switch) begin() *update {
	next := *s.snap.Load()
	return &update{sw: s, next: &next, editors: map[*store]*engine.Editor{}}
}

func (u *update) commit() {
	u.commitProfiles()
	if len(u.editors) > 0 {
		u.next.tables = slices.Clone(u.next.tables)
	}
	for s, ed := range u.editors {
		u.next.tables[s.index] = ed.Done()
	}
	u.sw.snap.Store(u.next)
	for _, do := range u.later {
		do()
	}
}

func (u *update) rollback() {
	for _, undo := range slices.Backward(u.undo) {
		undo()
	}
}

// Update applies a batch. Each operation succeeds or fails for itself, in order; all changes
// become visible to packets at one instant. It returns nil when all succeeded, else one error
// (or nil) per operation.
func (s *Switch) Update(ops []Op) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.begin()
	var errs []error
	for i, op := range ops {
		s.yield(i)
		var err error
		if op.Then && i > 0 && errs != nil && errs[i-1] != nil {
			err = errs[i-1]
		} else {
			err = u.apply(op)
		}
		if err == nil {
			continue
		}
		if errs == nil {
			errs = make([]error, len(ops))
		}
		errs[i] = err
	}
	u.commit()
	return errs
}

// UpdateAtomic applies all operations or, when one fails, none; it returns the index of the
// operation that failed and its error, or -1 and nil.
func (s *Switch) UpdateAtomic(ops []Op) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.begin()
	u.atomic = true
	for i, op := range ops {
		s.yield(i)
		if err := u.apply(op); err != nil {
			u.rollback()
			return i, err
		}
	}
	u.commit()
	return -1, nil
}

// yield lets others go first before some of the operations of a batch.
func (s *Switch) yield(operation int) {
	const often = 16 // operations, some 50 microseconds
	if operation%often == often-1 && s.cfg.Yield != nil {
		s.cfg.Yield()
	}
}

func (s *Switch) update1(t OpType, e Entity) error {
	if errs := s.Update([]Op{{Type: t, Entity: e}}); errs != nil {
		return errs[0]
	}
	return nil
}

// Insert adds one table entry.
func (s *Switch) Insert(e *Entry) error { return s.update1(OpInsert, e) }

// Modify replaces action and parameters, or the reference, of the entry with the same match and
// priority. Its direct counter and meter go on. Without either the entry stays as it is, but it
// must be there.
func (s *Switch) Modify(e *Entry) error { return s.update1(OpModify, e) }

// Delete removes the entry with the same match and priority.
func (s *Switch) Delete(e *Entry) error { return s.update1(OpDelete, e) }

// SetDefault sets what a table does on a miss.
func (s *Switch) SetDefault(d *DefaultEntry) error { return s.update1(OpModify, d) }

// SetValueSet replaces the members of a parser value set.
func (s *Switch) SetValueSet(v *ValueSet) error { return s.update1(OpModify, v) }

// WriteCounter sets one cell of an indirect counter array.
func (s *Switch) WriteCounter(name string, index int, v CounterValue) error {
	return s.update1(OpModify, &CounterCell{Counter: name, Index: index, Value: v})
}

// apply does one operation on the batch. On error it has changed nothing.
func (u *update) apply(op Op) error {
	if op.Type < OpInsert || op.Type > OpDelete {
		return fmt.Errorf("%w: %s", ErrInvalid, op.Type)
	}
	switch e := op.Entity.(type) {
	case *Entry:
		if err := u.entry(op.Type, e); err != nil {
			return in(err, "table", e.Table)
		}
		return nil
	case *DefaultEntry:
		return in(u.defaultEntry(op.Type, e), "default entry of table", e.Table)
	case *CloneSession:
		return in(u.session(op.Type, e), "clone session", e.ID)
	case *MulticastGroup:
		return in(u.group(op.Type, e), "multicast group", e.ID)
	case *CounterCell:
		return in(u.counter(op.Type, e), "counter", e.Counter)
	case *DirectCounter:
		return in(u.direct(op.Type, e), "direct counter of table", e.Entry.Table)
	case *ValueSet:
		return in(u.valueSet(op.Type, e), "parser value set", e.Name)
	case *ProfileMember:
		return in(u.member(op.Type, e), "action profile", e.Profile)
	case *ProfileGroup:
		return in(u.profileGroup(op.Type, e), "action profile", e.Profile)
	case *MeterCell:
		return in(u.meter(op.Type, e), "meter", e.Meter)
	case *DirectMeter:
		return in(u.directMeter(op.Type, e), "direct meter of table", e.Entry.Table)
	case *RegisterCell:
		return in(u.register(op.Type, e), "register", e.Register)
	}
	return fmt.Errorf("%w: entity of type %T", ErrInvalid, op.Entity)
}

func in(err error, kind string, name any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %v: %w", kind, name, err)
}

func (u *update) entry(t OpType, e *Entry) error {
	s, err := u.sw.store(e.Table)
	if err != nil {
		return err
	}
	if t == OpModify && e.Action == "" && e.Ref.Kind == RefNone {
		_, err := s.find(e)
		return err
	}
	if err := s.mayChange(); err != nil {
		return err
	}
	switch t {
	case OpInsert:
		return u.insert(s, e)
	case OpModify:
		return u.modify(s, e)
	}
	return u.remove(s, e)
}

func (u *update) insert(s *store, e *Entry) error {
	st, err := s.prepare(e, nil)
	if err != nil {
		return err
	}
	if s.byMatch[st.id] != nil {
		return ErrExists
	}
	if len(s.byMatch) >= s.table.MaxSize {
		return fmt.Errorf("%w: size is %d", ErrTableFull, s.table.MaxSize)
	}
	if err := u.point(s, st, nil); err != nil {
		return err
	}
	s.add(st)
	if u.atomic {
		u.undo = append(u.undo, func() { s.remove(st) })
	}
	u.edit(s).With(st.live)
	return nil
}

func (u *update) modify(s *store, e *Entry) error {
	old, err := s.find(e)
	if err != nil {
		return err
	}
	st, err := s.prepare(e, old)
	if err != nil {
		return err
	}
	if err := u.point(s, st, old); err != nil {
		return err
	}
	s.replace(old, st)
	if u.atomic {
		u.undo = append(u.undo, func() { s.replace(st, old) })
	}
	u.edit(s).With(st.live)
	return nil
}

func (u *update) remove(s *store, e *Entry) error {
	old, err := s.find(e)
	if err != nil {
		return err
	}
	u.unpoint(s, old)
	s.remove(old)
	if u.atomic {
		u.undo = append(u.undo, func() { s.restore(old) })
	}
	u.edit(s).Without(old.live)
	return nil
}

// edit returns the editor of a table for this batch.
func (u *update) edit(s *store) *engine.Editor {
	ed := u.editors[s]
	if ed == nil {
		ed = u.next.tables[s.index].Edit().Yielding(u.sw.cfg.Yield)
		u.editors[s] = ed
	}
	return ed
}

// defaultEntry sets a default; deleting it restores what the program declares.
func (u *update) defaultEntry(t OpType, d *DefaultEntry) error {
	s, err := u.sw.store(d.Table)
	if err != nil {
		return err
	}
	if t == OpInsert {
		return fmt.Errorf("%w: a default entry can be modified or deleted", ErrInvalid)
	}
	if t == OpDelete {
		d = s.initial
	} else if err := s.mayDefault(d); err != nil {
		return err
	}
	var live *engine.Entry
	if d != nil {
		a, params, err := normalizeAction(s.table, d.Action, d.Params)
		if err != nil {
			return err
		}
		clean := *d
		clean.Params, d = params, &clean
		if live, err = s.rt.machine.NewDefault(s.table, a, params); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	old := s.def
	s.def = d
	u.undo = append(u.undo, func() { s.def = old })
	u.edit(s).WithDefault(live)
	return nil
}

func (u *update) session(t OpType, c *CloneSession) error {
	const maxSession = 0x7fff // bmv2 keeps 15 bits
	if c.ID > maxSession || c.MaxBytes < 0 {
		return fmt.Errorf("%w: id must be at most %d, bytes not negative", ErrInvalid, maxSession)
	}
	if err := mayApply(t, u.next.sessions[c.ID] != nil); err != nil {
		return err
	}
	if !u.ownSess {
		u.next.sessions = maps.Clone(u.next.sessions)
		u.ownSess = true
	}
	if t == OpDelete {
		delete(u.next.sessions, c.ID)
		return nil
	}
	clean := *c
	clean.Replicas, clean.Backups = slices.Clone(c.Replicas), cloneBackups(c.Backups)
	clean.up = nil
	if clean.Backups != nil {
		clean.up = livePorts(clean.Replicas, clean.Backups, u.sw.down)
	}
	u.next.sessions[c.ID] = &clean
	return nil
}

func (u *update) group(t OpType, g *MulticastGroup) error {
	if g.ID == 0 {
		return fmt.Errorf("%w: id 0 means no multicast", ErrInvalid)
	}
	if err := mayApply(t, u.next.groups[g.ID] != nil); err != nil {
		return err
	}
	if !u.ownGrps {
		u.next.groups = maps.Clone(u.next.groups)
		u.ownGrps = true
	}
	if t == OpDelete {
		delete(u.next.groups, g.ID)
		return nil
	}
	clean := *g
	clean.Replicas, clean.Backups = slices.Clone(g.Replicas), cloneBackups(g.Backups)
	clean.up = nil
	if clean.Backups != nil {
		clean.up = livePorts(clean.Replicas, clean.Backups, u.sw.down)
	}
	u.next.groups[g.ID] = &clean
	return nil
}

func mayApply(t OpType, exists bool) error {
	switch {
	case t == OpInsert && exists:
		return ErrExists
	case t != OpInsert && !exists:
		return ErrNotFound
	}
	return nil
}

func (u *update) counter(t OpType, c *CounterCell) error {
	if t != OpModify {
		return fmt.Errorf("%w: a counter cell can only be modified", ErrInvalid)
	}
	cell, err := u.next.rt.counter(c.Counter, max(c.Index, 0))
	switch {
	case err != nil:
		return err
	case c.Index == AllCells:
		a := u.next.rt.machine.Counters[c.Counter]
		for i := range a.Size() {
			u.setCounter(a.Cell(uint64(i)), c.Value)
		}
	case c.Index < 0:
		return fmt.Errorf("%w: %d", ErrRange, c.Index)
	default:
		u.setCounter(cell, c.Value)
	}
	return nil
}

func (u *update) direct(t OpType, d *DirectCounter) error {
	if t != OpModify {
		return fmt.Errorf("%w: a direct counter can only be modified", ErrInvalid)
	}
	cell, err := u.sw.hits(d.Entry)
	if err != nil {
		return err
	}
	u.setCounter(cell, d.Value)
	return nil
}

func (u *update) register(t OpType, c *RegisterCell) error {
	if t != OpModify {
		return fmt.Errorf("%w: a register cell can only be modified", ErrInvalid)
	}
	rt := u.next.rt
	a, err := rt.register(c.Register, max(c.Index, 0))
	if err != nil {
		return err
	}
	first, end := c.Index, c.Index+1
	if c.Index == AllCells {
		first, end = 0, a.Size()
	} else if c.Index < 0 {
		return fmt.Errorf("%w: %d", ErrRange, c.Index)
	}
	v, err := fit(c.Value, a.Width())
	if err != nil {
		return err
	}
	u.later = append(u.later, func() {
		lock := rt.locks.cells[c.Register]
		lock.Lock()
		defer lock.Unlock()
		for i := first; i < end; i++ {
			_ = a.SetBytes(i, v) // fails only for an index out of range
		}
	})
	return nil
}

func (u *update) setCounter(cell *engine.Counter, v CounterValue) {
	if u.atomic {
		packets, bytes := cell.Load()
		u.undo = append(u.undo, func() { cell.Store(packets, bytes) })
	}
	cell.Store(v.Packets, v.Bytes)
}

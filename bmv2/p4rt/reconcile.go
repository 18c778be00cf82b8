package p4rt

import (
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// reconcile copies the state of the present pipeline to its successor: all that controllers wrote,
// and what counters and registers hold. State of controllers that the successor does not take fails
// the whole call, and the present pipeline then goes on; counters and registers that the successor
// does not have, or has in another shape, are left behind.
func (s *Server) reconcile(next *pipeline) error {
	now := s.control.Load()
	if now == nil {
		return nil
	}
	updates, err := s.forwardingState(now, next)
	if err != nil {
		return err
	}
	for i, err := range s.apply(next, updates) {
		if err != nil {
			return invalid("the new pipeline does not take the present state: %s: %s",
				abbreviate(updates[i].GetEntity().String()), text(err))
		}
	}
	return nil
}

// replay collects updates that bring a fresh pipeline to the state of another one.
type replay struct {
	view    *view
	updates []*p4v1.Update
}

// forwardingState returns the updates that bring next to the state of p, in an order in which they
// can be carried out.
func (s *Server) forwardingState(p, next *pipeline) ([]*p4v1.Update, error) {
	r := &replay{view: newView(s, p, nil)}
	steps := []func() error{
		r.ids(p4v1.Update_MODIFY, &p4v1.Entity{Entity: &p4v1.Entity_ValueSetEntry{
			ValueSetEntry: &p4v1.ValueSetEntry{}}}),
		r.ids(p4v1.Update_INSERT, &p4v1.Entity{Entity: &p4v1.Entity_ActionProfileMember{
			ActionProfileMember: &p4v1.ActionProfileMember{}}}),
		r.ids(p4v1.Update_INSERT, &p4v1.Entity{Entity: &p4v1.Entity_ActionProfileGroup{
			ActionProfileGroup: &p4v1.ActionProfileGroup{}}}),
		r.tables,
		r.ids(p4v1.Update_INSERT, replicationEntity(&p4v1.PacketReplicationEngineEntry{
			Type: &p4v1.PacketReplicationEngineEntry_CloneSessionEntry{}})),
		r.ids(p4v1.Update_INSERT, replicationEntity(&p4v1.PacketReplicationEngineEntry{
			Type: &p4v1.PacketReplicationEngineEntry_MulticastGroupEntry{}})),
		r.ids(p4v1.Update_INSERT, &p4v1.Entity{Entity: &p4v1.Entity_DigestEntry{
			DigestEntry: &p4v1.DigestEntry{}}}),
		r.ids(p4v1.Update_MODIFY, &p4v1.Entity{Entity: &p4v1.Entity_MeterEntry{
			MeterEntry: &p4v1.MeterEntry{}}}),
		func() error { return r.counters(next) },
		func() error { return r.registers(next) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return r.updates, nil
}

// ids returns a step that takes over what a wildcard read finds.
func (r *replay) ids(kind p4v1.Update_Type, wildcard *p4v1.Entity) func() error {
	return func() error { return r.take(kind, wildcard) }
}

func (r *replay) take(kind p4v1.Update_Type, wanted *p4v1.Entity) error {
	f, err := r.view.find(wanted)
	if err != nil || f == nil {
		return err
	}
	return f(func(e *p4v1.Entity) error {
		if !untouched(e) {
			r.updates = append(r.updates, &p4v1.Update{Type: kind, Entity: e})
		}
		return nil
	})
}

// untouched reports whether an entity is as a fresh pipeline has it.
func untouched(e *p4v1.Entity) bool {
	switch e := e.GetEntity().(type) {
	case *p4v1.Entity_ValueSetEntry:
		return len(e.ValueSetEntry.GetMembers()) == 0
	case *p4v1.Entity_MeterEntry:
		return e.MeterEntry.GetConfig() == nil
	case *p4v1.Entity_CounterEntry:
		d := e.CounterEntry.GetData()
		return d.GetByteCount() == 0 && d.GetPacketCount() == 0
	}
	return false
}

// tables takes over entries with their direct resources, and default entries.
func (r *replay) tables() error {
	for _, t := range r.view.p.tables.list {
		if !t.fixed && !t.initial {
			if err := r.take(p4v1.Update_INSERT, tableEntity(&p4v1.TableEntry{TableId: t.id,
				CounterData: &p4v1.CounterData{}, MeterConfig: &p4v1.MeterConfig{}})); err != nil {
				return err
			}
		}
		if t.fixedDefault || t.profile != nil {
			continue
		}
		if err := r.take(p4v1.Update_MODIFY,
			tableEntity(&p4v1.TableEntry{TableId: t.id, IsDefaultAction: true})); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) counters(next *pipeline) error {
	for _, c := range r.view.p.counters.list {
		if other := next.counters.byID[c.id]; other == nil || other.size != c.size {
			continue
		}
		if err := r.take(p4v1.Update_MODIFY, &p4v1.Entity{Entity: &p4v1.Entity_CounterEntry{
			CounterEntry: &p4v1.CounterEntry{CounterId: c.id}}}); err != nil {
			return err
		}
	}
	return nil
}

// registers takes over cells that are not zero.
func (r *replay) registers(next *pipeline) error {
	for _, reg := range r.view.p.registers.list {
		other := next.registers.byID[reg.id]
		if other == nil || other.size != reg.size || other.data.width != reg.data.width ||
			other.data.kind != reg.data.kind {
			continue
		}
		for i := range reg.size {
			value, err := r.view.p.sw.ReadRegister(reg.name, i)
			if err != nil {
				return fromEngine(err)
			}
			if lowBitsZero(value, 8*len(value)) {
				continue
			}
			r.updates = append(r.updates, &p4v1.Update{Type: p4v1.Update_MODIFY,
				Entity: registerCell(reg, i, value)})
		}
	}
	return nil
}

// registerCell is a cell as controllers read it.
func registerCell(r *register, i int, value []byte) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_RegisterEntry{RegisterEntry: &p4v1.RegisterEntry{
		RegisterId: r.id, Index: &p4v1.Index{Index: int64(i)}, Data: r.data.single(value)}}}
}

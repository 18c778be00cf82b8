package p4rt

import (
	"errors"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// table finds entries of one table, or those of all tables when the id is 0.
func (v *view) table(e *p4v1.TableEntry) (finding, error) {
	if e.GetTableId() == 0 && (len(e.GetMatch()) > 0 || e.GetAction() != nil || e.GetPriority() != 0 ||
		e.GetControllerMetadata() != 0 || len(e.GetMetadata()) > 0) {
		return nil, invalid("a read of all tables cannot select entries by other fields")
	}
	if e.GetIsDefaultAction() && (e.GetTimeSinceLastHit() != nil || e.GetIdleTimeoutNs() != 0) {
		return nil, invalid("default entries have no idle timeout")
	}
	if e.GetMeterCounterData() != nil {
		return nil, errMeterCounters
	}
	if _, absent := v.p.absent[e.GetTableId()]; absent {
		return nil, nil
	}
	list, err := v.p.tables.wanted(e.GetTableId(), v.allowed)
	if err != nil {
		return nil, err
	}
	return each(list, func(t *table) (finding, error) { return v.oneTable(t, e) })
}

func (v *view) oneTable(t *table, e *p4v1.TableEntry) (finding, error) {
	if e.GetTableId() != 0 && !t.idleTimeout &&
		(e.GetTimeSinceLastHit() != nil || e.GetIdleTimeoutNs() != 0) {
		return nil, invalid("table %q does not support idle timeouts", t.name)
	}
	f, err := t.filter(e)
	if err != nil {
		return nil, err
	}
	if e.GetIsDefaultAction() {
		return v.defaultEntry(t, f, e)
	}
	entries, err := v.matching(t, e)
	if err != nil {
		return nil, err
	}
	var found []*entryState
	for _, entry := range entries {
		if !f.admits(entry) {
			continue
		}
		state, err := v.state(t, entry, e)
		if err != nil {
			return nil, err
		}
		found = append(found, state)
	}
	return emitAll(found, func(_ int, s *entryState) *p4v1.Entity {
		return tableEntity(s.message(t))
	}), nil
}

// defaultEntry finds what the table does on a miss.
func (v *view) defaultEntry(t *table, f filter, e *p4v1.TableEntry) (finding, error) {
	if len(e.GetMatch()) > 0 || e.GetPriority() != 0 {
		return nil, invalid("table %q: a default entry has no match and no priority", t.name)
	}
	d, err := v.p.sw.Default(t.name)
	if err != nil {
		return nil, fromEngine(err)
	}
	if d == nil && f != (filter{}) || d != nil && (!f.admitsMeta(d.Meta) ||
		f.action != "" && f.action != d.Action) {
		return nil, nil
	}
	return one(tableEntity(t.defaultEntry(d))), nil
}

// all returns the entries of a table.
func (v *view) all(t *table) ([]*v1model.Entry, error) {
	if known, ok := v.entries[t]; ok {
		return known, nil
	}
	entries, err := v.p.sw.Entries(t.name)
	v.entries[t] = entries
	return entries, fromEngine(err)
}

// matching returns the one entry with the given match, or all without one. An entry that does not
// exist is no error.
func (v *view) matching(t *table, e *p4v1.TableEntry) ([]*v1model.Entry, error) {
	if len(e.GetMatch()) == 0 {
		return v.all(t)
	}
	key := &v1model.Entry{Table: t.name}
	var err error
	if t.ranked && e.GetPriority() == 0 { // the match alone selects
		return v.withMatch(t, e)
	}
	if key.Match, key.Priority, err = t.key(e); err != nil {
		return nil, err
	}
	entry, err := v.p.sw.Entry(key)
	if errors.Is(err, v1model.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fromEngine(err)
	}
	return []*v1model.Entry{entry}, nil
}

// withMatch returns the entries with the given match, whatever their priority.
func (v *view) withMatch(t *table, e *p4v1.TableEntry) ([]*v1model.Entry, error) {
	want, err := matches(t.fields, e.GetMatch())
	if err != nil {
		return nil, wrap(err, "table %q", t.name)
	}
	all, err := v.all(t)
	if err != nil {
		return nil, err
	}
	var found []*v1model.Entry
	for _, entry := range all {
		if sameMatch(entry.Match, want) {
			found = append(found, entry)
		}
	}
	return found, nil
}

func sameMatch(a, b []v1model.Match) bool {
	for i := range a {
		if a[i].Any != b[i].Any || a[i].PrefixLen != b[i].PrefixLen ||
			string(a[i].Value) != string(b[i].Value) || string(a[i].Mask) != string(b[i].Mask) ||
			string(a[i].High) != string(b[i].High) {
			return false
		}
	}
	return true
}

// entryState is an entry with those of its direct resources that a read asked for.
type entryState struct {
	entry   *v1model.Entry
	counter *v1model.CounterValue
	meter   *v1model.MeterConfig
	idle    *time.Duration
}

// state looks up what a request wants to know of an entry.
func (v *view) state(t *table, entry *v1model.Entry, e *p4v1.TableEntry) (*entryState, error) {
	s := &entryState{entry: entry}
	if t.counted && e.GetCounterData() != nil {
		c, err := v.p.sw.DirectCounter(entry)
		if err != nil {
			return nil, fromEngine(err)
		}
		s.counter = &c
	}
	if t.meter != nil && e.GetMeterConfig() != nil {
		var err error
		if s.meter, err = v.p.sw.DirectMeter(entry); err != nil {
			return nil, fromEngine(err)
		}
	}
	if t.idleTimeout && e.GetTimeSinceLastHit() != nil {
		d, err := v.p.sw.TimeSinceHit(entry)
		if err != nil {
			return nil, fromEngine(err)
		}
		s.idle = &d
	}
	return s, nil
}

func (s *entryState) message(t *table) *p4v1.TableEntry {
	out := t.tableEntry(s.entry)
	if s.counter != nil {
		out.CounterData = counterData(*s.counter)
	}
	out.MeterConfig = meterConfig(s.meter)
	if s.idle != nil {
		out.TimeSinceLastHit = &p4v1.TableEntry_IdleTimeout{ElapsedNs: s.idle.Nanoseconds()}
	}
	return out
}

func tableEntity(e *p4v1.TableEntry) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_TableEntry{TableEntry: e}}
}

// direct finds the direct resources of the entries that a read is about, by table. An entry that is
// named but does not exist is an error, unlike in reads of tables.
func (v *view) direct(
	what string, e *p4v1.TableEntry, has func(*table) bool,
	find func(*table, *v1model.Entry) (finding, error),
) (finding, error) {
	if e == nil {
		return nil, invalid("a %s needs its table_entry", what)
	}
	list, err := v.p.tables.wanted(e.GetTableId(), v.allowed)
	if err != nil {
		return nil, err
	}
	return each(list, func(t *table) (finding, error) {
		switch {
		case !has(t) && e.GetTableId() == 0:
			return nil, nil
		case len(e.GetMatch()) > 0 || e.GetIsDefaultAction() || !has(t):
			_, key, err := v.p.resourceEntry(what, e, has)
			if err != nil {
				return nil, err
			}
			entry, err := v.p.sw.Entry(key)
			if err != nil {
				return nil, status.Errorf(codes.NotFound, "table %q has no such entry", t.name)
			}
			return find(t, entry)
		}
		entries, err := v.all(t)
		if err != nil {
			return nil, err
		}
		return each(entries, func(entry *v1model.Entry) (finding, error) { return find(t, entry) })
	})
}

func (v *view) directCounter(e *p4v1.DirectCounterEntry) (finding, error) {
	return v.direct("direct counter", e.GetTableEntry(), (*table).hasCounter,
		func(t *table, entry *v1model.Entry) (finding, error) {
			c, err := v.p.sw.DirectCounter(entry)
			if err != nil {
				return nil, fromEngine(err)
			}
			return func(emit emitter) error {
				return emit(&p4v1.Entity{Entity: &p4v1.Entity_DirectCounterEntry{
					DirectCounterEntry: &p4v1.DirectCounterEntry{
						TableEntry: t.entryKey(entry), Data: counterData(c)}}})
			}, nil
		})
}

func (v *view) directMeter(e *p4v1.DirectMeterEntry) (finding, error) {
	if e.GetCounterData() != nil {
		return nil, errMeterCounters
	}
	return v.direct("direct meter", e.GetTableEntry(), (*table).hasMeter,
		func(t *table, entry *v1model.Entry) (finding, error) {
			m, err := v.p.sw.DirectMeter(entry)
			if err != nil {
				return nil, fromEngine(err)
			}
			return func(emit emitter) error {
				return emit(&p4v1.Entity{Entity: &p4v1.Entity_DirectMeterEntry{
					DirectMeterEntry: &p4v1.DirectMeterEntry{
						TableEntry: t.entryKey(entry), Config: meterConfig(m)}}})
			}, nil
		})
}

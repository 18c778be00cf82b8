package p4rt

import (
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

func counterValue(d *p4v1.CounterData) v1model.CounterValue {
	return v1model.CounterValue{Packets: uint64(d.GetPacketCount()), Bytes: uint64(d.GetByteCount())}
}

func counterData(v v1model.CounterValue) *p4v1.CounterData {
	return &p4v1.CounterData{PacketCount: int64(v.Packets), ByteCount: int64(v.Bytes)}
}

// counterWrite returns the value that an update sets; DELETE sets zero, as PI does.
func counterWrite(kind p4v1.Update_Type, d *p4v1.CounterData) (v1model.CounterValue, error) {
	switch kind {
	case p4v1.Update_MODIFY:
		return counterValue(d), nil
	case p4v1.Update_DELETE:
		return v1model.CounterValue{}, nil
	}
	return v1model.CounterValue{}, invalid("update type %v: counters take MODIFY and DELETE", kind)
}

func (p *pipeline) counter(id uint32) (*counter, error) {
	if c := p.counters[id]; c != nil {
		return c, nil
	}
	return nil, invalid("no indirect counter has the id %#x", id)
}

// cell checks an index; nil means all cells.
func cell(name string, index *p4v1.Index, size int) (int, error) {
	i := index.GetIndex()
	if i < 0 {
		return 0, invalid("%q: index %d is negative", name, i)
	}
	if i >= int64(size) {
		return 0, status.Errorf(codes.OutOfRange, "%q: index %d is not in 0..%d", name, i, size-1)
	}
	return int(i), nil
}

func (p *pipeline) counterOps(kind p4v1.Update_Type, e *p4v1.CounterEntry) ([]v1model.Op, error) {
	c, err := p.counter(e.GetCounterId())
	if err != nil {
		return nil, err
	}
	if e.GetIndex() == nil {
		return nil, unimplemented("counter %q: writing all cells at once is not supported", c.name)
	}
	i, err := cell(c.name, e.GetIndex(), c.size)
	if err != nil {
		return nil, err
	}
	value, err := counterWrite(kind, e.GetData())
	if err != nil {
		return nil, err
	}
	op := &v1model.CounterCell{Counter: c.name, Index: i, Value: value}
	return []v1model.Op{{Type: v1model.OpModify, Entity: op}}, nil
}

// directEntry finds the table and the entry that a direct counter belongs to.
func (p *pipeline) directEntry(e *p4v1.TableEntry) (*table, *v1model.Entry, error) {
	t, err := p.table(e.GetTableId())
	if err != nil {
		return nil, nil, err
	}
	if !t.directCounter {
		return nil, nil, invalid("table %q has no direct counter", t.name)
	}
	if e.GetIsDefaultAction() {
		return nil, nil, unimplemented("table %q: the default entry has no counter", t.name)
	}
	entry := &v1model.Entry{Table: t.name}
	entry.Match, entry.Priority, err = t.key(e)
	return t, entry, err
}

func (p *pipeline) directCounterOps(
	kind p4v1.Update_Type, e *p4v1.DirectCounterEntry,
) ([]v1model.Op, error) {
	if e.GetTableEntry() == nil {
		return nil, invalid("a direct counter entry needs its table_entry")
	}
	_, entry, err := p.directEntry(e.GetTableEntry())
	if err != nil {
		return nil, err
	}
	value, err := counterWrite(kind, e.GetData())
	if err != nil {
		return nil, err
	}
	op := &v1model.DirectCounter{Entry: entry, Value: value}
	return []v1model.Op{{Type: v1model.OpModify, Entity: op}}, nil
}

// readCounter emits one cell, or all when no index is given.
func (p *pipeline) readCounter(e *p4v1.CounterEntry, emit emitter) error {
	if e.GetCounterId() == 0 {
		for _, c := range p.countOrder {
			if err := p.readCells(c, e.GetIndex(), emit); err != nil {
				return err
			}
		}
		return nil
	}
	c, err := p.counter(e.GetCounterId())
	if err != nil {
		return err
	}
	return p.readCells(c, e.GetIndex(), emit)
}

func (p *pipeline) readCells(c *counter, index *p4v1.Index, emit emitter) error {
	first, last := 0, c.size-1
	if index != nil {
		i, err := cell(c.name, index, c.size)
		if err != nil {
			return err
		}
		first, last = i, i
	}
	for i := first; i <= last; i++ {
		v, err := p.sw.ReadCounter(c.name, i)
		if err != nil {
			return fromEngine(err)
		}
		err = emit(&p4v1.Entity{Entity: &p4v1.Entity_CounterEntry{CounterEntry: &p4v1.CounterEntry{
			CounterId: c.id, Index: &p4v1.Index{Index: int64(i)}, Data: counterData(v),
		}}})
		if err != nil {
			return err
		}
	}
	return nil
}

// readDirect emits the counter of one entry, or those of all entries of a table.
func (p *pipeline) readDirect(e *p4v1.DirectCounterEntry, emit emitter) error {
	sent := e.GetTableEntry()
	switch {
	case sent == nil:
		return invalid("a direct counter entry needs its table_entry")
	case sent.GetTableId() == 0:
		return unimplemented("reading the direct counters of all tables at once is not supported")
	case len(sent.GetMatch()) > 0 || sent.GetIsDefaultAction():
		t, entry, err := p.directEntry(sent)
		if err != nil {
			return err
		}
		return p.emitDirect(t, entry, sent, emit)
	}
	t, err := p.table(sent.GetTableId())
	if err != nil {
		return err
	}
	if !t.directCounter {
		return invalid("table %q has no direct counter", t.name)
	}
	entries, err := p.sw.Entries(t.name)
	if err != nil {
		return fromEngine(err)
	}
	for _, entry := range entries {
		out := t.tableEntry(entry)
		key := &p4v1.TableEntry{TableId: out.TableId, Match: out.Match, Priority: out.Priority}
		err := p.emitDirect(t, entry, key, emit)
		if err != nil && status.Code(err) != codes.NotFound { // deleted meanwhile
			return err
		}
	}
	return nil
}

func (p *pipeline) emitDirect(
	t *table, entry *v1model.Entry, key *p4v1.TableEntry, emit emitter,
) error {
	v, err := p.sw.DirectCounter(entry)
	if err != nil {
		return fromEngine(err)
	}
	return emit(&p4v1.Entity{Entity: &p4v1.Entity_DirectCounterEntry{
		DirectCounterEntry: &p4v1.DirectCounterEntry{TableEntry: key, Data: counterData(v)},
	}})
}

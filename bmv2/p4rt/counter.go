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

// onlyModify refuses updates of what is always there.
func onlyModify(kind p4v1.Update_Type, what, name string) error {
	if kind != p4v1.Update_MODIFY {
		return invalid("%s %q takes MODIFY only, not %v", what, name, kind)
	}
	return nil
}

// cells returns the cells of an array that an index means, first and behind the last; nil means all.
func cells(o *object, index *p4v1.Index, size int) (int, int, error) {
	i := index.GetIndex()
	switch {
	case index == nil:
		return 0, size, nil
	case i < 0:
		return 0, 0, invalid("%q: index %d is negative", o.name, i)
	case i >= int64(size):
		return 0, 0, status.Errorf(codes.OutOfRange, "%q: index %d is not in 0..%d", o.name, i, size-1)
	}
	return int(i), int(i) + 1, nil
}

// cell returns the cell that an update is about, as the switch names it; no index means all.
func cell(o *object, index *p4v1.Index, size int) (int, error) {
	first, _, err := cells(o, index, size)
	if index == nil {
		first = v1model.AllCells
	}
	return first, err
}

func (b *batch) counter(kind p4v1.Update_Type, e *p4v1.CounterEntry) error {
	c, err := b.p.counters.get(e.GetCounterId())
	if err != nil {
		return err
	}
	if err := onlyModify(kind, "counter", c.name); err != nil {
		return err
	}
	i, err := cell(&c.object, e.GetIndex(), c.size)
	if err != nil || e.GetData() == nil { // without data the counter is left alone
		return err
	}
	b.op(v1model.OpModify,
		&v1model.CounterCell{Counter: c.name, Index: i, Value: counterValue(e.GetData())})
	return nil
}

// resourceEntry finds the table and the entry that a direct resource belongs to.
func (p *pipeline) resourceEntry(
	what string, e *p4v1.TableEntry, has func(*table) bool,
) (*table, *v1model.Entry, error) {
	if e == nil {
		return nil, nil, invalid("a %s needs its table_entry", what)
	}
	t, err := p.tables.get(e.GetTableId())
	if err != nil {
		return nil, nil, err
	}
	switch {
	case !has(t):
		return nil, nil, invalid("table %q has no %s", t.name, what)
	case e.GetIsDefaultAction():
		return nil, nil, unimplemented("table %q: the default entry has no %s", t.name, what)
	}
	entry := &v1model.Entry{Table: t.name}
	entry.Match, entry.Priority, err = t.key(e)
	return t, entry, err
}

func (b *batch) directCounter(kind p4v1.Update_Type, e *p4v1.DirectCounterEntry) error {
	t, entry, err := b.p.resourceEntry("direct counter", e.GetTableEntry(), (*table).hasCounter)
	if err != nil {
		return err
	}
	if err := onlyModify(kind, "direct counter of table", t.name); err != nil {
		return err
	}
	if e.GetData() == nil {
		b.op(v1model.OpModify, entry) // it must be there
		return nil
	}
	b.op(v1model.OpModify, &v1model.DirectCounter{Entry: entry, Value: counterValue(e.GetData())})
	return nil
}

func (t *table) hasCounter() bool { return t.counted }
func (t *table) hasMeter() bool   { return t.meter != nil }

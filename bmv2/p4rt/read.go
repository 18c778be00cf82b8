package p4rt

import (
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// readChunk is the number of entities in one ReadResponse. With a hundred bytes each it stays far
// below the 4 MiB that gRPC clients accept by default, where a full table in one message would
// not.
const readChunk = 1000

// An emitter receives the entities that a read finds. It may keep them, but not change them.
type emitter func(*p4v1.Entity) error

// readEntity emits what a request entity asks for.
func (s *Server) readEntity(p *pipeline, e *p4v1.Entity, emit emitter) error {
	switch e := e.GetEntity().(type) {
	case *p4v1.Entity_TableEntry:
		return p.readTable(e.TableEntry, emit)
	case *p4v1.Entity_CounterEntry:
		return p.readCounter(e.CounterEntry, emit)
	case *p4v1.Entity_DirectCounterEntry:
		return p.readDirect(e.DirectCounterEntry, emit)
	case *p4v1.Entity_PacketReplicationEngineEntry:
		return p.readReplication(e.PacketReplicationEngineEntry, emit)
	case *p4v1.Entity_RegisterEntry:
		return p.readRegister(e.RegisterEntry, emit)
	case *p4v1.Entity_DigestEntry:
		return s.readDigest(p, e.DigestEntry, emit)
	case nil:
		return invalid("an entity of the read request is empty")
	default:
		return unimplemented("reading %T is not supported", e)
	}
}

// readTable emits one entry, all entries of a table, or those of all tables when the id is 0.
func (p *pipeline) readTable(e *p4v1.TableEntry, emit emitter) error {
	if e.GetTableId() == 0 {
		for _, t := range p.tableOrder {
			if err := p.readOneTable(t, e, emit); err != nil {
				return err
			}
		}
		return nil
	}
	t, err := p.table(e.GetTableId())
	if err != nil {
		return err
	}
	return p.readOneTable(t, e, emit)
}

func (p *pipeline) readOneTable(t *table, e *p4v1.TableEntry, emit emitter) error {
	if e.GetTimeSinceLastHit() != nil {
		return unimplemented("table %q: time_since_last_hit is not recorded", t.name)
	}
	if e.GetIsDefaultAction() {
		d, err := p.sw.Default(t.name)
		if err != nil {
			return fromEngine(err)
		}
		return emit(tableEntity(t.defaultEntry(d)))
	}
	entries, err := p.matching(t, e)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		out := t.tableEntry(entry)
		if e.GetCounterData() != nil && t.directCounter {
			v, err := p.sw.DirectCounter(entry)
			if err != nil {
				continue // deleted meanwhile
			}
			out.CounterData = counterData(v)
		}
		if err := emit(tableEntity(out)); err != nil {
			return err
		}
	}
	return nil
}

// matching returns the one entry with the given match, or all without one. An entry that does not
// exist is no error.
func (p *pipeline) matching(t *table, e *p4v1.TableEntry) ([]*v1model.Entry, error) {
	if len(e.GetMatch()) == 0 {
		entries, err := p.sw.Entries(t.name)
		return entries, fromEngine(err)
	}
	key := &v1model.Entry{Table: t.name}
	var err error
	if key.Match, key.Priority, err = t.key(e); err != nil {
		return nil, err
	}
	entry, err := p.sw.Entry(key)
	if err != nil || entry == nil {
		return nil, nil
	}
	return []*v1model.Entry{entry}, nil
}

func tableEntity(e *p4v1.TableEntry) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_TableEntry{TableEntry: e}}
}

// chunks collects entities into responses.
type chunks struct {
	send func(*p4v1.ReadResponse) error
	next *p4v1.ReadResponse
}

func (c *chunks) emit(e *p4v1.Entity) error {
	if c.next == nil {
		c.next = &p4v1.ReadResponse{Entities: make([]*p4v1.Entity, 0, 16)}
	}
	c.next.Entities = append(c.next.Entities, e)
	if len(c.next.Entities) < readChunk {
		return nil
	}
	return c.flush()
}

// flush sends what is left.
func (c *chunks) flush() error {
	if c.next == nil {
		return nil
	}
	response := c.next
	c.next = nil
	return c.send(response)
}

package p4rt

import (
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// Bounds of one ReadResponse. They keep it far below the 4 MiB that gRPC clients accept by default,
// where a full table in one message would not.
const (
	maxChunk     = 1000    // entities
	maxChunkSize = 1 << 20 // bytes; a single entity may exceed it
)

// An emitter receives the entities that a read finds. It may keep them, but not change them.
type emitter func(*p4v1.Entity) error

// A finding emits what one request entity asks for, as it was when the finding was made.
type finding func(emit emitter) error

// Read implements the service. What it finds is that of one instant between two writes; only then
// it is sent, so that a slow reader holds no writer up. Requests that are wrong do not keep the others
// from being answered.
func (s *Server) Read(r *p4v1.ReadRequest, out p4v1.P4Runtime_ReadServer) error {
	if err := checkCount("requests", len(r.GetEntities()), maxReadRequests); err != nil {
		return err
	}
	s.waiting.Add(1)
	select {
	case s.reading <- struct{}{}:
		s.waiting.Add(-1)
		defer func() { <-s.reading }()
	case <-out.Context().Done():
		s.waiting.Add(-1)
		return out.Context().Err()
	}
	crowded := func() bool { return s.waiting.Load() > 0 }
	return attended(maxReadPause, crowded, out.Send, func(send func(*p4v1.ReadResponse) error) error {
		return s.read(r, send)
	})
}

// read finds and sends.
func (s *Server) read(r *p4v1.ReadRequest, send func(*p4v1.ReadResponse) error) error {
	found, outcomes, err := s.find(r)
	if err != nil {
		return err
	}
	c := &chunks{send: send}
	for _, f := range found {
		if f == nil {
			continue
		}
		if err := f(c.emit); err != nil {
			return err
		}
	}
	if err := c.flush(); err != nil {
		return err
	}
	return batchError("requests", outcomes)
}

// find looks everything up that a request asks for.
func (s *Server) find(r *p4v1.ReadRequest) ([]finding, []error, error) {
	if r.GetDeviceId() != s.cfg.DeviceID {
		return nil, nil, s.unknownDevice(r.GetDeviceId())
	}
	allowed, err := s.reader(r.GetRole())
	if err != nil {
		return nil, nil, err
	}
	s.writing.RLock()
	defer s.writing.RUnlock()
	p, err := s.pipelineFor(r.GetDeviceId())
	if err != nil {
		return nil, nil, err
	}
	v := newView(s, p, allowed)
	found := make([]finding, len(r.GetEntities()))
	outcomes := make([]error, len(r.GetEntities()))
	for i, e := range r.GetEntities() {
		found[i], outcomes[i] = v.find(e)
	}
	return found, outcomes, nil
}

// view is the state of a pipeline for one read. It keeps what it has looked up, so that what a
// request holds in memory is bounded by the state and not by how often it asks.
type view struct {
	server  *Server
	p       *pipeline
	allowed *scope
	entries map[*table][]*v1model.Entry
	arrays  map[object]finding // of all cells
}

func newView(s *Server, p *pipeline, allowed *scope) *view {
	return &view{server: s, p: p, allowed: allowed,
		entries: make(map[*table][]*v1model.Entry), arrays: make(map[object]finding)}
}

// find looks up what a request entity asks for.
func (v *view) find(e *p4v1.Entity) (finding, error) {
	switch e := e.GetEntity().(type) {
	case *p4v1.Entity_TableEntry:
		return v.table(e.TableEntry)
	case *p4v1.Entity_ActionProfileMember:
		return v.members(e.ActionProfileMember)
	case *p4v1.Entity_ActionProfileGroup:
		return v.groups(e.ActionProfileGroup)
	case *p4v1.Entity_CounterEntry:
		return v.counter(e.CounterEntry)
	case *p4v1.Entity_DirectCounterEntry:
		return v.directCounter(e.DirectCounterEntry)
	case *p4v1.Entity_MeterEntry:
		return v.meter(e.MeterEntry)
	case *p4v1.Entity_DirectMeterEntry:
		return v.directMeter(e.DirectMeterEntry)
	case *p4v1.Entity_PacketReplicationEngineEntry:
		return v.replication(e.PacketReplicationEngineEntry)
	case *p4v1.Entity_ValueSetEntry:
		return v.valueSets(e.ValueSetEntry)
	case *p4v1.Entity_RegisterEntry:
		return v.register(e.RegisterEntry)
	case *p4v1.Entity_DigestEntry:
		return v.digest(e.DigestEntry)
	case nil:
		return nil, invalid("the request has no entity, or one that this server does not know")
	default:
		return nil, unimplemented("reading %T is not supported", e)
	}
}

// each joins the findings for many objects.
func each[T any](list []T, find func(T) (finding, error)) (finding, error) {
	all := make([]finding, 0, len(list))
	for _, x := range list {
		f, err := find(x)
		if err != nil {
			return nil, err
		}
		if f != nil {
			all = append(all, f)
		}
	}
	return func(emit emitter) error {
		for _, f := range all {
			if err := f(emit); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// emitAll emits what is in a list, one entity for each element.
func emitAll[T any](list []T, entity func(i int, x T) *p4v1.Entity) finding {
	return func(emit emitter) error {
		for i, x := range list {
			if err := emit(entity(i, x)); err != nil {
				return err
			}
		}
		return nil
	}
}

// arrayCells finds the cells of an array that an index means.
func arrayCells[T any](
	v *view, o object, index *p4v1.Index, size int, read func(i int) (T, error),
	entity func(i int, x T) *p4v1.Entity,
) (finding, error) {
	first, end, err := cells(&o, index, size)
	if err != nil {
		return nil, err
	}
	if f := v.arrays[o]; f != nil && index == nil {
		return f, nil
	}
	values := make([]T, end-first)
	for i := range values {
		if values[i], err = read(first + i); err != nil {
			return nil, fromEngine(err)
		}
	}
	f := emitAll(values, func(i int, x T) *p4v1.Entity { return entity(first+i, x) })
	if index == nil {
		v.arrays[o] = f
	}
	return f, nil
}

func (v *view) counter(e *p4v1.CounterEntry) (finding, error) {
	list, err := v.p.counters.wanted(e.GetCounterId(), v.allowed)
	if err != nil {
		return nil, err
	}
	return each(list, func(c *array) (finding, error) {
		read := func(i int) (v1model.CounterValue, error) { return v.p.sw.ReadCounter(c.name, i) }
		return arrayCells(v, c.object, e.GetIndex(), c.size, read,
			func(i int, x v1model.CounterValue) *p4v1.Entity {
				return &p4v1.Entity{Entity: &p4v1.Entity_CounterEntry{CounterEntry: &p4v1.CounterEntry{
					CounterId: c.id, Index: &p4v1.Index{Index: int64(i)}, Data: counterData(x)}}}
			})
	})
}

func (v *view) meter(e *p4v1.MeterEntry) (finding, error) {
	if e.GetCounterData() != nil {
		return nil, errMeterCounters
	}
	list, err := v.p.meters.wanted(e.GetMeterId(), v.allowed)
	if err != nil {
		return nil, err
	}
	return each(list, func(m *meter) (finding, error) {
		read := func(i int) (*v1model.MeterConfig, error) { return v.p.sw.Meter(m.name, i) }
		return arrayCells(v, m.object, e.GetIndex(), m.size, read,
			func(i int, x *v1model.MeterConfig) *p4v1.Entity {
				return &p4v1.Entity{Entity: &p4v1.Entity_MeterEntry{MeterEntry: &p4v1.MeterEntry{
					MeterId: m.id, Index: &p4v1.Index{Index: int64(i)}, Config: meterConfig(x)}}}
			})
	})
}

func (v *view) register(e *p4v1.RegisterEntry) (finding, error) {
	list, err := v.p.registers.wanted(e.GetRegisterId(), v.allowed)
	if err != nil {
		return nil, err
	}
	return each(list, func(r *register) (finding, error) {
		read := func(i int) ([]byte, error) { return v.p.sw.ReadRegister(r.name, i) }
		return arrayCells(v, r.object, e.GetIndex(), r.size, read, func(i int, x []byte) *p4v1.Entity {
			return registerCell(r, i, x)
		})
	})
}

func (v *view) digest(e *p4v1.DigestEntry) (finding, error) {
	list, err := v.p.digests.wanted(e.GetDigestId(), v.allowed)
	if err != nil {
		return nil, err
	}
	return each(list, func(d *digest) (finding, error) {
		config := v.server.digestConfig(d)
		switch {
		case config != nil:
			return one(&p4v1.Entity{Entity: &p4v1.Entity_DigestEntry{DigestEntry: config}}), nil
		case e.GetDigestId() != 0:
			return nil, status.Errorf(codes.NotFound, "digest %q is not configured", d.name)
		}
		return nil, nil
	})
}

func (v *view) valueSets(e *p4v1.ValueSetEntry) (finding, error) {
	list, err := v.p.sets.wanted(e.GetValueSetId(), v.allowed)
	if err != nil {
		return nil, err
	}
	return each(list, func(set *valueSet) (finding, error) {
		now, err := v.p.sw.ValueSet(set.name)
		if err != nil {
			return nil, fromEngine(err)
		}
		message, ok := now.Meta.(*p4v1.ValueSetEntry)
		if !ok {
			message = &p4v1.ValueSetEntry{ValueSetId: set.id}
		}
		return one(&p4v1.Entity{Entity: &p4v1.Entity_ValueSetEntry{ValueSetEntry: message}}), nil
	})
}

func one(e *p4v1.Entity) finding {
	return func(emit emitter) error { return emit(e) }
}

// replication finds one clone session or multicast group, or all of the kind when the id is 0.
func (v *view) replication(e *p4v1.PacketReplicationEngineEntry) (finding, error) {
	if !v.allowed.allows(0) {
		return nil, nil
	}
	switch e := e.GetType().(type) {
	case *p4v1.PacketReplicationEngineEntry_CloneSessionEntry:
		return v.sessions(e.CloneSessionEntry.GetSessionId())
	case *p4v1.PacketReplicationEngineEntry_MulticastGroupEntry:
		return v.multicast(e.MulticastGroupEntry.GetMulticastGroupId())
	}
	return nil, invalid("a replication entry is a clone session or a multicast group")
}

func (v *view) sessions(id uint32) (finding, error) {
	var found []*p4v1.CloneSessionEntry
	for _, s := range v.p.sw.CloneSessions() {
		if m, ok := s.Meta.(*p4v1.CloneSessionEntry); ok && (id == 0 || uint32(s.ID) == id) {
			found = append(found, m)
		}
	}
	if id != 0 && found == nil {
		return nil, status.Errorf(codes.NotFound, "clone session %d does not exist", id)
	}
	return emitAll(found, func(_ int, m *p4v1.CloneSessionEntry) *p4v1.Entity {
		return replicationEntity(&p4v1.PacketReplicationEngineEntry{
			Type: &p4v1.PacketReplicationEngineEntry_CloneSessionEntry{CloneSessionEntry: m}})
	}), nil
}

func (v *view) multicast(id uint32) (finding, error) {
	var found []*p4v1.MulticastGroupEntry
	for _, g := range v.p.sw.MulticastGroups() {
		if m, ok := g.Meta.(*p4v1.MulticastGroupEntry); ok && (id == 0 || uint32(g.ID) == id) {
			found = append(found, m)
		}
	}
	if id != 0 && found == nil {
		return nil, status.Errorf(codes.NotFound, "multicast group %d does not exist", id)
	}
	return emitAll(found, func(_ int, m *p4v1.MulticastGroupEntry) *p4v1.Entity {
		return replicationEntity(&p4v1.PacketReplicationEngineEntry{
			Type: &p4v1.PacketReplicationEngineEntry_MulticastGroupEntry{MulticastGroupEntry: m}})
	}), nil
}

// chunks collects entities into responses.
type chunks struct {
	send func(*p4v1.ReadResponse) error
	next *p4v1.ReadResponse
	size int // bytes
}

func (c *chunks) emit(e *p4v1.Entity) error {
	if c.next == nil {
		c.next = &p4v1.ReadResponse{Entities: make([]*p4v1.Entity, 0, 16)}
	}
	c.next.Entities = append(c.next.Entities, e)
	if c.size += proto.Size(e); len(c.next.Entities) < maxChunk && c.size < maxChunkSize {
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
	c.next, c.size = nil, 0
	return c.send(response)
}

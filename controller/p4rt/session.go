package p4rt

import (
	"context"
	"errors"
	"fmt"
	"io"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"google.golang.org/grpc/codes"
)

// Session is one term as primary controller of a switch. Its methods are safe for concurrent use
// and end with the context that they are given.
type Session struct {
	client *Client
	rpc    p4v1.P4RuntimeClient
	stream *stream
}

// Info returns the names of the program.
func (s *Session) Info() *Info { return s.client.info }

// Write executes one batch of updates in any order. A *BatchError says that some were refused.
func (s *Session) Write(ctx context.Context, updates []tables.Update) error {
	request := &p4v1.WriteRequest{
		DeviceId: s.client.cfg.DeviceID, ElectionId: s.client.cfg.ElectionID.proto(),
		Atomicity: p4v1.WriteRequest_CONTINUE_ON_ERROR,
		Updates:   make([]*p4v1.Update, len(updates)),
	}
	for i, u := range updates {
		update, err := s.client.info.Update(u)
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		request.Updates[i] = update
	}
	if _, err := s.rpc.Write(ctx, request); err != nil {
		return batchError(err, updates)
	}
	return nil
}

// read calls f with every entity that the switch returns for the wanted ones.
func (s *Session) read(ctx context.Context, wanted []*p4v1.Entity, f func(*p4v1.Entity) error,
) error {
	replies, err := s.rpc.Read(ctx, &p4v1.ReadRequest{
		DeviceId: s.client.cfg.DeviceID, Entities: wanted,
	})
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	for {
		reply, err := replies.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		for _, entity := range reply.GetEntities() {
			if err := f(entity); err != nil {
				return fmt.Errorf("read: %w", err)
			}
		}
	}
}

// ReadTables returns all entries of the named tables, normalized.
func (s *Session) ReadTables(ctx context.Context, names ...string) ([]tables.Entry, error) {
	var wanted []*p4v1.Entity
	for _, name := range names {
		t, err := s.client.info.tables.find(name)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, &p4v1.Entity{Entity: &p4v1.Entity_TableEntry{
			TableEntry: &p4v1.TableEntry{TableId: t.id}}})
	}
	var out []tables.Entry
	err := s.read(ctx, wanted, func(entity *p4v1.Entity) error {
		m := entity.GetTableEntry()
		if m == nil || m.GetIsDefaultAction() {
			return nil
		}
		e, err := s.client.info.DecodeEntry(m)
		out = append(out, e)
		return err
	})
	return out, err
}

// ReadCloneSessions returns all clone sessions.
func (s *Session) ReadCloneSessions(ctx context.Context) ([]tables.CloneSession, error) {
	wanted := []*p4v1.Entity{cloneSessionEntity(tables.CloneSession{})}
	var out []tables.CloneSession
	err := s.read(ctx, wanted, func(entity *p4v1.Entity) error {
		if c := entity.GetPacketReplicationEngineEntry().GetCloneSessionEntry(); c != nil {
			out = append(out, decodeCloneSession(c))
		}
		return nil
	})
	return out, err
}

// ReadDigest returns the configuration of a digest; ok is false if there is none.
func (s *Session) ReadDigest(ctx context.Context, name string,
) (d tables.Digest, ok bool, err error) {
	info, err := s.client.info.digests.find(name)
	if err != nil {
		return d, false, err
	}
	err = s.read(ctx, []*p4v1.Entity{digestEntity(info.id, nil)}, func(entity *p4v1.Entity) error {
		if m := entity.GetDigestEntry(); m.GetConfig() != nil {
			d, err = s.client.info.decodeDigestConfig(m)
			ok = true
		}
		return err
	})
	if readCode(err) == codes.NotFound { // what servers say of a digest without configuration
		return tables.Digest{}, false, nil
	}
	return d, ok, err
}

// ReadState returns all that the named tables hold, the clone sessions, and the named digests.
func (s *Session) ReadState(ctx context.Context, tableNames, digests []string,
) (tables.State, error) {
	var state tables.State
	var err error
	if state.Entries, err = s.ReadTables(ctx, tableNames...); err != nil {
		return state, err
	}
	if state.CloneSessions, err = s.ReadCloneSessions(ctx); err != nil {
		return state, err
	}
	for _, name := range digests {
		d, ok, err := s.ReadDigest(ctx, name)
		if err != nil {
			return state, err
		}
		if ok {
			state.Digests = append(state.Digests, d)
		}
	}
	return state, nil
}

// Cell is the value of one cell of a counter array.
type Cell struct {
	Index   int64
	Packets uint64
	Bytes   uint64
}

// ReadCounter returns the cells of a counter array with the given indices, all without any.
func (s *Session) ReadCounter(ctx context.Context, name string, indices ...int64) ([]Cell, error) {
	c, err := s.client.info.counters.find(name)
	if err != nil {
		return nil, err
	}
	id := c.GetPreamble().GetId()
	wanted := make([]*p4v1.Entity, 0, max(1, len(indices)))
	for _, at := range indices {
		wanted = append(wanted, counterEntity(id, &p4v1.Index{Index: at}))
	}
	if len(indices) == 0 {
		wanted = append(wanted, counterEntity(id, nil))
	}
	out := make([]Cell, 0, len(wanted))
	err = s.read(ctx, wanted, func(entity *p4v1.Entity) error {
		m := entity.GetCounterEntry()
		out = append(out, Cell{
			Index:   m.GetIndex().GetIndex(),
			Packets: uint64(m.GetData().GetPacketCount()),
			Bytes:   uint64(m.GetData().GetByteCount()),
		})
		return nil
	})
	return out, err
}

func counterEntity(id uint32, at *p4v1.Index) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_CounterEntry{
		CounterEntry: &p4v1.CounterEntry{CounterId: id, Index: at}}}
}

// Metadata are the named fields of the header of a packet-in or packet-out.
type Metadata map[string]tables.Value

// SendPacket queues a packet-out. Fields that are left out are zero. It never blocks; ErrQueueFull
// says that the packet was dropped.
func (s *Session) SendPacket(payload []byte, meta Metadata) error {
	header := s.client.info.packetOut
	out := &p4v1.PacketOut{Payload: append([]byte(nil), payload...)}
	for name, f := range header.fields {
		value, given := meta[name]
		if !given {
			value = tables.Uint(0)
		}
		if err := fits("packet-out "+name, value, f.bits); err != nil {
			return err
		}
		out.Metadata = append(out.Metadata, &p4v1.PacketMetadata{MetadataId: f.id,
			Value: []byte(value)})
	}
	return s.stream.send(&p4v1.StreamMessageRequest{
		Update: &p4v1.StreamMessageRequest_Packet{Packet: out}})
}

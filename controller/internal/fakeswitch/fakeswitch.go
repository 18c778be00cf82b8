// Package fakeswitch is a P4Runtime server for tests of the controller: it keeps what is written
// and gives it back, elects a primary, and lets a test play packets, digests and failures. It
// forwards nothing and checks little; the built-in switch and simple_switch_grpc do.
package fakeswitch

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Switch is the server. Use New.
type Switch struct {
	p4v1.UnimplementedP4RuntimeServer

	mu       sync.Mutex
	pipeline *p4v1.ForwardingPipelineConfig
	pushes   int
	entities map[string]*p4v1.Entity // by kind and key
	counters map[string]*p4v1.CounterData
	streams  []*client
	writes   int // updates executed
	refuse   func(*p4v1.Update) codes.Code
	packets  []*p4v1.PacketOut
	acks     []*p4v1.DigestListAck
	changed  chan struct{}
	server   *grpc.Server
}

type client struct {
	id   *p4v1.Uint128
	send chan *p4v1.StreamMessageResponse
}

// New returns a switch that runs no program.
func New() *Switch {
	return &Switch{entities: make(map[string]*p4v1.Entity),
		counters: make(map[string]*p4v1.CounterData), changed: make(chan struct{})}
}

// Listen serves on the loopback until stop is called, and returns the address.
func (s *Switch) Listen() (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s.Serve(l)
	return l.Addr().String(), s.Stop, nil
}

// Serve answers on l until Stop.
func (s *Switch) Serve(l net.Listener) {
	s.server = grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	p4v1.RegisterP4RuntimeServer(s.server, s)
	go func() { _ = s.server.Serve(l) }() // ends with Stop
}

// Stop ends all sessions.
func (s *Switch) Stop() { s.server.Stop() }

// StreamChannel implements p4v1.P4RuntimeServer.
func (s *Switch) StreamChannel(rpc p4v1.P4Runtime_StreamChannelServer) error {
	first, err := rpc.Recv()
	if err != nil {
		return err
	}
	me := &client{id: first.GetArbitration().GetElectionId(),
		send: make(chan *p4v1.StreamMessageResponse, 1000)}
	if err := s.join(me); err != nil {
		return err
	}
	defer s.leave(me)
	go func() {
		for {
			m, err := rpc.Recv()
			if err != nil {
				return
			}
			s.receive(m)
		}
	}()
	for {
		select {
		case m := <-me.send:
			if err := rpc.Send(m); err != nil {
				return err
			}
		case <-rpc.Context().Done():
			return nil
		}
	}
}

func (s *Switch) join(me *client) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.streams {
		if compare(c.id, me.id) == 0 {
			return grpcstatus.Error(codes.InvalidArgument, "election id is in use")
		}
	}
	s.streams = append(s.streams, me)
	s.arbitrate()
	return nil
}

func (s *Switch) leave(me *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams = slices.DeleteFunc(s.streams, func(c *client) bool { return c == me })
	s.arbitrate()
}

func compare(a, b *p4v1.Uint128) int {
	if a.GetHigh() != b.GetHigh() {
		return int(int64(a.GetHigh() - b.GetHigh()))
	}
	return int(int64(a.GetLow() - b.GetLow()))
}

// primary returns the stream with the highest election id. The lock is held.
func (s *Switch) primary() *client {
	if len(s.streams) == 0 {
		return nil
	}
	return slices.MaxFunc(s.streams, func(a, b *client) int { return compare(a.id, b.id) })
}

func (s *Switch) arbitrate() {
	best := s.primary()
	for _, c := range s.streams {
		code := codes.OK
		if c != best {
			code = codes.AlreadyExists
		}
		c.send <- &p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Arbitration{
			Arbitration: &p4v1.MasterArbitrationUpdate{
				ElectionId: best.id, Status: &status.Status{Code: int32(code)}}}}
	}
	s.broadcast()
}

// broadcast wakes everybody who waits for a change. The lock is held.
func (s *Switch) broadcast() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Switch) receive(m *p4v1.StreamMessageRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := m.GetPacket(); p != nil {
		s.packets = append(s.packets, p)
	}
	if a := m.GetDigestAck(); a != nil {
		s.acks = append(s.acks, a)
	}
	s.broadcast()
}

// SetForwardingPipelineConfig implements p4v1.P4RuntimeServer.
func (s *Switch) SetForwardingPipelineConfig(_ context.Context,
	r *p4v1.SetForwardingPipelineConfigRequest,
) (*p4v1.SetForwardingPipelineConfigResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pipeline = proto.Clone(r.GetConfig()).(*p4v1.ForwardingPipelineConfig)
	s.pushes++
	if r.GetAction() == p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT {
		clear(s.entities)
	}
	return new(p4v1.SetForwardingPipelineConfigResponse), nil
}

// GetForwardingPipelineConfig implements p4v1.P4RuntimeServer.
func (s *Switch) GetForwardingPipelineConfig(context.Context,
	*p4v1.GetForwardingPipelineConfigRequest,
) (*p4v1.GetForwardingPipelineConfigResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipeline == nil {
		return nil, grpcstatus.Error(codes.FailedPrecondition, "no pipeline")
	}
	return &p4v1.GetForwardingPipelineConfigResponse{Config: &p4v1.ForwardingPipelineConfig{
		Cookie: s.pipeline.GetCookie()}}, nil
}

// Write implements p4v1.P4RuntimeServer.
func (s *Switch) Write(_ context.Context, r *p4v1.WriteRequest) (*p4v1.WriteResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := s.primary()
	if best == nil || compare(best.id, r.GetElectionId()) != 0 {
		return nil, grpcstatus.Error(codes.PermissionDenied, "not primary")
	}
	failed, silent := false, false
	failure := grpcstatus.New(codes.Unknown, "some updates failed")
	for _, u := range r.GetUpdates() {
		code := s.execute(u)
		failed, silent = failed || code != codes.OK, silent || code == codes.ResourceExhausted
		failure, _ = failure.WithDetails(&p4v1.Error{CanonicalCode: int32(code),
			Message: "refused"})
	}
	s.broadcast()
	if silent { // what a client sees when the details outgrow the metadata of a response
		return nil, grpcstatus.Error(codes.ResourceExhausted, "initial metadata exceeds limit")
	}
	if failed {
		return nil, failure.Err()
	}
	return new(p4v1.WriteResponse), nil
}

func (s *Switch) execute(u *p4v1.Update) codes.Code {
	if s.refuse != nil {
		if code := s.refuse(u); code != codes.OK {
			return code
		}
	}
	s.writes++
	key := keyOf(u.GetEntity())
	_, exists := s.entities[key]
	switch {
	case u.GetType() == p4v1.Update_INSERT && exists:
		return codes.AlreadyExists
	case u.GetType() != p4v1.Update_INSERT && !exists:
		return codes.NotFound
	case u.GetType() == p4v1.Update_DELETE:
		delete(s.entities, key)
	default:
		s.entities[key] = proto.Clone(u.GetEntity()).(*p4v1.Entity)
	}
	return codes.OK
}

func keyOf(e *p4v1.Entity) string {
	switch {
	case e.GetTableEntry() != nil:
		t := proto.Clone(e.GetTableEntry()).(*p4v1.TableEntry)
		t.Action = nil
		slices.SortFunc(t.Match, func(a, b *p4v1.FieldMatch) int {
			return int(a.GetFieldId()) - int(b.GetFieldId())
		})
		b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(t)
		return "table " + string(b)
	case e.GetDigestEntry() != nil:
		return fmt.Sprintf("digest %d", e.GetDigestEntry().GetDigestId())
	default:
		return fmt.Sprintf("clone %d", e.GetPacketReplicationEngineEntry().GetCloneSessionEntry().
			GetSessionId())
	}
}

// Read implements p4v1.P4RuntimeServer.
func (s *Switch) Read(r *p4v1.ReadRequest, rpc p4v1.P4Runtime_ReadServer) error {
	reply := new(p4v1.ReadResponse)
	s.mu.Lock()
	var err error
	for _, want := range r.GetEntities() {
		if c := want.GetCounterEntry(); c != nil {
			reply.Entities = append(reply.Entities, s.counter(c))
			continue
		}
		before := len(reply.Entities)
		for _, have := range s.entities {
			if matches(want, have) {
				reply.Entities = append(reply.Entities, have)
			}
		}
		if want.GetDigestEntry() != nil && len(reply.Entities) == before {
			err = grpcstatus.Error(codes.NotFound, "digest is not configured") // as PI does
		}
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return rpc.Send(reply)
}

func (s *Switch) counter(c *p4v1.CounterEntry) *p4v1.Entity {
	out := proto.Clone(c).(*p4v1.CounterEntry)
	out.Data = s.counters[counterKey(c.GetCounterId(), c.GetIndex().GetIndex())]
	return &p4v1.Entity{Entity: &p4v1.Entity_CounterEntry{CounterEntry: out}}
}

func counterKey(id uint32, index int64) string { return fmt.Sprint(id, " ", index) }

func matches(want, have *p4v1.Entity) bool {
	switch {
	case want.GetTableEntry() != nil:
		return have.GetTableEntry().GetTableId() == want.GetTableEntry().GetTableId()
	case want.GetDigestEntry() != nil:
		return have.GetDigestEntry().GetDigestId() == want.GetDigestEntry().GetDigestId()
	}
	return have.GetPacketReplicationEngineEntry() != nil
}

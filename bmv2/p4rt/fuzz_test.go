package p4rt

import (
	"context"
	"io"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func marshal(f *testing.F, m proto.Message) []byte {
	data, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	return data
}

// No Write, however broken, may panic; it reports an outcome for every update, and one that is to be
// all or nothing and fails changes nothing.
func FuzzWrite(f *testing.F) {
	r := newRig(f).withEntities()
	for _, u := range r.oneOfEach() {
		f.Add(marshal(f, &p4v1.WriteRequest{DeviceId: device, Updates: []*p4v1.Update{u, u}}))
	}
	f.Add(marshal(f, &p4v1.WriteRequest{DeviceId: device, Updates: r.oneOfEach(), Atomicity: rollback}))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := new(p4v1.WriteRequest)
		if proto.Unmarshal(data, m) != nil {
			return
		}
		m.DeviceId, m.ElectionId, m.Role = device, nil, ""
		before := r.state(t)
		_, err := r.server.Write(t.Context(), m)
		details := status.Convert(err).Details()
		if len(details) != 0 && len(details) != len(m.GetUpdates()) {
			t.Errorf("%d details for %d updates", len(details), len(m.GetUpdates()))
		}
		if err != nil && m.GetAtomicity() != goOn && !sameEntities(before, r.state(t)) {
			t.Errorf("%v failed and changed something", m)
		}
	})
}

// state reads everything without gRPC.
func (r *rig) state(t *testing.T) (all []*p4v1.Entity) {
	t.Helper()
	keep := func(e *p4v1.Entity) error {
		all = append(all, e)
		return nil
	}
	for _, e := range []*p4v1.Entity{
		tableEntity(&p4v1.TableEntry{CounterData: &p4v1.CounterData{}, MeterConfig: &p4v1.MeterConfig{}}),
		tableEntity(&p4v1.TableEntry{IsDefaultAction: true}),
		{Entity: &p4v1.Entity_ActionProfileMember{ActionProfileMember: &p4v1.ActionProfileMember{}}},
		{Entity: &p4v1.Entity_ActionProfileGroup{ActionProfileGroup: &p4v1.ActionProfileGroup{}}},
		counterEntity(&p4v1.CounterEntry{}), meterEntity(0, nil, nil), registerEntity(0, nil, ""),
		session(0, 0), group(0), digestEntity(0, nil),
		{Entity: &p4v1.Entity_ValueSetEntry{ValueSetEntry: &p4v1.ValueSetEntry{}}},
	} {
		if err := r.find(e, keep); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// readSink takes the answers of a Read.
type readSink struct {
	grpc.ServerStream
	size int
}

func (s *readSink) Context() context.Context { return context.Background() }

func (s *readSink) Send(m *p4v1.ReadResponse) error {
	s.size = max(s.size, proto.Size(m))
	return nil
}

// No Read, however broken, may panic, and every one of its requests has an outcome.
func FuzzRead(f *testing.F) {
	r := newRig(f).withEntities()
	for _, u := range r.oneOfEach() {
		r.mustWrite(u)
		f.Add(marshal(f, &p4v1.ReadRequest{Entities: []*p4v1.Entity{u.GetEntity(), nil}}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := new(p4v1.ReadRequest)
		if proto.Unmarshal(data, m) != nil {
			return
		}
		m.DeviceId, m.Role = device, ""
		sink := &readSink{}
		details := status.Convert(r.server.Read(m, sink)).Details()
		if len(details) != 0 && len(details) != len(m.GetEntities()) {
			t.Errorf("%d details for %d requests", len(details), len(m.GetEntities()))
		}
		if sink.size > 2*maxChunkSize {
			t.Errorf("a message of %d bytes", sink.size)
		}
	})
}

// streamScript plays messages of a controller and takes the answers.
type streamScript struct {
	grpc.ServerStream
	t        *testing.T
	messages []*p4v1.StreamMessageRequest
}

func (s *streamScript) Recv() (*p4v1.StreamMessageRequest, error) {
	if len(s.messages) == 0 {
		return nil, io.EOF
	}
	m := s.messages[0]
	s.messages = s.messages[1:]
	return m, nil
}

func (s *streamScript) Send(m *p4v1.StreamMessageResponse) error {
	if proto.Size(m) > maxRoleConfig+2*maxEcho+1024 {
		s.t.Errorf("an answer of %d bytes", proto.Size(m))
	}
	return nil
}

// No message on a stream may panic or hang the server; when the stream has ended, nothing of its
// controller is left.
func FuzzStream(f *testing.F) {
	for _, m := range []*p4v1.StreamMessageRequest{
		arbitration(device, 5, "role"), claim("edge", 3, roleConfig{shared: []uint32{1}}.any()),
		{Update: &p4v1.StreamMessageRequest_Packet{Packet: &p4v1.PacketOut{Payload: ethernet(1)}}},
		{Update: &p4v1.StreamMessageRequest_DigestAck{DigestAck: &p4v1.DigestListAck{DigestId: 5}}},
		{Update: &p4v1.StreamMessageRequest_Other{}}, {},
	} {
		f.Add(marshal(f, m), false)
		f.Add(marshal(f, m), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, primary bool) {
		m := new(p4v1.StreamMessageRequest)
		if proto.Unmarshal(data, m) != nil {
			return
		}
		r := newRig(t).withEntities()
		s := &streamScript{t: t, messages: []*p4v1.StreamMessageRequest{m, m}}
		if primary {
			s.messages = append([]*p4v1.StreamMessageRequest{arbitration(device, 1, "")}, s.messages...)
		}
		c := &stream{server: r.server, channel: s, cut: func(error) {},
			notices: make(chan *p4v1.StreamMessageResponse, maxNotices),
			reports: make(chan report, maxReports)}
		c.tell = c.notify
		err := c.receive()
		close(c.notices)
		close(c.reports)
		for m := range c.notices {
			_ = s.Send(m)
		}
		for one := range c.reports {
			_ = s.Send(one.m)
		}
		if code := status.Code(err); code == codes.Internal || code == codes.Unknown {
			t.Errorf("the stream ended with %v", err)
		}
		if len(r.server.streams) != 0 || len(*r.server.spokesmen.Load()) != 0 {
			t.Error("the controller is still there")
		}
	})
}

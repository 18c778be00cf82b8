package p4rt

import (
	"bytes"
	"strings"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// peer is a controller's end of a stream.
type peer struct {
	t       testing.TB
	channel p4v1.P4Runtime_StreamChannelClient
}

func (r *rig) connect() *peer {
	r.t.Helper()
	channel, err := r.client.StreamChannel(r.context())
	if err != nil {
		r.t.Fatal(err)
	}
	return &peer{r.t, channel}
}

func (p *peer) send(m *p4v1.StreamMessageRequest) {
	p.t.Helper()
	if err := p.channel.Send(m); err != nil {
		p.t.Fatal(err)
	}
}

// elect asks for a role and returns the code of the answer.
func (p *peer) elect(low uint64) codes.Code {
	p.t.Helper()
	p.send(arbitration(device, low, ""))
	return p.notified()
}

func arbitration(device, low uint64, role string) *p4v1.StreamMessageRequest {
	update := &p4v1.MasterArbitrationUpdate{DeviceId: device, ElectionId: &p4v1.Uint128{Low: low}}
	if role != "" {
		update.Role = &p4v1.Role{Name: role}
	}
	return &p4v1.StreamMessageRequest{
		Update: &p4v1.StreamMessageRequest_Arbitration{Arbitration: update}}
}

// notified waits for an arbitration message and returns its code.
func (p *peer) notified() codes.Code {
	p.t.Helper()
	m := p.receive()
	if m.GetArbitration() == nil {
		p.t.Fatalf("got %v, want an arbitration message", m)
	}
	return codes.Code(m.GetArbitration().GetStatus().GetCode())
}

func (p *peer) receive() *p4v1.StreamMessageResponse {
	p.t.Helper()
	m, err := p.channel.Recv()
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// ended waits for the end of the stream.
func (p *peer) ended() codes.Code {
	for {
		if _, err := p.channel.Recv(); err != nil {
			return status.Code(eof(err))
		}
	}
}

func (r *rig) writeAs(low uint64) codes.Code {
	_, err := r.client.Write(r.context(), &p4v1.WriteRequest{
		DeviceId: device, ElectionId: &p4v1.Uint128{Low: low},
	})
	return status.Code(err)
}

func TestOnlyThePrimaryWrites(t *testing.T) {
	r := newRig(t).withPipeline()
	if got := r.writeAs(1); got != codes.PermissionDenied {
		t.Errorf("a write with an id and nobody connected: %v", got)
	}
	first, second := r.connect(), r.connect()
	if got := first.elect(1); got != codes.OK {
		t.Errorf("first controller: %v", got)
	}
	if got := second.elect(2); got != codes.OK {
		t.Errorf("second controller: %v", got)
	}
	if got := first.notified(); got != codes.AlreadyExists {
		t.Errorf("the former primary heard %v", got)
	}
	for low, want := range map[uint64]codes.Code{
		1: codes.PermissionDenied, 2: codes.OK, 3: codes.PermissionDenied,
	} {
		if got := r.writeAs(low); got != want {
			t.Errorf("write with id %d: %v, want %v", low, got, want)
		}
	}
	if got := r.write(&p4v1.Update{})[0]; got != codes.PermissionDenied {
		t.Errorf("write without an id: %v", got)
	}
	if err := second.channel.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got := first.notified(); got != codes.NotFound {
		t.Errorf("after the primary left: %v", got)
	}
	if got := r.writeAs(1); got != codes.PermissionDenied {
		t.Errorf("a backup's write: %v", got)
	}
	if got := first.elect(2); got != codes.OK {
		t.Errorf("the former primary's id: %v", got)
	}
	if got := r.writeAs(2); got != codes.OK {
		t.Errorf("the new primary's write: %v", got)
	}
}

func TestArbitrationErrorsEndTheStream(t *testing.T) {
	r := newRig(t)
	holder := r.connect()
	holder.elect(4)
	for name, c := range map[string]struct {
		first *p4v1.StreamMessageRequest // may be nil
		m     *p4v1.StreamMessageRequest
		want  codes.Code
	}{
		"unknown device": {nil, arbitration(device+1, 1, ""), codes.NotFound},
		"another device": {arbitration(device, 1, ""), arbitration(device+1, 1, ""),
			codes.FailedPrecondition},
		"another role": {arbitration(device, 1, ""), arbitration(device, 1, "reader"),
			codes.FailedPrecondition},
		"id in use": {nil, arbitration(device, 4, ""), codes.InvalidArgument},
		"long role": {nil, arbitration(device, 5, strings.Repeat("r", maxRoleName+1)),
			codes.InvalidArgument},
	} {
		p := r.connect()
		if c.first != nil {
			p.send(c.first)
			p.notified()
		}
		p.send(c.m)
		if got := p.ended(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestPacketInGoesToThePrimary(t *testing.T) {
	r := newRig(t).withPipeline()
	r.mustWrite(insert(tableEntity(
		r.entry(forwardTable, key(exact(1, "\x08")), "ingress.to_controller", "\x55"))))
	r.receive(3, ethernet(8)) // nobody is there
	backup, primary := r.connect(), r.connect()
	backup.elect(1)
	primary.elect(2)
	r.receive(257, ethernet(8))
	in := primary.receive().GetPacket()
	if !bytes.Equal(in.GetPayload(), ethernet(8)) || len(in.GetMetadata()) != 2 {
		t.Fatalf("packet in: %v", in)
	}
	for i, want := range []string{"\x01\x01", "\x55"} {
		m := in.GetMetadata()[i]
		if m.GetMetadataId() != uint32(i+1) || string(m.GetValue()) != want {
			t.Errorf("metadata %d: %v, want %x", i, m, want)
		}
	}
	if s := r.server.Stats(); s.PacketIns != 1 || s.PacketInDrops != 1 {
		t.Errorf("stats %+v, want one packet in and one drop", s)
	}
}

func TestBrokenPacketOutIsReported(t *testing.T) {
	r := newRig(t).withPipeline()
	p := r.connect()
	out := func(id uint32, value string) *p4v1.StreamMessageRequest {
		return &p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Packet{
			Packet: &p4v1.PacketOut{Payload: ethernet(1), Metadata: []*p4v1.PacketMetadata{
				{MetadataId: id, Value: []byte(value)}}}}}
	}
	p.send(out(1, "\x01"))
	p.send(arbitration(device, 1, ""))
	p.send(out(9, "\x01"))
	p.send(out(1, "\x02\x00"))
	p.send(out(1, "\x01"))
	codesSeen := make(map[codes.Code]int)
	for range 4 {
		m := p.receive()
		if e := m.GetError(); e != nil {
			codesSeen[codes.Code(e.GetCanonicalCode())]++
		}
	}
	if codesSeen[codes.PermissionDenied] != 1 || codesSeen[codes.InvalidArgument] != 2 {
		t.Errorf("stream errors: %v", codesSeen)
	}
}

// A controller that reads nothing costs packets, not memory, and holds no worker up.
func TestSilentControllerLosesPackets(t *testing.T) {
	r := newRig(t).withPipeline()
	p := r.connect()
	p.elect(1)
	frame := make([]byte, 1500)
	const flood = 3 * maxReports
	for range flood {
		r.server.PacketIn(frame)
	}
	s := r.server.Stats()
	if s.PacketIns+s.PacketInDrops != flood || s.PacketInDrops == 0 {
		t.Errorf("stats %+v, want %d packets, some of them dropped", s, flood)
	}
}

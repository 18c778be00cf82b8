package p4rt

import (
	"bytes"
	"strings"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
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

// What a controller sends in vain is answered with an error that says what it was.
func TestStreamErrors(t *testing.T) {
	r := newRig(t).withPipeline()
	p := r.connect()
	ack := func(id uint32) *p4v1.StreamMessageRequest {
		return &p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_DigestAck{
			DigestAck: &p4v1.DigestListAck{DigestId: id, ListId: 4}}}
	}
	other := &p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Other{
		Other: &anypb.Any{TypeUrl: "x/y"}}}
	large := &p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Packet{
		Packet: &p4v1.PacketOut{Payload: make([]byte, 2*maxEcho)}}}
	expect := func(m *p4v1.StreamMessageRequest, want codes.Code, about func(*p4v1.StreamError) bool) {
		t.Helper()
		p.send(m)
		e := p.receive().GetError()
		if codes.Code(e.GetCanonicalCode()) != want || e.GetMessage() == "" || !about(e) {
			t.Errorf("%v was answered with %v, want %v", m, e, want)
		}
	}
	isAck := func(e *p4v1.StreamError) bool {
		return e.GetDigestListAck().GetDigestListAck().GetListId() == 4
	}
	expect(ack(r.digestID()), codes.PermissionDenied, isAck)
	expect(large, codes.PermissionDenied, func(e *p4v1.StreamError) bool {
		return e.GetPacketOut() != nil && e.GetPacketOut().GetPacketOut() == nil // too large to repeat
	})
	p.elect(1)
	expect(ack(5), codes.InvalidArgument, isAck)
	expect(other, codes.Unimplemented, func(e *p4v1.StreamError) bool {
		return e.GetOther().GetOther().GetTypeUrl() == "x/y"
	})
	expect(&p4v1.StreamMessageRequest{}, codes.InvalidArgument, func(e *p4v1.StreamError) bool {
		return e.GetDetails() == nil
	})
}

// A controller that opens a second stream with its id while the first is still there is refused; with
// the first one gone it is primary again.
func TestStreamsAreReplaced(t *testing.T) {
	r := newRig(t).withPipeline()
	first := r.connect()
	first.elect(4)
	again := r.connect()
	again.send(arbitration(device, 4, ""))
	if got := again.ended(); got != codes.InvalidArgument {
		t.Errorf("the same id twice: %v", got)
	}
	if err := first.channel.CloseSend(); err != nil {
		t.Fatal(err)
	}
	first.ended()
	if got := r.connect().elect(4); got != codes.OK {
		t.Errorf("after the first stream ended: %v", got)
	}
}

// An unset election id never wins, one of zero does.
func TestUnsetAndZeroElectionIDs(t *testing.T) {
	r := newRig(t)
	p := r.connect()
	unset := arbitration(device, 0, "")
	unset.GetArbitration().ElectionId = nil
	p.send(unset)
	if m := p.receive().GetArbitration(); m.GetStatus().GetCode() != int32(codes.NotFound) ||
		m.GetElectionId() != nil {
		t.Errorf("an unset id: %v", m)
	}
	if got := p.elect(0); got != codes.OK {
		t.Errorf("an id of zero: %v", got)
	}
	if got := r.write(&p4v1.Update{})[0]; got != codes.PermissionDenied {
		t.Errorf("a write without id while the primary has zero: %v", got)
	}
	if got := r.writeAs(0); got != codes.FailedPrecondition { // it may, but there is no pipeline
		t.Errorf("a write with id zero: %v", got)
	}
}

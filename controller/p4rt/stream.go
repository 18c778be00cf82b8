package p4rt

import (
	"context"
	"fmt"
	"math"
	"sync"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// queueLength bounds what waits to be sent to one switch. Packets beyond it are dropped, as a full
// port would.
const queueLength = 512

// stream is the message channel to a switch: one goroutine receives, one sends.
type stream struct {
	client *Client
	rpc    p4v1.P4Runtime_StreamChannelClient
	cancel context.CancelFunc
	out    chan *p4v1.StreamMessageRequest
	done   sync.WaitGroup
	closed chan struct{} // when the receiver has ended

	mu      sync.Mutex
	primary context.Context // not nil while primary
	resign  context.CancelFunc
	changed chan struct{} // closed and replaced at every arbitration
	err     error         // why the stream ended
}

// open starts a stream and takes part in the arbitration.
func (c *Client) open(ctx context.Context, rpc p4v1.P4RuntimeClient) (*stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	channel, err := rpc.StreamChannel(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("switch %s: %w", c.cfg.Target, err)
	}
	s := &stream{
		client: c, rpc: channel, cancel: cancel,
		out:     make(chan *p4v1.StreamMessageRequest, queueLength),
		changed: make(chan struct{}), closed: make(chan struct{}),
	}
	s.out <- &p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Arbitration{
		Arbitration: &p4v1.MasterArbitrationUpdate{
			DeviceId: c.cfg.DeviceID, ElectionId: c.cfg.ElectionID.proto()},
	}}
	s.done.Add(2)
	go s.sendAll(ctx)
	go s.receiveAll(ctx)
	return s, nil
}

// close ends the stream and waits for its goroutines.
func (s *stream) close() {
	s.cancel()
	s.done.Wait()
}

func (s *stream) sendAll(ctx context.Context) {
	defer s.done.Done()
	for {
		select {
		case m := <-s.out:
			if s.rpc.Send(m) != nil {
				return // the receiver learns why
			}
		case <-ctx.Done():
			return
		case <-s.closed:
			return
		}
	}
}

// send queues a message without waiting.
func (s *stream) send(m *p4v1.StreamMessageRequest) error {
	select {
	case <-s.closed:
		return ErrClosed
	default:
	}
	select {
	case s.out <- m:
		return nil
	default:
		return ErrQueueFull
	}
}

func (s *stream) receiveAll(ctx context.Context) {
	defer s.done.Done()
	for {
		m, err := s.rpc.Recv()
		if err != nil {
			s.end(fmt.Errorf("switch %s: stream: %w", s.client.cfg.Target, err))
			return
		}
		s.dispatch(ctx, m)
	}
}

// end makes every wait return.
func (s *stream) end(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	s.setPrimary(nil, false)
	close(s.closed)
}

func (s *stream) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *stream) dispatch(ctx context.Context, m *p4v1.StreamMessageResponse) {
	switch update := m.GetUpdate().(type) {
	case *p4v1.StreamMessageResponse_Arbitration:
		// OK: this client is primary. ALREADY_EXISTS: another one is. NOT_FOUND: none is.
		is := codes.Code(update.Arbitration.GetStatus().GetCode()) == codes.OK
		s.setPrimary(ctx, is)
		s.client.cfg.Events.primary(is)
	case *p4v1.StreamMessageResponse_Packet:
		s.packetIn(update.Packet)
	case *p4v1.StreamMessageResponse_Digest:
		s.digest(update.Digest)
	case *p4v1.StreamMessageResponse_Error:
		s.client.cfg.Events.streamError(update.Error.GetMessage())
	case *p4v1.StreamMessageResponse_Other:
		if port, up, ok := portStatusOf(update.Other); ok {
			s.client.cfg.Events.portStatus(port, up)
		}
	}
}

// portStatusOf reads a message of the built-in switch, a Struct such as
// {"port_status": {"port": 3, "up": false}}; ok is false for any other.
func portStatusOf(m *anypb.Any) (port uint32, up, ok bool) {
	var body structpb.Struct
	if m.UnmarshalTo(&body) != nil {
		return 0, false, false
	}
	fields := body.GetFields()["port_status"].GetStructValue().GetFields()
	number, hasPort := fields["port"].GetKind().(*structpb.Value_NumberValue)
	state, hasState := fields["up"].GetKind().(*structpb.Value_BoolValue)
	if !hasPort || !hasState || number.NumberValue < 0 || number.NumberValue > math.MaxUint32 {
		return 0, false, false
	}
	return uint32(number.NumberValue), state.BoolValue, true
}

// setPrimary opens or ends a term. An arbitration that changes nothing leaves the term alone.
func (s *stream) setPrimary(ctx context.Context, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if is == (s.primary != nil) {
		return
	}
	if is {
		s.primary, s.resign = context.WithCancel(ctx)
	} else {
		s.resign()
		s.primary = nil
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// awaitPrimacy returns the context of a term, or why there will be none.
func (s *stream) awaitPrimacy(ctx context.Context) (context.Context, error) {
	for {
		s.mu.Lock()
		primary, changed := s.primary, s.changed
		s.mu.Unlock()
		if primary != nil {
			return primary, nil
		}
		select {
		case <-changed:
		case <-s.closed:
			return nil, s.ended()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *stream) packetIn(m *p4v1.PacketIn) {
	if s.client.cfg.PacketIn == nil {
		return
	}
	meta := make(Metadata, len(m.GetMetadata()))
	for _, field := range m.GetMetadata() {
		if f, ok := s.client.info.packetIn.byID[field.GetMetadataId()]; ok {
			meta[f.name] = tables.Bytes(field.GetValue())
		}
	}
	s.client.cfg.PacketIn(m.GetPayload(), meta)
}

func (s *stream) digest(m *p4v1.DigestList) {
	list, err := s.client.info.decodeDigests(m)
	if err != nil {
		s.client.cfg.Events.undecodable("digest list", err)
		return
	}
	if s.client.cfg.Digest == nil || !s.client.cfg.Digest(list) {
		return
	}
	ack := &p4v1.DigestListAck{DigestId: m.GetDigestId(), ListId: m.GetListId()}
	// A confirmation that does not fit the queue is lost; the switch then repeats the list.
	_ = s.send(&p4v1.StreamMessageRequest{
		Update: &p4v1.StreamMessageRequest_DigestAck{DigestAck: ack}})
}

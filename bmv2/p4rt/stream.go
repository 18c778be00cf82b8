package p4rt

import (
	"context"
	"errors"
	"io"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds of the messages that wait for one controller.
const (
	maxNotices = 64   // arbitration and errors; a controller that leaves so many unread is cut off
	maxReports = 4096 // packets and digests; what finds no room is dropped and counted
)

// stream is one StreamChannel.
type stream struct {
	controller
	server  *Server
	channel p4v1.P4Runtime_StreamChannelServer
	notices chan *p4v1.StreamMessageResponse
	reports chan *p4v1.StreamMessageResponse
	cut     context.CancelCauseFunc
	joined  bool
}

var errNotReading = status.Error(codes.ResourceExhausted,
	"the controller does not read its messages")

// StreamChannel implements the service. One goroutine reads, the handler itself writes.
func (s *Server) StreamChannel(channel p4v1.P4Runtime_StreamChannelServer) error {
	ctx, cut := context.WithCancelCause(channel.Context())
	defer cut(nil)
	c := &stream{
		server:  s,
		channel: channel,
		notices: make(chan *p4v1.StreamMessageResponse, maxNotices),
		reports: make(chan *p4v1.StreamMessageResponse, maxReports),
		cut:     cut,
	}
	c.tell = c.notify
	ended := make(chan error, 1)
	go func() { ended <- c.receive() }()
	for {
		var m *p4v1.StreamMessageResponse
		select {
		case m = <-c.notices:
		case m = <-c.reports:
		case err := <-ended:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := channel.Send(m); err != nil {
			return err
		}
	}
}

// notify queues a message that must not get lost.
func (c *stream) notify(m *p4v1.StreamMessageResponse) {
	select {
	case c.notices <- m:
	default:
		c.cut(errNotReading)
	}
}

// receive handles the controller's messages until the stream ends, and then takes it out of the
// election.
func (c *stream) receive() error {
	defer c.server.leave(c)
	for {
		m, err := c.channel.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch m := m.GetUpdate().(type) {
		case *p4v1.StreamMessageRequest_Arbitration:
			err = c.server.arbitrate(c, m.Arbitration)
		case *p4v1.StreamMessageRequest_Packet:
			c.packetOut(m.Packet)
		case *p4v1.StreamMessageRequest_DigestAck:
			if c.server.isPrimary(c) {
				c.server.acknowledge(m.DigestAck)
			}
		}
		if err != nil {
			return err
		}
	}
}

// packetOut sends a packet of the primary into the switch. Errors go back as stream messages.
func (c *stream) packetOut(m *p4v1.PacketOut) {
	err := errNotPrimary
	if c.server.isPrimary(c) {
		err = c.server.packetOut(m)
	}
	if err == nil {
		return
	}
	s := status.Convert(err)
	c.report(&p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Error{
		Error: &p4v1.StreamError{
			CanonicalCode: int32(s.Code()),
			Message:       s.Message(),
			Space:         errorSpace,
			Details: &p4v1.StreamError_PacketOut{
				PacketOut: &p4v1.PacketOutError{PacketOut: m},
			},
		},
	}})
}

// report queues a message that may get lost; it tells whether there was room.
func (c *stream) report(m *p4v1.StreamMessageResponse) bool {
	select {
	case c.reports <- m:
		return true
	default:
		return false
	}
}

// arbitrate handles a MasterArbitrationUpdate. Writes of the former primary that have started are
// finished before the new one hears of its role.
func (s *Server) arbitrate(c *stream, m *p4v1.MasterArbitrationUpdate) error {
	switch {
	case !c.joined && m.GetDeviceId() != s.cfg.DeviceID:
		return s.unknownDevice(m.GetDeviceId())
	case m.GetDeviceId() != s.cfg.DeviceID:
		return status.Errorf(codes.FailedPrecondition, "the stream belongs to device %d", s.cfg.DeviceID)
	case m.GetRole().GetName() != "":
		return unimplemented("role %q: only the default role is supported", m.GetRole().GetName())
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.electing.Lock()
	defer s.electing.Unlock()
	id := electionIDOf(m.GetElectionId())
	if c.joined {
		if err := s.election.update(&c.controller, id); err != nil {
			return err
		}
		return nil
	}
	s.streams[&c.controller] = c
	if err := s.election.join(&c.controller, id); err != nil {
		delete(s.streams, &c.controller)
		return err
	}
	c.joined = true
	return nil
}

func (s *Server) leave(c *stream) {
	s.electing.Lock()
	defer s.electing.Unlock()
	if !c.joined {
		return
	}
	delete(s.streams, &c.controller)
	s.election.leave(&c.controller)
}

// setPrimary publishes the primary's stream for packets and digests.
func (s *Server) setPrimary(c *controller) {
	next := s.streams[c]
	if s.primary.Swap(next) == next {
		return
	}
	if s.cfg.Events.Primary == nil {
		return
	}
	if next == nil {
		s.cfg.Events.Primary("")
	} else {
		s.cfg.Events.Primary(next.id.String())
	}
}

func (s *Server) isPrimary(c *stream) bool { return s.primary.Load() == c }

// mayWrite checks the election id of a request. As in PI, everybody may write while no controller
// is connected and no id is given.
func (s *Server) mayWrite(device uint64, m *p4v1.Uint128) error {
	if device != s.cfg.DeviceID {
		return s.unknownDevice(device)
	}
	s.electing.Lock()
	defer s.electing.Unlock()
	if len(s.election.controllers) == 0 && m == nil {
		return nil
	}
	primary := s.election.primary()
	if primary == nil || m == nil || primary.id != electionIDOf(m) {
		return errNotPrimary
	}
	return nil
}

// toPrimary queues a packet or a digest for the primary; it tells whether there was a primary with
// room.
func (s *Server) toPrimary(m *p4v1.StreamMessageResponse) bool {
	c := s.primary.Load()
	return c != nil && c.report(m)
}

package p4rt

import (
	"context"
	"errors"
	"io"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Bounds of the messages that wait for one controller.
const (
	maxNotices = 64   // arbitration and errors; a controller that leaves so many unread is cut off
	maxReports = 4096 // packets and digests; what finds no room is dropped and counted
	// maxEcho bounds what an error repeats of the message it is about, in bytes.
	maxEcho = 4096
)

// stream is one StreamChannel.
type stream struct {
	controller
	server   *Server
	channel  p4v1.P4Runtime_StreamChannelServer
	notices  chan *p4v1.StreamMessageResponse
	reports  chan *p4v1.StreamMessageResponse
	cut      context.CancelCauseFunc
	election *election // of the role that the stream takes part in; nil before its first arbitration
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
			if err := c.server.arbitrate(c, m.Arbitration); err != nil {
				return err
			}
		case *p4v1.StreamMessageRequest_Packet:
			c.packetOut(m.Packet)
		case *p4v1.StreamMessageRequest_DigestAck:
			c.acknowledge(m.DigestAck)
		case *p4v1.StreamMessageRequest_Other:
			c.refuse(unimplemented("stream messages of type %q are not supported",
				abbreviate(m.Other.GetTypeUrl())), &p4v1.StreamError{Details: otherError(m.Other)})
		default:
			c.refuse(invalid("the stream message is empty"), &p4v1.StreamError{})
		}
	}
}

// packetOut sends a packet of a primary into the switch.
func (c *stream) packetOut(m *p4v1.PacketOut) {
	err := errNotPrimary
	if c.server.spokesman(c) != nil {
		err = c.server.packetOut(m)
	}
	if err == nil {
		return
	}
	echo := &p4v1.PacketOutError{}
	if proto.Size(m) <= maxEcho {
		echo.PacketOut = m
	}
	c.refuse(err, &p4v1.StreamError{Details: &p4v1.StreamError_PacketOut{PacketOut: echo}})
}

// acknowledge takes a primary's acknowledgement of a digest list.
func (c *stream) acknowledge(m *p4v1.DigestListAck) {
	err := errNotPrimary
	if s := c.server.spokesman(c); s != nil {
		err = c.server.acknowledge(s.scope, m)
	}
	if err != nil {
		c.refuse(err, &p4v1.StreamError{Details: &p4v1.StreamError_DigestListAck{
			DigestListAck: &p4v1.DigestListAckError{DigestListAck: m}}})
	}
}

// refuse reports why a message of the controller was dropped. What finds no room is not reported.
func (c *stream) refuse(err error, e *p4v1.StreamError) {
	s := status.Convert(err)
	e.CanonicalCode, e.Message, e.Space = int32(s.Code()), s.Message(), errorSpace
	c.report(&p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Error{Error: e}})
}

func otherError(m *anypb.Any) *p4v1.StreamError_Other {
	echo := &p4v1.StreamOtherError{}
	if proto.Size(m) <= maxEcho {
		echo.Other = m
	}
	return &p4v1.StreamError_Other{Other: echo}
}

// abbreviate shortens what a controller sent for a message.
func abbreviate(s string) string {
	const enough = 200
	if len(s) <= enough {
		return s
	}
	return s[:enough] + "..."
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

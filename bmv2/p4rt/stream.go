package p4rt

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

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
	// maxReportBytes bounds the memory that reports take. Packets do not come near it; lists of digests
	// and idle entries would take gigabytes.
	maxReportBytes = 16 << 20
	// maxErrors is how many reports may wait when an error joins them: streams that never become
	// primary have no others.
	maxErrors = 64
	// maxStreams bounds the streams that are open at a time, arbitrated or not.
	maxStreams = 1024
	// maxEcho bounds what an error repeats of the message it is about, in bytes.
	maxEcho = 4096
)

// stream is one StreamChannel.
type stream struct {
	controller
	server   *Server
	channel  p4v1.P4Runtime_StreamChannelServer
	notices  chan *p4v1.StreamMessageResponse
	reports  chan report
	waiting  atomic.Int64 // bytes that the reports take
	cut      context.CancelCauseFunc
	election *election // of the role that the stream takes part in; nil before its first arbitration
}

// report is a message that may get lost, and about how many bytes of memory it takes.
type report struct {
	m     *p4v1.StreamMessageResponse
	bytes int64
}

var errNotReading = status.Error(codes.ResourceExhausted,
	"the controller does not read its messages")

// StreamChannel implements the service. One goroutine reads and one writes, and the handler waits for
// either: one that writes to a controller that does not read cannot be stopped otherwise.
func (s *Server) StreamChannel(channel p4v1.P4Runtime_StreamChannelServer) error {
	defer s.open.Add(-1)
	if s.open.Add(1) > maxStreams {
		return status.Errorf(codes.ResourceExhausted, "%d streams are open already", maxStreams)
	}
	ctx, cut := context.WithCancelCause(channel.Context())
	defer cut(nil)
	c := &stream{
		server:  s,
		channel: channel,
		notices: make(chan *p4v1.StreamMessageResponse, maxNotices),
		reports: make(chan report, maxReports),
		cut:     cut,
	}
	c.tell = c.notify
	ended := make(chan error, 2)
	go func() { ended <- c.receive() }()
	go func() { ended <- c.send(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// send sends what waits until the context ends.
func (c *stream) send(ctx context.Context) error {
	for {
		var m *p4v1.StreamMessageResponse
		select {
		case m = <-c.notices:
		case r := <-c.reports:
			c.waiting.Add(-r.bytes)
			m = r.m
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := c.channel.Send(m); err != nil {
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
		echo := &p4v1.DigestListAckError{}
		if proto.Size(m) <= maxEcho { // it may have fields that nobody knows
			echo.DigestListAck = m
		}
		c.refuse(err, &p4v1.StreamError{
			Details: &p4v1.StreamError_DigestListAck{DigestListAck: echo}})
	}
}

// refuse reports why a message of the controller was dropped. What finds no room is not reported.
func (c *stream) refuse(err error, e *p4v1.StreamError) {
	if len(c.reports) >= maxErrors {
		return
	}
	s := status.Convert(err)
	e.CanonicalCode, e.Message, e.Space = int32(s.Code()), s.Message(), errorSpace
	c.report(newReport(&p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Error{Error: e}}))
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
func (c *stream) report(r report) bool {
	if !c.hasRoom() {
		return false
	}
	c.waiting.Add(r.bytes)
	select {
	case c.reports <- r:
		return true
	default:
		c.waiting.Add(-r.bytes)
		return false
	}
}

func (c *stream) hasRoom() bool {
	return c.waiting.Load() <= maxReportBytes && len(c.reports) < cap(c.reports)
}

// newReport estimates what a message takes: its bytes, and what is around them.
func newReport(m *p4v1.StreamMessageResponse) report {
	const perMessage, perSample, perEntry = 256, 256, 512
	size := perMessage
	switch u := m.GetUpdate().(type) {
	case *p4v1.StreamMessageResponse_Packet:
		size += len(u.Packet.GetPayload())
	case *p4v1.StreamMessageResponse_Digest:
		size += proto.Size(m) + perSample*len(u.Digest.GetData())
	case *p4v1.StreamMessageResponse_IdleTimeoutNotification:
		size += proto.Size(m) + perEntry*len(u.IdleTimeoutNotification.GetTableEntry())
	default:
		size += proto.Size(m)
	}
	return report{m, int64(size)}
}

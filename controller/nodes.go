package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// nodeService answers the nodes: one call of Session per node, for as long as it lives.
type nodeService struct {
	controlpb.UnimplementedNodeControlServer
	loop     *loop
	interval time.Duration // of reports
}

// report is the last word of a node.
type report struct {
	at     time.Duration
	states map[kv.SubRangeID]*controlpb.SubRangeState
}

// Session implements controlpb.NodeControlServer.
func (n *nodeService) Session(stream controlpb.NodeControl_SessionServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello, err := helloOf(first.GetHello())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	s := newSession(hello.ID)
	if err := n.join(stream.Context(), s, hello); err != nil {
		n.leave(stream.Context(), s, err) // it may be in, and only the answer have come too late
		return err
	}
	received := make(chan error, 1)
	go func() { received <- n.receiveAll(stream, s) }() // ends with the stream
	err = n.sendAll(stream, s, received)
	n.leave(stream.Context(), s, err)
	return err
}

// helloOf translates a hello; the directory checks it.
func helloOf(m *controlpb.Hello) (directory.Hello, error) {
	if m == nil {
		return directory.Hello{}, fmt.Errorf("the first message of a session must be Hello")
	}
	h := directory.Hello{ClusterID: m.GetClusterId(), Node: directory.Node{
		ID: kv.NodeID(m.GetNode()), Switch: m.GetSwitchName(), Port: m.GetSwitchPort(),
		Persistent: m.GetPersistent(), Incarnation: m.GetIncarnation(),
	}}
	if len(m.GetMac()) != len(wire.MAC{}) {
		return h, fmt.Errorf("hello of node %v: MAC of %d bytes: must be 6", h.ID, len(m.GetMac()))
	}
	copy(h.MAC[:], m.GetMac())
	for _, held := range m.GetHeld() {
		h.Held = append(h.Held, directory.Held{
			SubRange: kv.SubRangeID(held.GetSubRange()), Epoch: kv.Epoch(held.GetEpoch()),
		})
	}
	return h, nil
}

// join brings the node into the directory, in place of an older session.
func (n *nodeService) join(ctx context.Context, s *session, h directory.Hello) error {
	var refused error
	l := n.loop
	err := l.do(ctx, func() {
		e, err := l.dir.Hello(h)
		if err != nil {
			refused = err
			return
		}
		if old := l.sessions[h.ID]; old != nil {
			old.close(status.Error(codes.AlreadyExists, "replaced by a newer session of this node"))
		}
		l.sessions[h.ID] = s
		delete(l.reports, h.ID)
		s.put(&controlpb.ControllerMessage{Body: &controlpb.ControllerMessage_Welcome{
			Welcome: &controlpb.Welcome{ClusterId: l.dir.ClusterID(),
				ReportIntervalMs: uint32(n.interval.Milliseconds())}}})
		l.take(e)
	})
	switch {
	case refused != nil:
		l.events.tell(Event{Kind: NodeRefused, Node: h.ID, Err: refused})
		return status.Error(codeOf(refused), refused.Error())
	case err != nil:
		return status.Error(codes.Unavailable, err.Error())
	}
	l.events.tell(Event{Kind: NodeJoined, Node: h.ID})
	return nil
}

// leave takes the session out, unless a newer one has replaced it.
func (n *nodeService) leave(ctx context.Context, s *session, why error) {
	l := n.loop
	// The stream is over, but the news of it must arrive: only the end of the loop stops it.
	_ = l.post(context.WithoutCancel(ctx), func() {
		if l.sessions[s.node] != s {
			return
		}
		delete(l.sessions, s.node)
		l.dir.Gone(s.node)
		l.events.tell(Event{Kind: NodeLeft, Node: s.node, Err: why})
	})
}

// sendAll empties the outbox until the stream or the session ends.
func (n *nodeService) sendAll(stream controlpb.NodeControl_SessionServer, s *session,
	received <-chan error,
) error {
	for {
		messages, end := s.next()
		for _, m := range messages {
			if err := stream.Send(m); err != nil {
				return err
			}
		}
		if end != nil {
			return end
		}
		select {
		case <-s.ready:
		case err := <-received:
			return err
		case <-n.loop.ended:
			return status.Error(codes.Unavailable, errStopped.Error())
		}
	}
}

func (n *nodeService) receiveAll(stream controlpb.NodeControl_SessionServer, s *session) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		var work func()
		switch body := m.GetBody().(type) {
		case *controlpb.NodeMessage_Ack:
			work = func() { n.loop.acked(s, body.Ack) }
		case *controlpb.NodeMessage_Report:
			work = func() { n.loop.reported(s, body.Report) }
		default:
			return status.Errorf(codes.InvalidArgument, "message %T in the middle of a session",
				body)
		}
		if err := n.loop.post(stream.Context(), work); err != nil {
			return err
		}
	}
}

// acked adds an answer of a node to the round. Answers over a session that was replaced count too:
// they are as true.
func (l *loop) acked(s *session, m *controlpb.Ack) {
	at := assignmentOf{s.node, kv.SubRangeID(m.GetSubRange())}
	if why := m.GetError(); why != "" {
		l.refusals[at] = why
		l.events.tell(Event{Kind: AssignmentRefused, Node: s.node, SubRange: at.subRange,
			Err: errors.New(why)})
		return
	}
	delete(l.refusals, at)
	l.acks = append(l.acks, directory.Ack{Node: s.node, SubRange: at.subRange,
		Epoch: kv.Epoch(m.GetEpoch()), Revoke: m.GetRevoke()})
}

// reported keeps the last report, and tells of every loss once.
func (l *loop) reported(s *session, m *controlpb.Report) {
	if l.sessions[s.node] != s {
		return
	}
	before := l.reports[s.node].states
	now := report{at: l.now(), states: make(map[kv.SubRangeID]*controlpb.SubRangeState)}
	for _, r := range m.GetSubRanges() {
		id := kv.SubRangeID(r.GetSubRange())
		now.states[id] = r
		if r.GetStateLost() && !before[id].GetStateLost() {
			l.events.tell(Event{Kind: StateLost, Node: s.node, SubRange: id})
		}
	}
	l.reports[s.node] = now
}

// lostOn returns the members that have lost a sub-range.
func (l *loop) lostOn(r directory.SubRange) []kv.NodeID {
	return slices.DeleteFunc(slices.Clone(r.Chain), func(n kv.NodeID) bool {
		return !l.reports[n].states[r.ID].GetStateLost()
	})
}

// codeOf maps the reasons of the directory to gRPC.
func codeOf(err error) codes.Code {
	for reason, code := range map[error]codes.Code{
		directory.ErrInvalid: codes.InvalidArgument, directory.ErrExists: codes.AlreadyExists,
		directory.ErrNotFound: codes.NotFound, directory.ErrNodes: codes.FailedPrecondition,
		directory.ErrNotReady:     codes.FailedPrecondition,
		directory.ErrCapacity:     codes.ResourceExhausted,
		directory.ErrWrongCluster: codes.FailedPrecondition,
		directory.ErrStaleNode:    codes.FailedPrecondition,
	} {
		if errors.Is(err, reason) {
			return code
		}
	}
	return codes.Internal
}

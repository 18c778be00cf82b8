package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// nodeService answers the nodes: one call of Session per node, for as long as it lives.
type nodeService struct {
	controlpb.UnimplementedNodeControlServer
	loop    *loop
	cfg     *Config
	reports time.Duration // how often nodes report
	beats   time.Duration // how often they give a sign of life
}

// Session implements controlpb.NodeControlServer.
func (n *nodeService) Session(stream controlpb.NodeControl_SessionServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello, err := helloOf(first.GetHello())
	if err == nil {
		err = n.cfg.place(&hello.Node)
	}
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	s := newSession(hello.ID)
	held := core.Report{Replicas: replicasOf(first.GetHello().GetHeld())}
	if err := n.join(stream.Context(), s, hello, held); err != nil {
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

// join brings the node in, in place of an older session. What it holds is its first report.
func (n *nodeService) join(ctx context.Context, s *session, h directory.Hello, held core.Report,
) error {
	var refused error
	l := n.loop
	err := l.do(ctx, func() {
		if refused = l.core.Hello(l.now(), h); refused != nil {
			return
		}
		l.core.Reported(l.now(), h.ID, held)
		if old := l.sessions[h.ID]; old != nil {
			old.close(status.Error(codes.AlreadyExists, "replaced by a newer session of this node"))
		}
		l.sessions[h.ID] = s
		s.put(&controlpb.ControllerMessage{Body: &controlpb.ControllerMessage_Welcome{
			Welcome: &controlpb.Welcome{ClusterId: l.core.ClusterID(),
				ReportIntervalMs: uint32(n.reports.Milliseconds()),
				BeatIntervalMs:   uint32(n.beats.Milliseconds())}}})
	})
	switch {
	case err != nil: // the loop may yet be at work: refused is its own until then
		return status.Error(codes.Unavailable, err.Error())
	case refused != nil:
		l.journal.tell(Event{Kind: NodeRefused, Severity: core.Warning, Node: h.ID, Err: refused})
		return status.Error(codeOf(refused), refused.Error())
	}
	l.journal.tell(Event{Kind: NodeJoined, Node: h.ID})
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
		l.core.Gone(l.now(), s.node)
		l.journal.tell(Event{Kind: NodeLeft, Severity: core.Warning, Node: s.node, Err: why})
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
			report := reportOf(body.Report)
			work = func() { n.loop.reported(s, report) }
		case *controlpb.NodeMessage_Beat:
			work = func() { n.loop.core.Beat(n.loop.now(), s.node) }
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
	id, epoch := kv.SubRangeID(m.GetSubRange()), kv.Epoch(m.GetEpoch())
	if why := m.GetError(); why != "" && !m.GetRevoke() {
		l.core.Refused(l.now(), s.node, id, epoch, why)
		return
	}
	l.acks = append(l.acks, directory.Ack{Node: s.node, SubRange: id, Epoch: epoch,
		Revoke: m.GetRevoke()})
}

// reported passes on a report, but for one over a session that was replaced: it may be older.
func (l *loop) reported(s *session, r core.Report) {
	if l.sessions[s.node] == s {
		l.core.Reported(l.now(), s.node, r)
	}
}

func reportOf(m *controlpb.Report) core.Report {
	return core.Report{
		Replicas: replicasOf(m.GetSubRanges()), CPU: m.GetCpu(), Bytes: m.GetBytes(),
	}
}

func replicasOf(states []*controlpb.SubRangeState) []core.Replica {
	out := make([]core.Replica, len(states))
	for i, m := range states {
		out[i] = core.Replica{
			SubRange: kv.SubRangeID(m.GetSubRange()), Epoch: kv.Epoch(m.GetEpoch()),
			Applied: m.GetApplied(), Stable: m.GetStable(),
			Lost: m.GetStateLost(), Recovering: m.GetRecovering(),
			Learner: m.GetLearner(), Joined: m.GetJoined(),
			JoinedBytes: m.GetJoinedBytes(), JoinedShare: m.GetJoinedShare(),
			Samples: samplesOf(m.GetSamples()),
		}
	}
	return out
}

// samplesOf skips what is no index key.
func samplesOf(raw [][]byte) (out []kv.IndexKey) {
	for _, b := range raw {
		if len(b) == len(kv.IndexKey{}) {
			out = append(out, kv.IndexKey(b))
		}
	}
	return out
}

// codeOf maps the reasons of the directory to gRPC.
func codeOf(err error) codes.Code {
	for reason, code := range map[error]codes.Code{
		directory.ErrInvalid: codes.InvalidArgument, directory.ErrExists: codes.AlreadyExists,
		directory.ErrNotFound: codes.NotFound, directory.ErrNodes: codes.FailedPrecondition,
		directory.ErrNotReady:     codes.FailedPrecondition,
		directory.ErrBusy:         codes.FailedPrecondition,
		directory.ErrNotFit:       codes.FailedPrecondition,
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

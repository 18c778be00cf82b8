package controller

import (
	"sync"

	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// outboxLimit bounds what waits for one node. A node that lets so much pile up does not listen: its
// session ends, and what it is owed is sent again when it comes back.
const outboxLimit = 1 << 17

// session is the stream to one node: an outbox that the loop fills and the stream's goroutine
// empties.
type session struct {
	node kv.NodeID

	mu     sync.Mutex
	outbox []*controlpb.ControllerMessage
	end    error // why the session is to end
	ready  chan struct{}
}

func newSession(node kv.NodeID) *session {
	return &session{node: node, ready: make(chan struct{}, 1)}
}

// push queues what the directory sends. It never blocks.
func (s *session) push(m directory.Send) {
	if m.Assign != nil {
		s.put(&controlpb.ControllerMessage{Body: &controlpb.ControllerMessage_Assign{
			Assign: controlpb.FromAssignment(*m.Assign)}})
		return
	}
	s.put(&controlpb.ControllerMessage{Body: &controlpb.ControllerMessage_Revoke{
		Revoke: &controlpb.Revoke{SubRange: uint32(m.Revoke.SubRange),
			Epoch: uint32(m.Revoke.Epoch),
			Erase: m.Revoke.Erase}}})
}

func (s *session) put(m *controlpb.ControllerMessage) {
	s.mu.Lock()
	s.outbox = append(s.outbox, m)
	full := len(s.outbox) > outboxLimit
	s.mu.Unlock()
	if full {
		s.close(status.Error(codes.ResourceExhausted, "the node does not read its messages"))
	}
	s.wake()
}

// close makes the stream end with an error.
func (s *session) close(why error) {
	s.mu.Lock()
	if s.end == nil {
		s.end = why
	}
	s.mu.Unlock()
	s.wake()
}

func (s *session) wake() {
	select {
	case s.ready <- struct{}{}:
	default: // it has been woken already
	}
}

// next takes what waits, or says why the session ends.
func (s *session) next() ([]*controlpb.ControllerMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.outbox
	s.outbox = nil
	return out, s.end
}

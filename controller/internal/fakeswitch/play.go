package fakeswitch

import (
	"context"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
)

// Refuse makes updates fail with the code that f returns, unless that is OK. RESOURCE_EXHAUSTED of
// one update hides which of the batch have failed.
func (s *Switch) Refuse(f func(*p4v1.Update) codes.Code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// Forget is a restart: the program and all that was written are gone. Sessions stay.
func (s *Switch) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pipeline = nil
	clear(s.entities)
}

// Counts returns how many updates were executed and how many programs pushed.
func (s *Switch) Counts() (writes, pushes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes, s.pushes
}

// Entities returns how many entities of all kinds the switch holds.
func (s *Switch) Entities() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entities)
}

// SetCounter gives a cell of a counter array a value.
func (s *Switch) SetCounter(id uint32, index int64, packets int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters[counterKey(id, index)] = &p4v1.CounterData{PacketCount: packets,
		ByteCount: 100 * packets}
}

// Tell sends a message to the primary.
func (s *Switch) Tell(m *p4v1.StreamMessageResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if best := s.primary(); best != nil {
		best.send <- m
	}
}

// Packets returns the packet-outs received so far.
func (s *Switch) Packets() []*p4v1.PacketOut {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*p4v1.PacketOut(nil), s.packets...)
}

// Acks returns the confirmations of digests received so far.
func (s *Switch) Acks() []*p4v1.DigestListAck {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*p4v1.DigestListAck(nil), s.acks...)
}

// Await returns when the condition holds, which it looks at after every change of the switch.
func (s *Switch) Await(ctx context.Context, condition func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

package session

import (
	"time"

	"github.com/turbokv/turbokv/wire"
)

// Deliver takes in one received packet. Whatever it is, it does no harm: packets that are no valid
// replies are counted and dropped.
func (s *Session) Deliver(now time.Duration, packet []byte, out *Output) {
	p, err := wire.Parse(packet)
	if err != nil || p.Flags()&wire.FlagReply == 0 || !credible(p) {
		s.stats.Corrupt++
		return
	}
	i, slot := s.bySequence(p.Sequence())
	if slot == nil || slot.packet.Client() != p.Client() {
		s.late(now, p)
		return
	}
	if p.Op() != slot.op() || p.Keyspace() != slot.packet.Keyspace() {
		s.stats.Corrupt++
		return
	}
	s.answer(now, i, slot, p, out)
	s.fill(now, out)
}

// credible reports whether the reply's status is one that its sender can give. The CRC does not
// cover the status of a switch's answer, which can only be a refusal: anything else would turn the
// request that it echoes into a result.
func credible(p wire.Packet) bool {
	if p.Flags()&wire.FlagFromSwitch == 0 {
		return true
	}
	return p.Status() == wire.StatusTryAgain || p.Status() == wire.StatusNoKeyspace
}

func (s *Session) answer(now time.Duration, i int32, slot *slot, p wire.Packet, out *Output) {
	fromSwitch := p.Flags()&wire.FlagFromSwitch != 0
	if slot.scan != nil && s.scanAnswer(now, i, slot, p, out) {
		return
	}
	switch p.Status() {
	case wire.StatusTryAgain:
		if !fromSwitch { // a node's overload, where a switch says only that the chain changes
			s.window.congested(now, slot.sent)
		}
		s.refused(now, slot)
	case wire.StatusWrongEpoch:
		s.refused(now, slot)
	case wire.StatusPending:
		s.pending(now, slot)
	default:
		s.measure(now, slot, fromSwitch)
		s.finish(now, i, s.conclude(slot, p), out)
	}
}

// measure lets estimator and window learn from a reply.
func (s *Session) measure(now time.Duration, slot *slot, fromSwitch bool) {
	if slot.state == flying {
		s.window.answered(s.flying)
	}
	e := &s.rtt[timingOf(slot.op())]
	// A reply to a repeated request may answer any of its copies (Karn's algorithm), and a
	// switch is nearer than a node.
	if !fromSwitch && (slot.sends == 1 || e.saturated()) {
		e.sample(now - slot.first)
	}
}

// conclude says what a final answer means for the request.
func (s *Session) conclude(slot *slot, p wire.Packet) Completion {
	c := Completion{Outcome: Answered, Status: p.Status()}
	switch p.Status() {
	case wire.StatusOK:
		c.Version, c.Value = p.RecordVersion(), p.Payload()
	case wire.StatusVersionMismatch:
		c.Version = p.RecordVersion()
	}
	if slot.isWrite() && ambiguous(slot, p.Status()) {
		c.Outcome, c.Cause = Unknown, ByNode
	}
	if slot.isWrite() && p.Status() == wire.StatusSessionExpired && p.Client() == s.id {
		s.renew()
	}
	return c
}

// ambiguous reports whether a write may have been executed although this is the answer to it.
func ambiguous(slot *slot, status wire.Status) bool {
	switch status {
	case wire.StatusSessionExpired: // the results of earlier copies are forgotten
		return true
	case wire.StatusNoKeyspace: // the switch's tables may be younger than an earlier copy
		return slot.sends > 1
	case wire.StatusInternal: // the engine failed somewhere in the middle
		return true
	}
	return status > wire.StatusPending // a status of the future
}

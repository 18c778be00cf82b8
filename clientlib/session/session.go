package session

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Session is one client session. Time is a duration since any fixed moment, and must not go back
// from call to call. A Session is not safe for concurrent use.
type Session struct {
	cfg   Config
	rand  *rand.Rand
	id    kv.ClientID
	born  kv.RequestSeq // the first sequence number of this id
	seq   kv.RequestSeq // the next sequence number
	stats Stats

	slots
	queue    queue
	bySeq    []int32 // slot number + 1 by sequence number modulo the length, a power of two
	sent     int     // slots flying or paused
	flying   int
	window   window
	writes   ledger
	rtt      [numTimings]estimator
	wake     time.Duration // no slot wakes earlier
	spurious spurious
	scans    []*scan // unused
	retired  *scan   // of the last Completion, so that its Page stays valid
}

// timing is a group of operations that take about the same time.
type timing int

const (
	timeRead timing = iota
	timeScan
	timeWrite
	numTimings
)

func timingOf(op wire.Op) timing {
	switch {
	case op == wire.OpScan:
		return timeScan
	case op.Class() == wire.ClassWrite:
		return timeWrite
	}
	return timeRead
}

// never is later than any time.
const never = time.Duration(math.MaxInt64)

// New returns a Session with a random number of its own.
func New(cfg Config) (*Session, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	s := &Session{
		cfg: cfg, rand: cfg.Rand, seq: 1,
		queue: newQueue(), bySeq: make([]int32, indexSize(cfg.Window)),
		window: newWindow(cfg.Window), writes: newLedger(cfg.Span), wake: never,
	}
	for i := range s.rtt {
		s.rtt[i] = newEstimator(cfg)
	}
	s.renew()
	return s, nil
}

// indexSize is a power of two of at least twice the window, so that a free place is near.
func indexSize(window int) int {
	n := 2
	for n < 2*window {
		n *= 2
	}
	return n
}

// ID returns the number of the session, which changes when a node has forgotten it.
func (s *Session) ID() kv.ClientID { return s.id }

// renew gives the session a new number. Requests already sent keep the old one; sequence numbers
// go on, so that a reply still finds its request.
func (s *Session) renew() {
	s.id = 0
	for s.id == 0 { // reserved for messages between nodes
		s.id = kv.ClientID(s.rand.Uint64())
	}
	s.born = s.seq
}

// Submit takes in a request. It returns false, and changes nothing, if the queue is full. Requests
// whose deadline has passed end at once, this one included.
func (s *Session) Submit(now time.Duration, r *Request, out *Output) (Handle, bool) {
	if s.queue.length >= s.cfg.Queue {
		return 0, false
	}
	s.stats.Requests++
	i, slot := s.take()
	slot.encode(r)
	slot.tag, slot.started, slot.deadline = r.Tag, now, r.Deadline
	slot.state, slot.due = queued, r.Deadline
	if r.Op == wire.OpScan {
		slot.scan = s.newScan(r)
	}
	s.queue.push(&s.slots, i)
	s.wakeAt(slot)
	s.fill(now, out)
	return s.handle(i), true
}

// fill sends queued requests as long as there is room for them. A write whose deadline has passed
// must not be sent any more, or its outcome would be unknown.
func (s *Session) fill(now time.Duration, out *Output) {
	for s.queue.length > 0 && s.sent < s.cfg.Window && s.window.room(s.flying) {
		i := s.queue.head
		slot := s.all[i]
		if now >= slot.deadline {
			s.abandon(now, i, ByDeadline, out)
			continue
		}
		if slot.isWrite() && s.writes.full() {
			return // an old write must end first: its result binds those of all later ones
		}
		s.queue.remove(&s.slots, i)
		s.number(now, i, slot)
		s.sent++
		s.send(now, slot, out)
	}
}

// number gives a request its sequence number and seals its packet. Numbers whose place in the
// index is taken by a request that has waited for long are skipped.
func (s *Session) number(now time.Duration, i int32, slot *slot) {
	mask := kv.RequestSeq(len(s.bySeq) - 1)
	for s.bySeq[s.seq&mask] != 0 {
		s.seq++
	}
	slot.seq = s.seq
	s.bySeq[s.seq&mask] = i + 1
	s.seq++
	if slot.isWrite() {
		slot.write = s.writes.add(slot.seq)
		slot.deadline = min(slot.deadline, now+MaxRepeat)
	}
	// Only writes leave results behind, so only they count as outstanding; but no request may
	// lie below the number that it carries, or nodes would ignore it.
	lowest := max(s.writes.lowest(slot.seq), s.born)
	slot.packet.SetRequest(s.id, slot.seq, lowest)
	slot.packet.Seal()
}

// send puts the request on the wire, for the first time or again.
func (s *Session) send(now time.Duration, slot *slot, out *Output) {
	timeout := s.rtt[timingOf(slot.op())].timeout(uint(slot.timeouts))
	if slot.sends == 0 {
		slot.first = now
	} else {
		timeout = s.jitter(timeout, timeout/4)
	}
	slot.state, slot.excused, slot.sent, slot.due = flying, false, now, now+timeout
	slot.sends++
	s.flying++
	s.stats.Sent++
	s.wakeAt(slot)
	out.send(slot.packet)
}

// jitter returns d plus a random part of spread, so that requests that failed together are not
// repeated together.
func (s *Session) jitter(d, spread time.Duration) time.Duration {
	return d + time.Duration(s.rand.Uint64N(uint64(spread)+1))
}

func (s *Session) wakeAt(slot *slot) { s.wake = min(s.wake, slot.wake()) }

// bySequence returns the request that has a sequence number.
func (s *Session) bySequence(seq kv.RequestSeq) (int32, *slot) {
	i := s.bySeq[seq&kv.RequestSeq(len(s.bySeq)-1)] - 1
	if i < 0 || s.all[i].seq != seq {
		return 0, nil
	}
	return i, s.all[i]
}

// finish ends a request and reports it. The caller calls fill when it has ended all it wants to.
func (s *Session) finish(now time.Duration, i int32, c Completion, out *Output) {
	slot := s.all[i]
	c.Tag, c.Op, c.Key = slot.tag, slot.op(), slot.key()
	c.Sends, c.Elapsed = slot.sends, now-slot.started
	s.count(c.Outcome)
	out.Completions = append(out.Completions, c)
	s.leave(i, slot)
	s.retire(slot.scan)
	s.release(i)
}

// leave takes a request out of the bookkeeping of its state.
func (s *Session) leave(i int32, slot *slot) {
	if slot.state == queued {
		s.queue.remove(&s.slots, i)
		return
	}
	s.land(slot)
	s.sent--
	s.bySeq[slot.seq&kv.RequestSeq(len(s.bySeq)-1)] = 0
	if slot.timeouts > 0 {
		s.spurious.note(slot.seq)
	}
	if slot.isWrite() {
		s.writes.finish(slot.write)
	}
}

// land notes that the network holds the request no longer, as far as the window is concerned.
func (s *Session) land(slot *slot) {
	if slot.state == flying {
		s.flying--
	}
}

// abandon ends a request without an answer, truthfully: only a write that was sent may have been
// executed.
func (s *Session) abandon(now time.Duration, i int32, why Cause, out *Output) {
	slot := s.all[i]
	c := Completion{Outcome: Unavailable, Cause: why}
	if slot.isWrite() && slot.sends > 0 {
		c.Outcome = Unknown
	}
	s.finish(now, i, c, out)
}

// Cancel ends a request that has not ended yet, for the given cause.
func (s *Session) Cancel(now time.Duration, h Handle, why Cause, out *Output) {
	if i, _, ok := s.slots.find(h); ok {
		s.abandon(now, i, why, out)
		s.fill(now, out)
	}
}

// Close ends all requests.
func (s *Session) Close(now time.Duration, out *Output) {
	for len(s.active) > 0 {
		s.abandon(now, s.active[0], ByClose, out)
	}
}

// Room reports whether Submit would take in a request.
func (s *Session) Room() bool { return s.queue.length < s.cfg.Queue }

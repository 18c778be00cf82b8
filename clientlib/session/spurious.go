package session

import (
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// spurious finds time-outs that were too short: when a request that was sent again has ended and
// a second reply to it arrives, the first copy was late and not lost. (TCP has to guess, as in
// RFC 5682; here each copy of a request is answered, that of a write in progress with PENDING.)
// That happens when a disk is slow for a moment or a machine has more to do than cores to do it,
// and then sending more makes it worse.
type spurious struct {
	ended [256]kv.RequestSeq // requests sent again, by number modulo the length; the last ones
}

func (s *spurious) at(n kv.RequestSeq) *kv.RequestSeq { return &s.ended[n%kv.RequestSeq(len(s.ended))] }

// note remembers that a request that was sent again has ended.
func (s *spurious) note(n kv.RequestSeq) { *s.at(n) = n }

// take reports whether a request is remembered, and forgets it.
func (s *spurious) take(n kv.RequestSeq) bool {
	if *s.at(n) != n {
		return false
	}
	*s.at(n) = 0
	return true
}

// late takes in a reply to a request that has ended.
func (s *Session) late(now time.Duration, p wire.Packet) {
	s.stats.Late++
	if p.Client() == s.id && s.spurious.take(p.Sequence()) {
		s.tooShort(now, p.Op())
	}
}

// tooShort takes back what a time-out did that was too short.
func (s *Session) tooShort(now time.Duration, op wire.Op) {
	s.stats.Spurious++
	s.rtt[timingOf(op)].tooShort(now)
	s.window.restore()
}

// pending takes in the word of a head that it has a write in hand: an earlier copy has arrived, and
// the tail will answer.
func (s *Session) pending(now time.Duration, slot *slot) {
	if slot.state != flying || slot.sends == 1 {
		return // the network has repeated the request, or the word is out of date
	}
	s.tooShort(now, slot.op())
	slot.due = now + s.rtt[timingOf(slot.op())].timeout(uint(slot.timeouts))
}

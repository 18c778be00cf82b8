package session

import (
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// spurious finds time-outs that were too short: when a request that was sent again has ended and
// a second reply to it arrives, the first copy was late and not lost. (TCP has to guess, as in
// RFC 5682; here each copy of a request is answered.) That happens when a machine has more to do
// than cores to do it, and then sending more makes it worse.
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
		s.stats.Spurious++
		s.rtt[timingOf(p.Op())].tooShort(now)
		s.window.restore()
	}
}

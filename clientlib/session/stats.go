package session

import "time"

// Stats counts what a Session did.
type Stats struct {
	Requests      uint64 // submitted
	Sent          uint64 // packets sent, repeated ones included
	Retransmitted uint64 // packets sent again because no reply came in time
	Spurious      uint64 // of them, those that a second reply proved needless
	Refused       uint64 // answers WRONG_EPOCH and TRY_AGAIN, after which requests are sent again
	Corrupt       uint64 // received packets that are no valid replies
	Late          uint64 // replies to requests that had ended: duplicates for the most part
	Answered      uint64 // requests that ended so
	Unavailable   uint64 // requests that ended so
	Unknown       uint64 // requests that ended so

	// The state at the moment.
	Queued   int           // requests that wait for room in the window
	InFlight int           // requests whose reply is awaited
	Window   int           // the congestion window, in requests
	ReadRTO  time.Duration // retransmission time-out of reads, without backoff
	WriteRTO time.Duration // retransmission time-out of writes, without backoff
}

// Stats returns the counters and the state at the moment.
func (s *Session) Stats() Stats {
	now := s.stats
	now.Queued, now.InFlight, now.Window = s.queue.length, s.flying, int(s.window.size)
	now.ReadRTO, now.WriteRTO = s.rtt[timeRead].base(), s.rtt[timeWrite].base()
	return now
}

func (s *Session) count(o Outcome) {
	switch o {
	case Answered:
		s.stats.Answered++
	case Unavailable:
		s.stats.Unavailable++
	case Unknown:
		s.stats.Unknown++
	}
}

package generator

import "time"

// Trial is what became of the frames of one offered rate.
type Trial struct {
	Sent     uint64
	Received uint64        // until nothing more came
	During   uint64        // of those, until the last was sent
	Elapsed  time.Duration // of sending
}

// Offered returns the frames sent a second.
func (t Trial) Offered() float64 { return float64(t.Sent) / t.Elapsed.Seconds() }

// Rate returns the frames that came back a second while frames were sent.
func (t Trial) Rate() float64 { return float64(t.During) / t.Elapsed.Seconds() }

// Loss returns the share of the frames that did not come back.
func (t Trial) Loss() float64 {
	if t.Received >= t.Sent {
		return 0
	}
	return float64(t.Sent-t.Received) / float64(t.Sent)
}

// Latency is the distribution of round trips.
type Latency struct {
	P50, P99       time.Duration
	Sent, Received uint64
}

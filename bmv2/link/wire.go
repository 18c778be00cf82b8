package link

import "time"

// Fate is what becomes of a frame.
type Fate uint8

// The fates of a frame.
const (
	Arrives Fate = iota // at the time that Send returns
	Lost                // on the way
	Dropped             // the queue was full
)

// Wire is one direction of a link. It is not safe for concurrent use.
type Wire struct {
	spec   Spec
	chance func() float64

	free time.Duration // when all frames so far have been sent, rounded down
	rest uint64        // what free lacks, in 1/Rate of a nanosecond

	ends  []time.Duration // when each frame that was not sent yet will be: a ring
	first int
	held  int
}

// NewWire returns a wire that nothing is on. chance returns random numbers from 0 to, not
// including, 1; it is called once for each frame that is sent, if the link loses frames.
func NewWire(spec Spec, chance func() float64) *Wire {
	w := &Wire{spec: spec, chance: chance}
	if spec.Rate > 0 {
		if spec.Queue == 0 {
			spec.Queue = DefaultQueue
		}
		w.ends = make([]time.Duration, spec.Queue)
	}
	return w
}

// Send puts a frame of size bytes on the wire and returns its fate, and when it arrives. now must
// not go back between calls.
func (w *Wire) Send(now time.Duration, size int) (at time.Duration, f Fate) {
	at = now
	if w.spec.Rate > 0 {
		if !w.room(now) {
			return 0, Dropped
		}
		at = w.serialize(now, size)
	}
	if w.spec.Loss > 0 && w.chance() < w.spec.Loss {
		return 0, Lost
	}
	return at + w.spec.Delay, Arrives
}

// room forgets the frames that have been sent and reports whether one more may wait.
func (w *Wire) room(now time.Duration) bool {
	for w.held > 0 && w.ends[w.first] <= now {
		w.first = (w.first + 1) % len(w.ends)
		w.held--
	}
	return w.held < len(w.ends)
}

// Backlog returns how many frames wait to be sent or are being sent, and how long it takes until all
// of them have been. A link without a rate has none.
func (w *Wire) Backlog(now time.Duration) (frames int, wait time.Duration) {
	if w.spec.Rate == 0 {
		return 0, 0
	}
	w.room(now)
	return w.held, max(0, w.free-now)
}

// serialize returns when the last bit of a frame will have been sent, rounded up.
func (w *Wire) serialize(now time.Duration, size int) time.Duration {
	if now > w.free {
		w.free, w.rest = now, 0
	}
	const bits, nanoseconds = 8, uint64(time.Second)
	w.rest += bits * uint64(size) * nanoseconds
	w.free += time.Duration(w.rest / w.spec.Rate)
	w.rest %= w.spec.Rate
	end := w.free
	if w.rest > 0 {
		end++
	}
	w.ends[(w.first+w.held)%len(w.ends)] = end
	w.held++
	return end
}

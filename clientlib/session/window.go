package session

import "time"

// window is the congestion window in requests: additive increase, multiplicative decrease, as TCP
// has it (RFC 5681), with the gentler factor of CUBIC (RFC 9438) because requests are independent
// and one loss delays no other.
type window struct {
	size      float64
	threshold float64 // slow start ends here
	max       float64
	cut       time.Duration // when the window was last cut,
	uncut     float64       // and its size before
}

const (
	firstWindow = 32  // requests; a few times a TCP sender's ten segments, for they are small
	minWindow   = 8   // requests; keeps going under a high rate of random loss
	cutFactor   = 0.7 // CUBIC's beta
)

func newWindow(limit int) window {
	m := float64(limit)
	return window{size: min(firstWindow, m), threshold: m, max: m}
}

// room reports whether one more request may be in flight.
func (w *window) room(inFlight int) bool { return float64(inFlight) < w.size }

// answered grows the window if it was in use: by one per answer in slow start, else by one per
// round trip. inFlight counts the answered request.
func (w *window) answered(inFlight int) {
	if float64(inFlight) < w.size-1 {
		return // an unused window says nothing about the network
	}
	if w.size < w.threshold {
		w.size++
	} else {
		w.size += 1 / w.size
	}
	w.size = min(w.size, w.max)
}

// congested cuts the window because a request sent at the given time was lost or refused; once per
// round trip, as requests sent before the last cut belong to the same event.
func (w *window) congested(now, sent time.Duration) {
	if sent < w.cut {
		return
	}
	w.cut, w.uncut = now, w.size
	w.size = max(w.size*cutFactor, min(minWindow, w.max))
	w.threshold = w.size
}

// restore takes back the last cut, because what was thought lost was only late.
func (w *window) restore() {
	if w.uncut > w.size {
		w.size, w.threshold = w.uncut, w.uncut
	}
	w.uncut = 0
}

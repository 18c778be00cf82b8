package session

import "time"

// estimator computes the retransmission time-out of one class of operations after RFC 6298.
type estimator struct {
	min, first, max time.Duration

	smoothed time.Duration // SRTT; 0 before the first sample
	variance time.Duration // RTTVAR
	// shift is the exponential backoff that requests share: without it, a round trip that has
	// become longer than the time-out would never be measured again, because only requests that
	// were sent once give a sample (Karn).
	shift  uint
	raised time.Duration // when shift was last raised
	// floor is the shortest time-out at the moment. It rises above min when time-outs prove to
	// have been too short, which round trips alone do not tell: the long ones are rare.
	floor   time.Duration
	floored time.Duration // when floor was last raised
}

func newEstimator(c Config) estimator {
	return estimator{min: c.MinRTO, first: c.FirstRTO, max: c.MaxRTO, floor: c.MinRTO}
}

// sample takes in one measured round trip.
func (e *estimator) sample(rtt time.Duration) {
	e.shift = 0
	e.floor -= (e.floor - e.min) / floorDecay
	if e.smoothed == 0 {
		e.smoothed, e.variance = max(rtt, 1), rtt/2
		return
	}
	deviation := e.smoothed - rtt
	if deviation < 0 {
		deviation = -deviation
	}
	e.variance += (deviation - e.variance) / 4
	e.smoothed += (rtt - e.smoothed) / 8
}

// base returns the time-out without backoff.
func (e *estimator) base() time.Duration {
	if e.smoothed == 0 {
		return e.first
	}
	return max(e.floor, e.smoothed+4*e.variance)
}

// floorDecay is in how many samples the floor comes down again: some hundred milliseconds of a busy
// client.
const floorDecay = 1 << 14

// minShift is how many rounds of time-outs must follow each other before the backoff counts as ended.
const minShift = 3

// maxFloor bounds the floor in shortest time-outs.
const maxFloor = 8

// tooShort notes that a time-out was too short. The floor rises once per round.
func (e *estimator) tooShort(now time.Duration) {
	if now-e.floored >= e.floor {
		e.floor, e.floored = min(2*e.floor, maxFloor*e.min), now
	}
}

// timeout returns the time-out of a request that has timed out n times already. Backoff ends at
// the configured maximum, which a measured round trip may exceed.
func (e *estimator) timeout(n uint) time.Duration {
	base := e.base()
	if n = max(n, e.shift); n > 16 {
		n = 16
	}
	return min(base<<n, max(base, e.max))
}

// expired notes that a request sent at the given time had no reply. The backoff rises once per
// round: requests sent before the last rise say nothing new.
func (e *estimator) expired(now, sent time.Duration) {
	if sent >= e.raised && !e.saturated() {
		e.shift++
		e.raised = now
	}
}

// saturated reports whether backoff has come to its end. Then even the age of a request that was
// sent several times is a better estimate than what the estimator knows.
func (e *estimator) saturated() bool {
	return e.shift >= minShift && e.base()<<e.shift >= e.max
}

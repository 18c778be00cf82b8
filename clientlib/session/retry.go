package session

import "time"

// Pauses before a refused request is sent again. The shortest is about what a node needs to learn
// of a new epoch, the longest what a person does not notice after a repair.
const (
	firstPause = 500 * time.Microsecond
	maxPause   = 32 * time.Millisecond
)

// MaxRepeat is how long after its first send a write is given up at the latest, whatever its
// deadline: nodes forget the results of an idle session some time after twice that, so an older
// copy could be executed again.
const MaxRepeat = 10 * time.Minute

// Wake returns the time at which Tick is to be called; never too late, sometimes too early. ok is
// false if no request waits for anything.
func (s *Session) Wake() (at time.Duration, ok bool) {
	return s.wake, len(s.active) > 0
}

// lateTick is by how much Tick must be late to be taken for a sign that the whole process could
// not run: a few times the resolution of a driver's clock.
const lateTick = 4 * time.Millisecond

// Tick sends again what has waited too long and ends what has passed its deadline. It may be
// called at any time, and does nothing before Wake. When it comes very late, replies probably wait
// to be delivered, too, so requests are given once more the shortest time-out.
func (s *Session) Tick(now time.Duration, out *Output) {
	if now < s.wake {
		return
	}
	if now-s.wake >= lateTick {
		s.excuse(now)
	}
	s.wake = never
	for at := 0; at < len(s.active); {
		i := s.active[at]
		slot := s.all[i]
		if !s.tickOne(now, i, slot, out) {
			s.wakeAt(slot)
			at++ // otherwise another slot has taken this place
		}
	}
	s.fill(now, out)
}

// excuse postpones the time-outs that have passed, once for each send.
func (s *Session) excuse(now time.Duration) {
	for _, i := range s.active {
		if slot := s.all[i]; slot.state == flying && slot.due <= now && !slot.excused {
			slot.due, slot.excused = now+s.cfg.MinRTO, true
		}
	}
}

// tickOne reports whether the request has ended.
func (s *Session) tickOne(now time.Duration, i int32, slot *slot, out *Output) (ended bool) {
	switch {
	case now >= slot.deadline:
		if !s.finishScanEarly(now, i, slot, out) {
			s.abandon(now, i, ByDeadline, out)
		}
		return true
	case now < slot.due:
		return false
	case slot.state == flying:
		return s.timedOut(now, i, slot, out)
	case slot.state == paused:
		s.send(now, slot, out)
	}
	return false
}

// timedOut takes a missing reply for a loss and sends again.
func (s *Session) timedOut(now time.Duration, i int32, slot *slot, out *Output) (ended bool) {
	if s.finishScanEarly(now, i, slot, out) {
		return true
	}
	s.rtt[timingOf(slot.op())].expired(now, slot.sent)
	s.window.congested(now, slot.sent)
	if slot.timeouts < 255 {
		slot.timeouts++
	}
	s.stats.Retransmitted++
	s.land(slot)
	s.send(now, slot, out)
	return false
}

// refused lets a request pause, longer each time, before it is sent again. Refusals do not end a
// request: they tell that this copy of it was not executed, but say nothing about others.
func (s *Session) refused(now time.Duration, slot *slot) {
	s.stats.Refused++
	if slot.state != flying {
		return // a second refusal in the same pause
	}
	s.land(slot)
	pause := min(firstPause<<min(slot.refusals, 16), maxPause)
	if slot.refusals < 255 {
		slot.refusals++
	}
	slot.state, slot.due = paused, now+s.jitter(pause/2, pause)
	s.wakeAt(slot)
}

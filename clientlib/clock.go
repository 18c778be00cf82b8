package clientlib

import "time"

// The clock ticks often enough that a time-out is never late by more than half of the shortest
// one, and no oftener than its resolution is worth. It is not set for each request: that would
// cost more than the rest of the request.
const (
	longestTick  = 2500 * time.Microsecond
	shortestTick = time.Millisecond
	// idleTicks without any request put the clock to sleep until the next request.
	idleTicks = 100
)

// keepTime calls the session's Tick until the driver is closed.
func (d *driver) keepTime() {
	timer := time.NewTimer(longestTick)
	defer timer.Stop()
	idle := 0
	for {
		pause, active := d.tick(idle >= idleTicks)
		switch {
		case active:
			idle = 0
		case idle < idleTicks:
			idle++
		default: // asleep
			timer.Stop()
			idle = 0
			select {
			case <-d.alarm:
			case <-d.quit:
				return
			}
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-d.quit:
			return
		}
	}
}

// tick runs the session's timers and returns how long to pause before the next tick, and whether
// there are requests. If there are none and sleep is set, the next request sounds the alarm.
func (d *driver) tick(sleep bool) (pause time.Duration, active bool) {
	d.mu.Lock()
	now := d.advance(d.now())
	d.session.Tick(now, d.out)
	ended := d.settle(nil)
	at, active := d.session.Wake()
	if !active && sleep {
		d.asleep = true
	}
	d.flush()
	d.mu.Unlock()
	signalAll(ended)
	if !active {
		return longestTick, false
	}
	return min(max(at-now, shortestTick), longestTick), true
}

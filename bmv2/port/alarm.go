package port

import (
	"sync"
	"time"
)

// alarm wakes one waiter at a time that others may change.
type alarm interface {
	// set makes the next wait end after d; it replaces what was set before.
	set(d time.Duration)
	// wait returns true when the time has come, and false at once after close.
	wait() bool
	// close may be called more than once.
	close()
}

// timerAlarm is an alarm of the Go runtime, whose timers may be late by a millisecond.
type timerAlarm struct {
	timer *time.Timer
	done  chan struct{}
	once  sync.Once
}

func newTimerAlarm() alarm {
	a := &timerAlarm{timer: time.NewTimer(time.Hour), done: make(chan struct{})}
	a.timer.Stop()
	return a
}

func (a *timerAlarm) set(d time.Duration) { a.timer.Reset(d) }

func (a *timerAlarm) wait() bool {
	select {
	case <-a.timer.C:
		return true
	case <-a.done:
		return false
	}
}

func (a *timerAlarm) close() { a.once.Do(func() { close(a.done) }) }

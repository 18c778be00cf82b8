package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// store is where the directory is kept.
type store interface {
	Load() (directory.Snapshot, error)
	Commit([]directory.Change) error
	NextTerm() (uint64, error)
	Close() error
}

// loop is the one goroutine that owns the core. Everybody else gives it work with do, and reads
// Views.
type loop struct {
	core    *core.Core
	store   store
	journal *journal
	began   time.Time
	work    chan func()
	ended   chan struct{} // when nobody takes work any more

	// Owned by the goroutine.
	acks     []directory.Ack // of this round
	waiting  []chan struct{} // to be closed at the end of this round
	sessions map[kv.NodeID]*session
	switches map[string]*switchStatus
	failures map[kv.KeyspaceID]error // of publications

	network *network

	publish func(directory.Publication)
	probe   func([]kv.NodeID)

	mu      sync.Mutex // guards the three below
	view    directory.View
	joined  joined
	changed chan struct{} // closed and replaced when one of them is
}

// joined is how switches reach each other and the controller.
type joined struct {
	fabric  *dataplane.Fabric // nil: there is one switch
	carrier string            // the switch to which the controller's own address is attached, if any
}

// Bounds of one round: everything that waits is answered by one transaction, so the disk never
// falls behind, but nobody waits for more than this.
const (
	queueLength = 1024
	roundLength = 4096
)

// newLoop returns the loop of a core whose time 0 was at began.
func newLoop(c *core.Core, st store, j *journal, began time.Time) *loop {
	return &loop{
		core: c, store: st, journal: j, began: began,
		work: make(chan func(), queueLength), ended: make(chan struct{}),
		sessions: make(map[kv.NodeID]*session), switches: make(map[string]*switchStatus),
		failures: make(map[kv.KeyspaceID]error),
		changed:  make(chan struct{}), view: c.View(),
		probe: func([]kv.NodeID) {},
	}
}

// now is the time since the controller started.
func (l *loop) now() time.Duration { return time.Since(l.began) }

// run takes work until ctx is done, or until something cannot be stored: then the controller must
// stop, because what is not stored has not happened.
func (l *loop) run(ctx context.Context) error {
	defer close(l.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case f := <-l.work:
			f()
			l.drain()
		case <-timer.C:
			l.core.Tick(l.now())
			l.network.tick()
		case <-ctx.Done():
			return nil
		}
		if err := l.finishRound(); err != nil {
			return err
		}
		timer.Reset(min(l.core.NextTick(), l.network.nextTick()) - l.now())
	}
}

// drain does what else is waiting, as part of the same round.
func (l *loop) drain() {
	for range roundLength {
		select {
		case f := <-l.work:
			f()
		default:
			return
		}
	}
}

// do gives the loop work and returns when it has been done, and stored. After an error f may still
// be at work: what it writes must not be read then.
func (l *loop) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	if err := l.post(ctx, func() { f(); l.waiting = append(l.waiting, done) }); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-l.ended:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// post gives the loop work and does not wait for it.
func (l *loop) post(ctx context.Context, f func()) error {
	select {
	case l.work <- f:
		return nil
	case <-l.ended:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errStopped = fmt.Errorf("controller has stopped")

// finishRound stores what the round changed, and then carries out what it asked for.
func (l *loop) finishRound() error {
	if len(l.acks) > 0 {
		l.core.Acked(l.now(), l.acks)
		l.acks = l.acks[:0]
	}
	e := l.core.Take()
	if err := l.store.Commit(e.Changes); err != nil {
		return err
	}
	for _, s := range e.Sends {
		if to := l.sessions[s.To]; to != nil {
			to.push(s)
		}
	}
	for _, p := range e.Publications {
		l.publish(p)
	}
	if e.ChangeCarrier {
		l.network.leaveCarrier()
	}
	if len(e.Probes) > 0 {
		l.probe(e.Probes)
	}
	if len(e.Changes) > 0 || l.view.Revision != l.core.Revision() {
		l.setView()
	}
	for _, event := range e.Events {
		l.journal.tell(event)
	}
	for _, done := range l.waiting {
		close(done)
	}
	l.waiting = l.waiting[:0]
	return nil
}

func (l *loop) setView() {
	v := l.core.View()
	l.change(func() { l.view = v })
}

// change changes what everybody else sees, and wakes those who wait for that.
func (l *loop) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// current returns the newest View, and a channel that is closed when there is a newer one.
func (l *loop) current() (directory.View, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view, l.changed
}

// wanted is current, and how the switches are joined: all that decides what they must hold but for the
// hosts that were learned, which wake those who wait as well.
func (l *loop) wanted() (directory.View, joined, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view, l.joined, l.changed
}

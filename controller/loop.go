package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

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

// loop is the one goroutine that owns the directory. Everybody else gives it work with do, and
// reads Views.
type loop struct {
	dir    *directory.Directory
	store  store
	events Events
	began  time.Time
	work   chan func()
	ended  chan struct{} // when nobody takes work any more

	// Owned by the goroutine.
	effects  directory.Effects // of this round
	acks     []directory.Ack   // of this round
	waiting  []chan struct{}   // to be closed at the end of this round
	sessions map[kv.NodeID]*session
	reports  map[kv.NodeID]report
	refusals map[assignmentOf]string
	switches map[string]*switchStatus
	load     *loadMeter
	failures map[kv.KeyspaceID]error // of publications

	publish func(directory.Publication)

	mu      sync.Mutex // guards the two below
	view    directory.View
	changed chan struct{} // closed and replaced when view is
}

// assignmentOf names one membership.
type assignmentOf struct {
	node     kv.NodeID
	subRange kv.SubRangeID
}

// Bounds of one round: everything that waits is answered by one transaction, so the disk never
// falls behind, but nobody waits for more than this.
const (
	queueLength = 1024
	roundLength = 4096
)

func newLoop(dir *directory.Directory, st store, events Events) *loop {
	l := &loop{
		dir: dir, store: st, events: events, began: time.Now(),
		work: make(chan func(), queueLength), ended: make(chan struct{}),
		sessions: make(map[kv.NodeID]*session), reports: make(map[kv.NodeID]report),
		refusals: make(map[assignmentOf]string), switches: make(map[string]*switchStatus),
		load: newLoadMeter(), failures: make(map[kv.KeyspaceID]error),
		changed: make(chan struct{}), view: dir.View(),
	}
	return l
}

// now is the time since the controller started.
func (l *loop) now() time.Duration { return time.Since(l.began) }

// run takes work until ctx is done, or until something cannot be stored: then the controller must
// stop, because what is not stored has not happened.
func (l *loop) run(ctx context.Context) error {
	defer close(l.ended)
	for {
		select {
		case f := <-l.work:
			f()
			l.drain()
			if err := l.finishRound(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
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

// do gives the loop work and returns when it has been done, and stored.
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

// take adds what a command asks for to the round.
func (l *loop) take(e directory.Effects) {
	l.effects.Changes = append(l.effects.Changes, e.Changes...)
	l.effects.Sends = append(l.effects.Sends, e.Sends...)
	l.effects.Publications = append(l.effects.Publications, e.Publications...)
}

// finishRound stores what the round changed, and then carries out what it asked for.
func (l *loop) finishRound() error {
	if len(l.acks) > 0 {
		l.take(l.dir.Acknowledged(l.acks))
		l.acks = l.acks[:0]
	}
	e := l.effects
	l.effects = directory.Effects{}
	if err := l.store.Commit(e.Changes); err != nil {
		return err
	}
	l.announce(e.Changes)
	for _, s := range e.Sends {
		if to := l.sessions[s.To]; to != nil {
			to.push(s)
		}
	}
	for _, p := range e.Publications {
		l.publish(p)
	}
	if len(e.Changes) > 0 || l.view.Revision != l.dir.Revision() {
		l.setView()
	}
	for _, done := range l.waiting {
		close(done)
	}
	l.waiting = l.waiting[:0]
	return nil
}

// announce tells of keyspaces whose phase has changed.
func (l *loop) announce(changes []directory.Change) {
	for _, c := range changes {
		if c.Keyspace == nil {
			continue
		}
		kind := KeyspaceCreated
		switch {
		case c.Delete:
			kind = KeyspaceDropped
		case c.Keyspace.Phase == directory.PhaseReady:
			kind = KeyspaceReady
		case c.Keyspace.Phase == directory.PhaseDropping:
			continue
		}
		l.events.tell(Event{Kind: kind, Keyspace: c.Keyspace.Name})
	}
}

func (l *loop) setView() {
	v := l.dir.View()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.view = v
	close(l.changed)
	l.changed = make(chan struct{})
}

// current returns the newest View, and a channel that is closed when there is a newer one.
func (l *loop) current() (directory.View, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view, l.changed
}

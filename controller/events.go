package controller

import (
	"context"
	"sync"
	"time"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/controller/core"
)

// EventKind says what happened.
type EventKind = core.EventKind

// The kinds of events that the controller adds to those of its core, which are repeated here for
// those that programs wait for.
const (
	NodeJoined     EventKind = "node joined"
	NodeLeft       EventKind = "node left"
	NodeRefused    EventKind = "node refused"
	PublishFailed  EventKind = "publish failed" // and will be tried again
	SwitchPrimary  EventKind = "switch primary"
	SwitchStandby  EventKind = "switch standby" // another controller is primary
	SwitchLost     EventKind = "switch lost"
	SwitchSynced   EventKind = "switch synced"
	SwitchRefused  EventKind = "switch refused" // an update or a message
	PipelinePushed EventKind = "pipeline pushed"
	HostsFull      EventKind = "hosts full" // no room for another learned host
	CarrierChanged EventKind = "carrier"    // the switch that carries the controller's own traffic
	LinkDown       EventKind = "link down"
	LinkUp         EventKind = "link up"
	WrongCable     EventKind = "wrong cable" // another neighbour than the topology says

	ControllerLeads    EventKind = "controller leads"     // elected among several
	ControllerStandsBy EventKind = "controller stands by" // another one was elected

	AssignmentRefused = core.AssignmentRefused
	StateLost         = core.StateLost
	KeyspaceCreated   = core.KeyspaceCreated
	KeyspaceReady     = core.KeyspaceReady
	KeyspaceDropped   = core.KeyspaceDropped
)

// Event is one thing that happened. Fields that do not apply are zero.
type Event = core.Event

// Events are told what happens. Notify may be nil; it is called from several goroutines and must
// not block.
type Events struct {
	Notify func(Event)
}

func (e Events) tell(event Event) {
	if e.Notify != nil {
		e.Notify(event)
	}
}

// journalLength bounds what is remembered: some minutes of a cluster in trouble, and a few megabytes.
const journalLength = 8192

// journal remembers the last events, numbered from 1. It is safe for concurrent use.
type journal struct {
	events Events

	mu    sync.Mutex
	last  []entry       // oldest first, ids without gaps
	next  uint64        // id of the next event
	newer chan struct{} // closed and replaced with every event
}

// entry is an event with its number and the wall clock.
type entry struct {
	Event
	id uint64
	at time.Time
}

func newJournal(e Events) *journal {
	return &journal{events: e, next: 1, newer: make(chan struct{})}
}

// tell remembers an event and notifies whoever wants to know.
func (j *journal) tell(e Event) {
	j.mu.Lock()
	if len(j.last) == journalLength {
		j.last = append(j.last[:0:0], j.last[journalLength/4:]...)
	}
	j.last = append(j.last, entry{Event: e, id: j.next, at: time.Now()})
	j.next++
	close(j.newer)
	j.newer = make(chan struct{})
	j.mu.Unlock()
	j.events.tell(e)
}

// after returns the events with higher ids that are remembered, and a channel that is closed when
// there are more.
func (j *journal) after(id uint64) ([]entry, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := j.next - uint64(len(j.last))
	if id+1 >= j.next {
		return nil, j.newer
	}
	skip := 0
	if id+1 > first {
		skip = int(id + 1 - first)
	}
	return j.last[skip:len(j.last):len(j.last)], j.newer
}

// stream gives send the events that are asked for, until ctx is done, the controller has ended or
// send fails.
func (j *journal) stream(ctx context.Context, ended <-chan struct{}, m *adminpb.EventsRequest,
	send func(entry) error,
) error {
	for id := m.GetAfterId(); ; {
		events, newer := j.after(id)
		for _, e := range events {
			if err := send(e); err != nil {
				return err
			}
			id = e.id
		}
		if !m.GetFollow() {
			return nil
		}
		select {
		case <-newer:
		case <-ended:
			return errStopped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

package controller

import (
	"fmt"

	"github.com/turbokv/turbokv/kv"
)

// EventKind says what happened.
type EventKind string

// The kinds of events. Subjects stand in the fields of Event.
const (
	NodeJoined        EventKind = "node joined"
	NodeLeft          EventKind = "node left"
	NodeRefused       EventKind = "node refused"
	AssignmentRefused EventKind = "assignment refused"
	StateLost         EventKind = "state lost" // a replica in memory whose node restarted
	KeyspaceCreated   EventKind = "keyspace created"
	KeyspaceReady     EventKind = "keyspace ready"
	KeyspaceDropped   EventKind = "keyspace dropped"
	PublishFailed     EventKind = "publish failed" // and will be tried again
	SwitchPrimary     EventKind = "switch primary"
	SwitchStandby     EventKind = "switch standby" // another controller is primary
	SwitchLost        EventKind = "switch lost"
	SwitchSynced      EventKind = "switch synced"
	SwitchRefused     EventKind = "switch refused" // an update or a message
	PipelinePushed    EventKind = "pipeline pushed"
	HostsFull         EventKind = "hosts full" // no room for another learned host

	ControllerLeads    EventKind = "controller leads"     // elected among several
	ControllerStandsBy EventKind = "controller stands by" // another one was elected
)

// Event is one thing that happened. Fields that do not apply are zero.
type Event struct {
	Kind     EventKind
	Node     kv.NodeID
	Switch   string
	Keyspace string
	SubRange kv.SubRangeID
	Updates  int   // written to a switch
	Err      error // why
}

// String prints the event on one line.
func (e Event) String() string {
	s := string(e.Kind)
	if e.Node != 0 {
		s += fmt.Sprintf(": node %v", e.Node)
	}
	if e.Switch != "" {
		s += fmt.Sprintf(": switch %s", e.Switch)
	}
	if e.Keyspace != "" {
		s += fmt.Sprintf(": keyspace %q", e.Keyspace)
	}
	if e.SubRange != 0 {
		s += fmt.Sprintf(": %v", e.SubRange)
	}
	if e.Updates != 0 {
		s += fmt.Sprintf(": %d updates", e.Updates)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

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

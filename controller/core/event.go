package core

import (
	"fmt"

	"github.com/turbokv/turbokv/kv"
)

// Severity says who should care about an event.
type Severity uint8

// The severities.
const (
	Info    Severity = iota // for the record
	Warning                 // something failed, and is being dealt with
	Alarm                   // requests fail, or data is lost, until somebody helps
)

// String gives the name that reports use.
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Alarm:
		return "alarm"
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// EventKind says what happened.
type EventKind string

// The kinds of events that the core tells. The driver adds those of its connections.
const (
	NodeSuspected       EventKind = "node suspected"
	NodeFailed          EventKind = "node failed"
	NodeRecovered       EventKind = "node recovered"
	RackLost            EventKind = "rack lost"     // all Count nodes of Switch have failed
	RackReturned        EventKind = "rack returned" // all Count nodes of a lost one are well again
	NodeDraining        EventKind = "node draining"
	NodeDrained         EventKind = "node drained" // carries nothing any more
	NodeAdmitted        EventKind = "node admitted"
	NodeForgotten       EventKind = "node forgotten"
	AssignmentRefused   EventKind = "assignment refused"
	StateLost           EventKind = "state lost"          // one replica: its node restarted, or its disk
	MemberEvicted       EventKind = "evicted"             // a node, from Count sub-ranges
	SubRangeUnavailable EventKind = "unavailable"         // nobody can serve it until a node comes back
	SubRangeLost        EventKind = "lost"                // all replicas
	SubRangeRestored    EventKind = "served again"        // after unavailable or lost
	ReplicationRestored EventKind = "fully replicated"    // all sub-ranges of a keyspace, in full
	CatalogueRecreated  EventKind = "catalogue recreated" // the system keyspace, from the directory
	PlanBegun           EventKind = "plan begun"
	PlanDone            EventKind = "plan done"
	PlanAborted         EventKind = "plan aborted"
	KeyspaceCreated     EventKind = "keyspace created"
	KeyspaceReady       EventKind = "keyspace ready"
	KeyspaceDropped     EventKind = "keyspace dropped"
)

// Event is one thing that happened. Fields that do not apply are zero.
type Event struct {
	Kind     EventKind
	Severity Severity
	Node     kv.NodeID
	Switch   string
	Keyspace string
	SubRange kv.SubRangeID
	Plan     uint64 // id
	Count    int    // of sub-ranges, of nodes, or of updates written to a switch
	Err      error  // why
	Text     string // more, in words
}

// String prints the event on one line.
func (e Event) String() string {
	s := string(e.Kind)
	add := func(is bool, format string, value any) {
		if is {
			s += ": " + fmt.Sprintf(format, value)
		}
	}
	add(e.Node != 0, "node %v", e.Node)
	add(e.Switch != "", "switch %s", e.Switch)
	add(e.Keyspace != "", "keyspace %q", e.Keyspace)
	add(e.SubRange != 0, "%v", e.SubRange)
	add(e.Plan != 0, "plan %d", e.Plan)
	add(e.Count != 0, e.unit(), e.Count)
	add(e.Text != "", "%s", e.Text)
	add(e.Err != nil, "%v", e.Err)
	return s
}

// unit says what Count counts.
func (e Event) unit() string {
	switch e.Kind {
	case MemberEvicted:
		return "%d sub-ranges"
	case RackLost:
		return "%d nodes unreachable"
	case RackReturned:
		return "%d nodes are back"
	}
	return "%d updates"
}

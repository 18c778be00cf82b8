package links

import (
	"fmt"

	"github.com/turbokv/turbokv/topology"
)

// Kind says what has happened.
type Kind uint8

// The kinds of events.
const (
	Down     Kind = iota + 1 // a link does not work any more, for the reason Why
	Up                       // it does again
	Miswired                 // the switch At has heard Found where Want, or no switch, should be
)

// Event is something that has happened to a link.
type Event struct {
	Kind Kind
	Link int // index in Network.Links; -1 if the topology has none at the port
	Why  string
	// Of Miswired. Want is the zero value if there should be no switch.
	At, Want, Found topology.End
}

// String says it for a log.
func (e Event) String() string {
	switch {
	case e.Kind == Up:
		return fmt.Sprintf("link %d is up", e.Link)
	case e.Kind == Down:
		return fmt.Sprintf("link %d is down: %s", e.Link, e.Why)
	case e.Want == topology.End{}:
		return fmt.Sprintf("wrong cable: %v hears the switch port %v, where the topology has no switch",
			e.At, e.Found)
	}
	return fmt.Sprintf("wrong cable: %v hears %v, where the topology has %v", e.At, e.Found, e.Want)
}

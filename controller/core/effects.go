package core

import (
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// Effects is what the core asks of its driver: store Changes in one transaction, then do the rest
// in any order.
type Effects struct {
	directory.Effects
	Probes []kv.NodeID // nodes to ask for a sign of life; an answer is given back as Alive
	// ChangeCarrier asks for probes to be sent by way of another switch, because most nodes leave them
	// unanswered although they speak in their sessions. If there is no other, nothing is to be done.
	ChangeCarrier bool
	Events        []Event // in the order in which they happened
}

// add appends what a command of the directory asks for.
func (e *Effects) add(more directory.Effects) {
	e.Changes = append(e.Changes, more.Changes...)
	e.Sends = append(e.Sends, more.Sends...)
	e.Publications = append(e.Publications, more.Publications...)
}

package hops

import (
	"fmt"
	"strings"
	"time"

	"github.com/turbokv/turbokv/bmv2/trace"
	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
)

// Hop is one packet at one switch.
type Hop struct {
	Time   time.Time `json:"time"` // when the switch had handled it
	Switch string    `json:"switch"`
	In     Port      `json:"in"`
	Packet string    `json:"packet"` // which packet it is, in words
	// Client and Sequence are those of the request that the packet asks or answers.
	Client   kv.ClientID   `json:"client,omitempty"`
	Sequence kv.RequestSeq `json:"sequence,omitempty"`
	Parts    []Part        `json:"parts"`          // the packet itself, then its copies
	Lost     uint64        `json:"lost,omitempty"` // traces lost before this one
}

// Port is a port and what hangs on it.
type Port struct {
	Number    uint16 `json:"port"`
	Neighbour string `json:"neighbour,omitempty"` // empty: not known
}

// Part is what happened to a packet or to a copy of it.
type Part struct {
	Kind  string   `json:"kind"`            // of the pass, see bmv2/v1model
	Steps []string `json:"steps,omitempty"` // tables, and what they decided
	Fate  string   `json:"fate"`            // where it went, or why not
	Out   *Port    `json:"out,omitempty"`   // set if it left
}

// Teller tells hops. It remembers the keys of requests, so that answers can be named after them.
type Teller struct {
	// Neighbour names what hangs on a port of a switch; empty: not known.
	Neighbour func(sw string, port uint16) string
	// All tells every table, also those that are of no interest most of the time, and conditions.
	All bool

	keys map[request]string
}

// Tell describes a line of the stream of the switch of that name.
func (t *Teller) Tell(sw string, line trace.Line) Hop {
	first := packetOf(line.Passes[0].Headers, line.Frame)
	h := Hop{Time: line.Time, Switch: sw, In: t.port(sw, line.Port), Packet: t.name(first),
		Client: first.client, Sequence: first.sequence, Lost: line.Lost}
	for _, p := range line.Passes {
		if part := t.part(sw, p); part.Fate != "" || len(part.Steps) > 0 {
			h.Parts = append(h.Parts, part)
		}
	}
	return h
}

func (t *Teller) port(sw string, number uint16) Port {
	p := Port{Number: number}
	switch {
	case number == p4src.CPUPort:
		p.Neighbour = "the controller"
	case t.Neighbour != nil:
		p.Neighbour = t.Neighbour(sw, number)
	}
	return p
}

func (t *Teller) part(sw string, p *v1model.Pass) Part {
	out := Part{Kind: p.Kind}
	dropped := ""
	for _, s := range p.Steps {
		switch {
		case s.Table != nil && (t.All || interesting(s.Table)):
			out.Steps = append(out.Steps, lookup(s.Table))
		case s.Condition != nil && t.All:
			out.Steps = append(out.Steps, fmt.Sprintf("if (%s): %v", s.Condition.Source, s.Condition.Outcome))
		case s.Counter != nil && short(s.Counter.Name) == p4src.DropCounter:
			dropped = p4src.DropReason(s.Counter.Index).String()
		case s.Note != "":
			out.Steps = append(out.Steps, s.Note)
		case s.Log != "":
			out.Steps = append(out.Steps, "says "+s.Log)
		case s.Digest != nil:
			out.Steps = append(out.Steps, "reports its source to the controller")
		}
	}
	switch {
	case p.Out != nil:
		port := t.port(sw, p.Out.Port)
		out.Out = &port
		out.Fate = answer(p.Out) + "out " + port.String()
		if p.Out.NoPort {
			out.Fate += ", where no port is: lost"
		}
	case dropped != "":
		out.Fate = "dropped: " + dropped
	case p.Drop != "":
		out.Fate = "dropped: " + p.Drop
	}
	return out
}

// answer says when a packet that leaves is the switch's own answer.
func answer(o *v1model.Out) string {
	if p := packetOf(o.Headers, o.Frame); p.store && p.fromSwitch {
		return "answers " + p.status.String() + ", "
	}
	return ""
}

// String returns the port as in "5 to s4".
func (p Port) String() string { return p.with("to") }

func (p Port) with(word string) string {
	if p.Neighbour == "" {
		return fmt.Sprint(p.Number)
	}
	return fmt.Sprintf("%d %s %s", p.Number, word, p.Neighbour)
}

// String returns the hop in one line, and one more for each copy.
func (h Hop) String() string {
	var b strings.Builder
	if h.Lost > 0 {
		fmt.Fprintf(&b, "(%d packets of %s were lost here: too many for this reader)\n", h.Lost, h.Switch)
	}
	fmt.Fprintf(&b, "%s  %s in %s: %s", h.Time.Local().Format("15:04:05.000000"), h.Switch, h.In.with("from"),
		h.Packet)
	for i, p := range h.Parts {
		if i > 0 {
			fmt.Fprintf(&b, "\n%*s", len("15:04:05.000000  ")+len(h.Switch)+1, "")
			b.WriteString(strings.ReplaceAll(p.Kind, "_", " "))
		}
		separator := ": "
		for _, s := range p.Steps {
			b.WriteString(separator + s)
			separator = ", "
		}
		if p.Fate != "" {
			b.WriteString("; " + p.Fate)
		}
	}
	return b.String()
}

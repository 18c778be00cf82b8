package controller

import (
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
)

// network is what the controller knows of its switches together: which are within reach, which links
// carry something, which switch carries its own traffic. The loop owns it.
type network struct {
	loop     *loop
	cfg      Config
	link     *cpuLink // nil: the controller has no address in the data network
	sessions map[string]*p4rt.Session
	synced   map[string]*dataplane.Fabric // that each switch holds, in its present session

	carrier  string // to which the controller's address is attached, within reach or not
	avoided  string // the carrier that was left last, though it was within reach
	portDown map[topology.End]bool
}

func newNetwork(l *loop, cfg Config, link *cpuLink) *network {
	n := &network{
		loop: l, cfg: cfg, link: link, sessions: make(map[string]*p4rt.Session),
		synced: make(map[string]*dataplane.Fabric), portDown: make(map[topology.End]bool),
	}
	if link != nil {
		n.carrier = n.highest(func(string) bool { return true })
	}
	n.rebuild()
	return n
}

// rebuild works out how the switches are joined now, and tells them.
func (n *network) rebuild() {
	now := joined{carrier: n.carrier}
	if n.cfg.Topology != nil {
		own := n.cfg.Address.Addr().Unmap()
		cfg := dataplane.FabricConfig{Network: n.cfg.Topology, Down: n.down(), Carrier: n.carrier}
		if own.IsValid() {
			cfg.Controller = dataplane.Route{Addr: own, MAC: transport.MACOf(own)}
		}
		now.fabric = dataplane.NewFabric(cfg)
	}
	n.loop.change(func() { n.loop.joined = now })
}

// attached says that a session with a switch begins.
func (n *network) attached(name string, s *p4rt.Session) {
	n.sessions[name] = s
	if n.avoided == name {
		n.avoided = ""
	}
	n.chooseCarrier()
}

// detached says that it is over, unless a newer one has begun.
func (n *network) detached(name string, s *p4rt.Session) {
	if n.sessions[name] == s {
		delete(n.sessions, name)
		delete(n.synced, name)
		n.chooseCarrier()
	}
}

// holds says that a switch holds all that a fabric asks for. Probes begin when the carrier does.
func (n *network) holds(name string, f *dataplane.Fabric) {
	if n.sessions[name] == nil {
		return
	}
	_, before := n.synced[name]
	n.synced[name] = f
	if !before {
		n.chooseCarrier()
	}
	if n.link != nil && name == n.carrier && f == n.loop.joined.fabric {
		n.loop.core.CanProbe(n.loop.now(), true)
	}
}

// carrierPatience is how long a controller that begins waits for the switch that is to carry its traffic:
// to move is to change routes in all switches.
const carrierPatience = 2 * time.Second

// chooseCarrier has the highest switch within reach carry the controller's traffic: no other is as near
// to all racks. It leaves a carrier that works only for a higher one that is complete.
func (n *network) chooseCarrier() {
	best := n.highest(func(name string) bool { return n.sessions[name] != nil })
	_, complete := n.synced[best]
	switch {
	case n.link == nil:
		return
	case best == "" || n.sessions[n.carrier] != nil && !complete:
		best = n.carrier
	case n.sessions[n.carrier] == nil && n.loop.now() < carrierPatience:
		best = n.carrier
	}
	n.carry(best)
}

// highest returns the best carrier of those that will do.
func (n *network) highest(willDo func(name string) bool) (best string) {
	rank := -1
	for _, sw := range n.cfg.Switches {
		if r := n.rank(sw.Name); willDo(sw.Name) && r > rank {
			best, rank = sw.Name, r
		}
	}
	return best
}

// rank orders carriers: levels first; within one, the present carrier is preferred, and one that did not
// do comes last.
func (n *network) rank(name string) int {
	switch rank := 2*n.cfg.level(name) + 1; name {
	case n.avoided:
		return 0
	case n.carrier:
		return rank + 1
	default:
		return rank
	}
}

// carry has a switch carry the controller's traffic, now or when it comes within reach.
func (n *network) carry(name string) {
	moved, session := name != n.carrier, n.sessions[name]
	if !moved && n.link.carries(session) {
		return
	}
	n.carrier = name
	n.link.attach(session)
	n.loop.core.CanProbe(n.loop.now(), false)
	if moved {
		n.rebuild()
		n.loop.journal.tell(Event{Kind: CarrierChanged, Switch: name})
	}
}

// leaveCarrier moves the controller's traffic to another switch, because too few nodes answer through
// the present one. If there is no other, it stays.
func (n *network) leaveCarrier() {
	before := n.avoided
	n.avoided = n.carrier
	best := n.highest(func(name string) bool { return n.sessions[name] != nil })
	if n.link == nil || best == "" || best == n.carrier {
		n.avoided = before
		return
	}
	n.carry(best)
}

// portChanged takes word of a switch that a port has lost its link, or has it again.
func (n *network) portChanged(name string, port uint32, up bool) {
	n.loop.core.PortChanged(n.loop.now(), name, port, up)
	end := topology.End{Name: name, Port: port}
	at := n.linkAt(end)
	if at < 0 || n.portDown[end] == !up {
		return
	}
	before := n.isDown(at)
	n.portDown[end] = !up
	if after := n.isDown(at); after != before {
		n.tellLink(at, after)
		n.rebuild()
	}
}

// linkAt returns the link between switches that ends at a port; -1 if there is none.
func (n *network) linkAt(end topology.End) int {
	if n.cfg.Topology == nil {
		return -1
	}
	return slices.IndexFunc(n.cfg.Topology.Links, func(l topology.Link) bool {
		return l.A.Port != 0 && l.B.Port != 0 && (l.A == end || l.B == end)
	})
}

func (n *network) isDown(link int) bool {
	l := n.cfg.Topology.Links[link]
	return n.portDown[l.A] || n.portDown[l.B]
}

// down lists the links between switches that carry nothing.
func (n *network) down() (out []int) {
	for i := range n.cfg.Topology.Links {
		if n.isDown(i) {
			out = append(out, i)
		}
	}
	return out
}

func (n *network) tellLink(link int, down bool) {
	l := n.cfg.Topology.Links[link]
	e := Event{Kind: LinkUp, Text: l.A.String() + " to " + l.B.String()}
	if down {
		e.Kind, e.Severity = LinkDown, core.Warning
	}
	n.loop.journal.tell(e)
}

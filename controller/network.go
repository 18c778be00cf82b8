package controller

import (
	"slices"

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

	carrier  *dataplane.Carrier // nil like link
	portDown map[topology.End]bool
}

func newNetwork(l *loop, cfg Config, link *cpuLink) *network {
	n := &network{
		loop: l, cfg: cfg, link: link, sessions: make(map[string]*p4rt.Session),
		synced: make(map[string]*dataplane.Fabric), portDown: make(map[topology.End]bool),
	}
	n.rebuild()
	if link != nil {
		n.carrier = dataplane.NewCarrier(n.candidates())
		n.rebuild()
	}
	return n
}

// carriedAt returns the switch to which the controller's address is attached, within reach or not.
func (n *network) carriedAt() string {
	if n.carrier == nil {
		return ""
	}
	return n.carrier.At()
}

// rebuild works out how the switches are joined now, and tells them.
func (n *network) rebuild() {
	now := joined{carrier: n.carriedAt()}
	if n.cfg.Topology != nil {
		own := n.cfg.Address.Addr().Unmap()
		cfg := dataplane.FabricConfig{Network: n.cfg.Topology, Down: n.down(), Carrier: n.carriedAt()}
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
	if n.carrier != nil {
		n.carrier.Attached(name)
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
	if n.link != nil && name == n.carriedAt() && f == n.loop.joined.fabric {
		n.loop.core.CanProbe(n.loop.now(), true)
	}
}

// chooseCarrier has another switch carry the controller's traffic, if that is better.
func (n *network) chooseCarrier() {
	if n.link != nil {
		n.carry(n.carrier.Choose(n.loop.now(), n.candidates()))
	}
}

// leaveCarrier moves the controller's traffic to another switch, because too few nodes answer through
// the present one. If there is no other, it stays.
func (n *network) leaveCarrier() {
	if n.link != nil && n.carrier.Leave(n.candidates()) {
		n.carry(true)
	}
}

func (n *network) candidates() (out []dataplane.Candidate) {
	for _, sw := range n.cfg.Switches {
		_, complete := n.synced[sw.Name]
		c := dataplane.Candidate{Name: sw.Name, Level: n.cfg.level(sw.Name),
			Near: n.sessions[sw.Name] != nil, Complete: complete}
		if f := n.loop.joined.fabric; f != nil {
			c.Reach = f.Reach(sw.Name)
		}
		out = append(out, c)
	}
	return out
}

// carry has the carrier's session carry the controller's traffic, now or when there is one.
func (n *network) carry(moved bool) {
	session := n.sessions[n.carriedAt()]
	if !moved && n.link.carries(session) {
		return
	}
	n.link.attach(session)
	n.loop.core.CanProbe(n.loop.now(), false)
	if moved {
		n.rebuild()
		n.loop.journal.tell(Event{Kind: CarrierChanged, Switch: n.carriedAt()})
	}
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
		n.chooseCarrier()
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

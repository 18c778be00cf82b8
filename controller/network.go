package controller

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/links"
	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/p4src"
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

	carrier *dataplane.Carrier       // nil like link
	links   *links.Links             // nil without a topology
	since   map[string]time.Duration // from when on a switch has not been complete
	lost    []string                 // switches that are not used
}

func newNetwork(l *loop, cfg Config, link *cpuLink) (*network, error) {
	n := &network{
		loop: l, cfg: cfg, link: link, sessions: make(map[string]*p4rt.Session),
		synced: make(map[string]*dataplane.Fabric), since: make(map[string]time.Duration),
	}
	if cfg.Topology != nil {
		var err error
		if n.links, err = links.New(cfg.Links, cfg.Topology); err != nil {
			return nil, fmt.Errorf("controller: %w", err)
		}
	}
	n.rebuild()
	if link != nil {
		n.carrier = dataplane.NewCarrier(n.candidates())
		n.rebuild()
	}
	return n, nil
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
		cfg := dataplane.FabricConfig{Network: n.cfg.Topology, Down: n.links.Down(), Lost: n.lost,
			Carrier: n.carriedAt()}
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
	if n.links != nil {
		n.links.SwitchBack(n.loop.now(), name)
	}
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
		n.since[name] = n.loop.now()
		if n.links != nil {
			n.links.SwitchGone(n.loop.now(), name)
		}
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
		n.findLost()
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

// lostPatience is how long a switch above the racks is used that the controller cannot reach, or that is
// not complete. It may go on as it is, but nobody can tell, and there are others: less capacity is a
// smaller harm than a part of all flows lost. A rack that cannot be reached has only itself.
const lostPatience = 500 * time.Millisecond

// findLost works out which switches are not to be used. One that was lost is used again when it is
// complete.
func (n *network) findLost() {
	var lost []string
	for _, sw := range n.cfg.Switches {
		_, complete := n.synced[sw.Name]
		patience := lostPatience
		if n.since[sw.Name] == 0 { // since the beginning
			patience = dataplane.CarrierPatience
		}
		if n.cfg.level(sw.Name) > 0 && !complete && (slices.Contains(n.lost, sw.Name) ||
			n.loop.now()-n.since[sw.Name] >= patience) {
			lost = append(lost, sw.Name)
		}
	}
	if !slices.Equal(lost, n.lost) {
		n.lost = lost
		n.rebuild()
	}
}

// nextTick is when tick is due.
func (n *network) nextTick() time.Duration {
	if n.links == nil {
		return never
	}
	return n.links.NextTick()
}

const never = time.Duration(math.MaxInt64)

// tick has the switches send what tells their neighbours from each other.
func (n *network) tick() {
	if n.links == nil || n.loop.now() < n.links.NextTick() {
		return
	}
	for _, f := range n.links.Tick(n.loop.now()) {
		// An error: the queue is full, or the session has just ended. It counts as a frame that was lost.
		_ = n.sessions[f.Switch].SendPacket(f.Data,
			p4rt.Metadata{p4src.EgressPort: tables.Uint(uint64(f.Port))})
	}
	n.findLost()
	n.chooseCarrier()
	n.takeLinks()
}

// heard takes an LLDP frame that a switch has received.
func (n *network) heard(at topology.End, frame []byte) {
	if n.links != nil {
		n.links.Received(n.loop.now(), at, frame)
		n.takeLinks()
	}
}

// portChanged takes word of a switch that a port has lost its link, or has it again.
func (n *network) portChanged(name string, port uint32, up bool) {
	n.loop.core.PortChanged(n.loop.now(), name, port, up)
	if n.links != nil {
		n.links.PortStatus(n.loop.now(), topology.End{Name: name, Port: port}, up)
		n.takeLinks()
	}
}

// takeLinks tells what has happened to links, and has all switches follow.
func (n *network) takeLinks() {
	happened := n.links.Take()
	changed := false
	for _, e := range happened {
		n.loop.journal.tell(n.eventOf(e))
		changed = changed || e.Kind != links.Miswired
	}
	if changed {
		n.rebuild()
		n.chooseCarrier()
	}
}

func (n *network) eventOf(e links.Event) Event {
	if e.Kind == links.Miswired {
		return Event{Kind: WrongCable, Severity: core.Warning, Text: e.String()}
	}
	l := n.cfg.Topology.Links[e.Link]
	out := Event{Kind: LinkUp, Text: fmt.Sprintf("%v to %v", l.A, l.B)}
	if e.Kind == links.Down {
		out.Kind, out.Severity = LinkDown, core.Warning
		out.Err = errors.New(e.Why)
	}
	return out
}

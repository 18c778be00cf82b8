package turbokvtest

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/links"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// commitMax bounds the time that the controller's disk takes for one transaction.
const commitMax = 2 * time.Millisecond

// tickLeast is the resolution of the controller's clock.
const tickLeast = time.Millisecond

// What node and controller say to each other; controlpb has the same messages.
type (
	hello struct {
		directory.Hello
		held core.Report
	}
	welcome struct{}
	beat    struct{}
	report  struct{ core.Report }
	ack     struct {
		directory.Ack
		refused error
	}
	order struct{ directory.Send }
)

// probeClient is the client number of probes.
const probeClient = kv.ClientID(1)

// control is the controller's process: the real state machine, its disk, and what carries out its
// effects. A crash loses all but the disk.
type control struct {
	cluster *Cluster
	store   *store
	up      bool
	life    uint64 // counts lives of the process
	began   time.Duration

	brain     *core.Core
	inputs    []func()           // of the next round
	busy      bool               // a round is being committed
	pending   []directory.Change // that round's
	view      directory.View     // as of the last commit
	accepted  []*nodeSession     // all that are open, and some that are not
	sessions  map[kv.NodeID]*nodeSession
	drivers   []*driver
	carrier   *dataplane.Carrier
	carriedBy *driver      // that has a session with the carrier; nil if there is none
	links     *links.Links // nil for one switch
	fabric    *dataplane.Fabric
	hosts     *dataplane.Hosts // that the switches have reported
	publish   *publisher
	ticking   time.Duration // when the clock rings; 0: it does not
}

// nodeSession is the controller's end of a session with a node.
type nodeSession struct {
	node kv.NodeID // 0 before its hello
	conn *conn
	end  *end
}

func newControl(c *Cluster) *control {
	return &control{cluster: c, store: newStore(clusterID)}
}

// now is the time since the process started, as its clock shows it.
func (k *control) now() time.Duration { return k.cluster.events.now - k.began }

// in wraps what happens only if this life of the process lasts.
func (k *control) in(do func()) func() {
	life := k.life
	return func() {
		if k.up && k.life == life {
			do()
		}
	}
}

// start begins a life with what the disk holds.
func (k *control) start() error {
	k.began = k.cluster.events.now
	b, err := core.New(k.config(), k.store.snapshot())
	if err != nil {
		return fmt.Errorf("controller starts: %w", err)
	}
	k.brain, k.up, k.life = b, true, k.life+1
	k.inputs, k.busy, k.pending, k.view = nil, false, nil, b.View()
	k.sessions, k.drivers, k.accepted = map[kv.NodeID]*nodeSession{}, nil, nil
	k.ticking, k.hosts = 0, dataplane.NewHosts(0, 0)
	if err = k.watchLinks(); err != nil {
		return err
	}
	k.fabric, k.carrier, k.carriedBy = nil, nil, nil
	if k.publish, err = newPublisher(k); err != nil {
		return err
	}
	for _, sw := range k.cluster.switches {
		k.drivers = append(k.drivers, newDriver(k, sw))
	}
	k.weave()
	k.carrier = dataplane.NewCarrier(k.candidates())
	k.weave()
	k.cluster.events.after(dataplane.CarrierPatience, k.in(k.chooseCarrier))
	k.in(k.tick)()
	return nil
}

func (k *control) config() core.Config {
	c := core.Config{UnixMS: k.cluster.events.now.Milliseconds(), Policy: k.cluster.opt.Policy,
		Directory: directory.Config{
			Limits:      directory.Limits{SubRanges: 1024, PartitionEntries: 4096},
			ExpectNodes: k.cluster.opt.Nodes,
		}}
	c.Policy.Health.BeatInterval = beatEvery
	for _, sw := range k.cluster.switches {
		c.Directory.Switches = append(c.Directory.Switches, sw.name)
	}
	return c
}

// crash ends the process. What it was committing is on the disk or not.
func (k *control) crash() {
	if !k.up {
		return
	}
	if k.busy && k.cluster.rand.IntN(2) == 0 {
		k.commit(k.pending)
	}
	k.up = false
	for _, s := range k.accepted {
		s.conn.hangUp(s.end)
	}
	for _, d := range k.drivers {
		if d.connected && d.sw.primary == d.term {
			d.sw.toController, d.sw.report = nil, nil
		}
	}
}

// post gives the state machine an input. Inputs that come while a round is committed wait for the
// next, so that nothing leaves that rests on what is not stored.
func (k *control) post(input func()) {
	k.inputs = append(k.inputs, input)
	if !k.busy {
		k.round()
	}
}

// round takes all inputs that wait, stores what they changed, and carries out the effects.
func (k *control) round() {
	inputs := k.inputs
	k.inputs = nil
	for _, input := range inputs {
		input()
	}
	e := k.brain.Take()
	k.tickAt(k.brain.NextTick())
	if len(e.Changes) == 0 {
		k.perform(e)
		return
	}
	if err := k.brain.View().Check(); err != nil {
		k.cluster.fail(fmt.Errorf("controller: %w", err))
		return
	}
	k.busy, k.pending = true, e.Changes
	k.cluster.events.after(k.cluster.within(commitMax), k.in(func() {
		k.commit(e.Changes)
		k.pending = nil
		k.perform(e)
		k.busy = false
		if len(k.inputs) > 0 {
			k.round()
		}
	}))
}

// commit stores changes and lets the judges look at them.
func (k *control) commit(changes []directory.Change) {
	for i, c := range changes {
		if c.SubRange != nil && !c.Delete {
			if old, ok := k.store.subRanges[c.SubRange.ID]; ok {
				k.cluster.copies.committed(old, *c.SubRange)
			} else {
				k.cluster.copies.begun(*c.SubRange)
			}
		}
		k.store.commit(changes[i : i+1])
	}
}

// perform carries out effects whose changes are stored.
func (k *control) perform(e core.Effects) {
	for _, s := range e.Sends {
		if to := k.sessions[s.To]; to != nil {
			to.conn.send(to.end, order{s})
		}
	}
	for _, p := range e.Publications {
		k.publish.add(p)
	}
	for _, n := range e.Probes {
		k.probe(n)
	}
	if e.ChangeCarrier && k.carrier.Leave(k.candidates()) {
		k.carry(true)
	}
	for _, event := range e.Events {
		k.cluster.log("controller: %v", event)
	}
	old := k.view.Revision
	if len(e.Changes) > 0 || old != k.brain.Revision() {
		k.view = k.brain.View()
	}
	if k.view.Revision != old {
		for _, d := range k.drivers {
			d.changed()
		}
	}
}

// tick lets time pass.
func (k *control) tick() {
	k.ticking = 0
	k.post(func() { k.brain.Tick(k.now()) })
}

// tickAt sets the clock, unless it will ring earlier.
func (k *control) tickAt(at time.Duration) {
	at = max(at, k.now()+tickLeast)
	if k.ticking == 0 || at < k.ticking {
		k.ticking = at
		k.cluster.events.after(at-k.now(), k.in(func() {
			if k.ticking == at {
				k.tick()
			}
		}))
	}
}

// accept opens a session with a node that dials.
func (k *control) accept(from *end) *conn {
	s := &nodeSession{end: &end{place: controllerPlace}}
	s.end.receive = func(m any) { k.in(func() { k.receive(s, m) })() }
	s.end.closed = k.in(func() { k.left(s) })
	s.conn = k.cluster.management.dial(from, s.end)
	k.accepted = append(slices.DeleteFunc(k.accepted,
		func(old *nodeSession) bool { return !old.end.open }), s)
	return s.conn
}

func (k *control) left(s *nodeSession) {
	k.post(func() {
		if s.node != 0 && k.sessions[s.node] == s {
			delete(k.sessions, s.node)
			k.brain.Gone(k.now(), s.node)
		}
	})
}

// receive takes a message of a node.
func (k *control) receive(s *nodeSession, message any) {
	k.post(func() {
		switch m := message.(type) {
		case hello:
			k.hello(s, m)
		case beat:
			k.brain.Beat(k.now(), s.node)
		case report:
			if k.sessions[s.node] == s { // one over a replaced session may be older
				k.brain.Reported(k.now(), s.node, m.Report)
			}
		case ack:
			if m.refused != nil && !m.Revoke {
				k.brain.Refused(k.now(), m.Node, m.SubRange, m.Epoch, m.refused.Error())
			} else {
				k.brain.Acked(k.now(), []directory.Ack{m.Ack})
			}
		}
	})
}

// hello brings a node in, in place of an older session.
func (k *control) hello(s *nodeSession, h hello) {
	if err := k.brain.Hello(k.now(), h.Hello); err != nil {
		k.cluster.log("controller refuses %v: %v", h.ID, err)
		s.conn.hangUp(s.end)
		return
	}
	k.brain.Reported(k.now(), h.ID, h.held)
	if old := k.sessions[h.ID]; old != nil {
		old.conn.hangUp(old.end)
	}
	s.node = h.ID
	k.sessions[h.ID] = s
	s.conn.send(s.end, welcome{})
}

// probe asks a node for a sign of life through the data network, as package controller does: a read
// of no sub-range, which every node refuses.
func (k *control) probe(n kv.NodeID) {
	p := wire.Packet(wire.Append(nil, wire.OpGet))
	p.SetRequest(probeClient, 1, 1)
	p.SetClientAddr(controllerAddr)
	p = wire.AppendKeyed(p, []byte{0}, nil)
	p.Seal()
	k.packetOut(netip.AddrPortFrom(n.Addr(), wire.Port), p)
}

// probed reports whether a packet answers a probe.
func (k *control) probed(from kv.NodeID, payload []byte) bool {
	p, err := wire.Parse(payload)
	if err != nil || p.Flags()&wire.FlagReply == 0 || p.Client() != probeClient {
		return false
	}
	k.post(func() { k.brain.Alive(k.now(), from) })
	return true
}

// portChanged is the news that a switch has of the power of a host.
func (k *control) portChanged(h *host, up bool) {
	for _, d := range k.drivers {
		if d.sw == h.sw && k.up {
			d.later(wireDelayMax, d.during(func() {
				k.post(func() { k.brain.PortChanged(k.now(), h.sw.name, uint32(h.port), up) })
			}))
		}
	}
}

// packetOut sends a datagram into the data network, through the carrier.
func (k *control) packetOut(to netip.AddrPort, payload []byte) {
	d := k.carriedBy
	if d == nil {
		return
	}
	frame := wire.AppendFrame(nil, wire.Flow{
		SrcMAC: transport.MACOf(controllerAddr.Addr()), DstMAC: transport.GatewayMAC,
		Src: controllerAddr, Dst: to,
	}, payload)
	d.travel(controllerPlace, d.sw.place, d.atSwitch(func() { d.sw.packetOut(frame) }))
}

// packetIn takes a frame from the data network.
func (k *control) packetIn(d *driver, port uint16, frame []byte) {
	d.travel(d.sw.place, controllerPlace, d.during(func() {
		if isLLDP(frame) {
			k.heard(topology.End{Name: d.sw.name, Port: uint32(port)}, frame)
			return
		}
		flow, payload, ok := wire.ParseFrame(frame)
		from := k.cluster.net.hosts[flow.Src.Addr()]
		if !ok || flow.Dst.Addr() != controllerAddr.Addr() ||
			from != nil && !k.cluster.net.cuts.open(from.place, controllerPlace) {
			return
		}
		if !k.probed(kv.NodeIDOf(flow.Src.Addr()), payload) {
			k.publish.deliver(payload)
		}
	}))
}

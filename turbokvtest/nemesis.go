package turbokvtest

import (
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// Mishap is a kind of thing that goes wrong beside what every cable does to frames.
type Mishap int

// The mishaps. All but those that say otherwise last for a while and then end by themselves.
const (
	NodeCrash       Mishap = iota // a process is killed or a machine loses power; it comes back
	NodeWipe                      // a node comes back with an empty disk
	DiskError                     // writes and syncs fail until the node was restarted
	NodeFreeze                    // a node does nothing, and then goes on as if nothing had been
	NodeSlow                      // a node takes long for everything
	Partition                     // data network: hosts on one side hear none on the other
	OneWayPartition               // the same, in one direction only
	NodeIsolation                 // one node is cut off from everything
	SessionCut                    // management network: nodes are cut off from the controller
	SwitchCut                     // the controller is cut off from a switch
	SwitchReboot                  // a switch forgets everything
	ControllerCrash               // only what was committed survives
	RackCut                       // the controller is cut off from a switch and the nodes on it
	LateFrames                    // frames of some cables arrive long after they were sent
	// Those that follow need several switches.
	LinkCut       // a link between two switches is lost, in one direction or both
	RackLoss      // a rack is lost with its switch and its nodes
	RackPartition // a rack is cut off from the others, but not from the controller
	StaleRack     // the controller loses the rack that stamps a sub-range, and its tail; clients do not
	mishapKinds
)

// mishaps is how many kinds a network of that shape knows.
func (s Shape) mishaps() Mishap {
	if s.many() {
		return mishapKinds
	}
	return LinkCut
}

var mishapNames = [mishapKinds]string{
	"node crash", "node wiped", "disk error", "node freeze", "slow node", "partition",
	"one-way partition", "node isolation", "session cut", "switch cut", "switch reboot",
	"controller crash", "rack cut", "late frames", "link cut", "rack loss", "rack partition",
	"stale rack",
}

// String gives the name that reports print.
func (m Mishap) String() string { return mishapNames[m] }

// lasting bounds how long a mishap lasts: most are short, some outlast the patience of the
// failure detector.
const (
	lastingShort = 100 * time.Millisecond
	lastingLong  = 1500 * time.Millisecond
)

// nemesis makes things go wrong, and mends them.
type nemesis struct {
	c     *Cluster
	ended bool
	mends []func() // of what is broken at the moment
	count [mishapKinds]int
	wiped int
}

// plan puts the run's mishaps on the agenda.
func (n *nemesis) plan() {
	for kind, times := range n.c.opt.Mishaps {
		for range times {
			when := n.c.opt.Safety
			if Mishap(kind) == StaleRack { // it takes its time to do harm
				when /= 2
			}
			n.c.events.after(n.c.within(when), func() { n.strike(Mishap(kind)) })
		}
	}
}

// strike lets something go wrong for a while.
func (n *nemesis) strike(kind Mishap) {
	if n.ended {
		return
	}
	mend := n.begin(kind)
	if mend == nil {
		return
	}
	n.count[kind]++
	done := false
	once := func() {
		if !done {
			done = true
			mend()
		}
	}
	n.mends = append(n.mends, once)
	n.c.events.after(n.lasting(kind), once)
}

func (n *nemesis) lasting(kind Mishap) time.Duration {
	if kind == RackCut || kind >= RackLoss { // it matters only when nodes are given up for it
		return lastingLong/2 + n.c.within(2*lastingLong)
	}
	if n.c.rand.IntN(2) == 0 {
		return n.c.within(lastingShort)
	}
	return n.c.within(lastingLong)
}

// end mends everything.
func (n *nemesis) end() {
	n.ended = true
	for _, mend := range n.mends {
		mend()
	}
	n.c.net.faults = Faults{}
}

// begin breaks something and returns what mends it; nil if it cannot happen now.
func (n *nemesis) begin(kind Mishap) (mend func()) {
	c := n.c
	victim := c.nodes[c.rand.IntN(len(c.nodes))]
	switch kind {
	case NodeCrash:
		return n.crash(victim, false)
	case NodeWipe:
		return n.crash(victim, true)
	case DiskError:
		return n.breakDisk(victim)
	case NodeFreeze:
		return n.freeze(victim)
	case NodeSlow:
		return n.slow(victim)
	case Partition, OneWayPartition:
		return n.partition(kind == Partition)
	case NodeIsolation:
		return n.isolate(victim)
	case SessionCut:
		return n.cutSessions()
	case SwitchCut:
		sw := c.switches[c.rand.IntN(len(c.switches))]
		return n.cut(c.management.cuts, []place{controllerPlace}, []place{sw.place}, n.direction())
	case SwitchReboot:
		return n.reboot(c.switches[c.rand.IntN(len(c.switches))])
	case ControllerCrash:
		return n.crashController()
	case RackCut:
		return n.cutRack(n.rack())
	case LateFrames:
		return n.holdBack()
	case LinkCut:
		return n.cutLink(c.links[c.rand.IntN(len(c.links))])
	case RackLoss:
		return n.loseRack(n.rack())
	case RackPartition:
		return n.partitionRack(n.rack())
	case StaleRack:
		return n.staleRack()
	}
	panic(kind)
}

// crash takes a node away.
func (n *nemesis) crash(victim *node, wipe bool) func() {
	if !victim.up || wipe && !n.mayWipe(victim) {
		return nil
	}
	n.c.log("crash of node %v, wiped %v", victim.id, wipe)
	power := n.c.rand.IntN(2) == 0
	n.c.copies.destroy(victim, wipe, power)
	victim.crash(power)
	if wipe {
		victim.wipe()
		n.wiped++
	}
	return func() { n.restart(victim) }
}

// mayWipe spares the last copy of the system keyspace: without it there is no cluster.
func (n *nemesis) mayWipe(victim *node) bool {
	for _, s := range n.c.control.store.snapshot().SubRanges {
		if s.Keyspace != kv.SystemKeyspace || s.Chain.Position(victim.id) < 0 {
			continue
		}
		return slices.ContainsFunc(s.Chain, func(m kv.NodeID) bool {
			other := n.c.node(m)
			return m != victim.id && !n.c.copies.gone(s.ID, m) && other.sound() && n.settled(s)
		})
	}
	return true
}

// settled reports whether all members of a sub-range serve the epoch in force.
func (n *nemesis) settled(s directory.SubRange) bool { return len(s.Unacknowledged()) == 0 }

func (n *nemesis) restart(victim *node) {
	if victim.up {
		return
	}
	if err := victim.start(); err != nil {
		n.c.failf("node %v restarts: %w", victim.id, err)
	}
}

// breakDisk lets the disk fail; an operator restarts the node later.
func (n *nemesis) breakDisk(victim *node) func() {
	if !victim.up {
		return nil
	}
	n.c.log("disk error of node %v", victim.id)
	victim.broken = true
	victim.disk.Break(errDisk)
	life := victim.incarnation
	return func() {
		if victim.up && victim.incarnation == life {
			n.c.copies.destroy(victim, false, false)
			victim.crash(false)
			n.restart(victim)
		}
	}
}

func (n *nemesis) freeze(victim *node) func() {
	if !victim.up {
		return nil
	}
	n.c.log("freeze of node %v", victim.id)
	victim.frozen = n.c.events.now + time.Hour
	return func() { victim.frozen = 0; victim.thaw() }
}

func (n *nemesis) slow(victim *node) func() {
	victim.slow = n.c.within(20 * time.Millisecond)
	n.c.log("node %v is slow by %v", victim.id, victim.slow)
	return func() { victim.slow = 0 }
}

// direction draws which directions of a path are cut.
func (n *nemesis) direction() [2]bool {
	return [][2]bool{{true, true}, {true, false}, {false, true}}[n.c.rand.IntN(3)]
}

// cut separates places and returns what joins them again.
func (n *nemesis) cut(in cuts, some, others []place, ways [2]bool) func() {
	n.c.log("cut between %v and %v, %v", some, others, ways)
	each := func(do func(from, to place)) {
		for _, a := range some {
			for _, b := range others {
				if ways[0] {
					do(a, b)
				}
				if ways[1] {
					do(b, a)
				}
			}
		}
	}
	each(in.cut)
	return func() { n.c.log("cut between %v and %v is mended", some, others); each(in.mend) }
}

// partition divides the hosts of the data network, the controller's one included.
func (n *nemesis) partition(bothWays bool) func() {
	places := []place{controllerPlace}
	for _, h := range n.c.hosts {
		places = append(places, h.place)
	}
	n.c.rand.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
	if n.c.rand.IntN(2) == 0 { // between few
		places = places[:2+n.c.rand.IntN(len(places)-1)]
	}
	at := 1 + n.c.rand.IntN(len(places)-1)
	return n.cut(n.c.net.cuts, places[:at], places[at:], [2]bool{true, bothWays})
}

// isolate cuts one node off from everything.
func (n *nemesis) isolate(victim *node) func() {
	others := []place{controllerPlace}
	for _, h := range n.c.hosts {
		if h != victim.host {
			others = append(others, h.place)
		}
	}
	own := []place{victim.host.place}
	data := n.cut(n.c.net.cuts, own, others, [2]bool{true, true})
	control := n.cut(n.c.management.cuts, own, []place{controllerPlace}, [2]bool{true, true})
	return func() { data(); control() }
}

// cutSessions cuts some nodes off from the controller, but not from each other.
func (n *nemesis) cutSessions() func() {
	var some []place
	for _, x := range n.c.nodes {
		if n.c.rand.IntN(2) == 0 {
			some = append(some, x.host.place)
		}
	}
	return n.cut(n.c.management.cuts, some, []place{controllerPlace}, n.direction())
}

// cutRack cuts the controller off from a switch and its nodes, while clients may reach them: what is
// left there goes on in the last configuration (I2). Probes get through, or not.
func (n *nemesis) cutRack(sw *fabric) func() {
	some := []place{sw.place}
	var nodes []place
	for _, x := range n.c.nodes {
		if x.host.sw == sw {
			nodes = append(nodes, x.host.place)
		}
	}
	both := [2]bool{true, true}
	control := n.cut(n.c.management.cuts, append(some, nodes...), []place{controllerPlace}, both)
	if n.c.rand.IntN(3) == 0 {
		return control
	}
	data := n.cut(n.c.net.cuts, nodes, []place{controllerPlace}, both)
	return func() { control(); data() }
}

func (n *nemesis) reboot(sw *fabric) func() {
	if !sw.up {
		return nil
	}
	n.c.log("reboot of switch %s", sw.name)
	sw.reboot()
	for _, d := range n.c.control.drivers {
		if d.sw == sw { // its stream ends
			d.later(wireDelayMax, d.during(d.lost))
		}
	}
	return func() { sw.up = true }
}

func (n *nemesis) crashController() func() {
	k := n.c.control
	if !k.up {
		return nil
	}
	n.c.log("crash of the controller")
	k.crash()
	return func() {
		if err := k.start(); err != nil {
			n.c.failf("%w", err)
		}
	}
}

// Kinds lists all mishaps.
func Kinds() (out []Mishap) {
	for m := range mishapKinds {
		out = append(out, m)
	}
	return out
}

package turbokvtest

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/serverlib/enginetest"
)

// Times of a node: how long it gathers packets into a batch, how long an fsync takes, and how often
// it ticks.
const (
	gatherMax = 20 * time.Microsecond
	syncMin   = 50 * time.Microsecond
	syncMax   = 2 * time.Millisecond
	tickBusy  = time.Millisecond
	tickIdle  = 50 * time.Millisecond
)

// errDisk is what a broken disk says.
var errDisk = errors.New("input/output error")

// node is a storage node: a real Server over a disk that forgets what was not synced.
type node struct {
	id      kv.NodeID
	host    *host
	cluster *Cluster
	net     *network
	rand    *rand.Rand

	server      *serverlib.Server
	memory      *enginetest.Mem // empty in every life
	disk        *enginetest.Mem
	clusterID   string // as remembered with the data
	incarnation uint64
	up          bool
	gathering   bool
	ticking     time.Duration // when it ticks next
	agent       *agent        // its session with the controller

	slow   time.Duration // every input waits up to this long
	frozen time.Duration // until then nothing happens
	held   []func()      // what waits for the end of that
	broken bool          // its disk fails
}

// start begins a new life of the node.
func (n *node) start() error {
	n.incarnation++
	n.memory = enginetest.NewMem()
	server, err := serverlib.New(serverlib.Config{
		Node: n.id, Incarnation: n.incarnation, Volatile: n.memory, Durable: n.disk,
		Limits: n.cluster.opt.Limits,
		Events: serverlib.Events{
			StateChanged: func(id kv.SubRangeID, s serverlib.State) { n.stateChanged(id, s) },
			EngineFailed: func(d kv.Durability, err error) {
				n.cluster.log("node %v: engine of %v failed: %v", n.id, d, err)
			},
		},
	})
	if err != nil {
		return err
	}
	n.server, n.up, n.gathering, n.ticking = server, true, false, 0
	n.host.receive = n.receive
	n.tickAt(0)
	n.agent = newAgent(n)
	n.cluster.control.portChanged(n.host, true)
	return nil
}

// crash ends the life of the node; a random part of what it had not synced is lost. If it loses
// power, nobody is told that its sessions are over.
func (n *node) crash(power bool) {
	n.agent.hangUp(power)
	if power {
		n.cluster.control.portChanged(n.host, false)
	}
	n.up, n.host.receive, n.server, n.agent = false, nil, nil, nil
	n.slow, n.frozen, n.held, n.broken = 0, 0, nil, false
	n.disk.Crash(n.rand.IntN(n.disk.Unsynced() + 1))
	n.disk.Break(nil)
}

// wipe gives a node that is down an empty disk.
func (n *node) wipe() { n.disk, n.clusterID = enginetest.NewMem(), "" }

// sound reports whether the node runs and its disk works.
func (n *node) sound() bool { return n.up && !n.broken }

// thaw lets a frozen node go on, with all that has waited.
func (n *node) thaw() {
	held := n.held
	n.held = nil
	for _, do := range held {
		n.net.events.after(0, do)
	}
}

// in returns do so that it runs only if this life of the node lasts, and not while it is frozen.
func (n *node) in(do func()) func() {
	life := n.incarnation
	var run func()
	run = func() {
		switch {
		case !n.up || n.incarnation != life:
		case n.frozen > n.net.events.now:
			n.held = append(n.held, run)
		default:
			do()
		}
	}
	return run
}

// stateChanged asks for a report at once.
func (n *node) stateChanged(id kv.SubRangeID, s serverlib.State) {
	n.cluster.log("node %v: %v is %v", n.id, id, s)
	if s == serverlib.StateServing {
		n.cluster.copies.serves(id, n.id)
	}
	if n.agent != nil {
		n.agent.reportSoon()
	}
}

func (n *node) receive(from netip.AddrPort, payload []byte) {
	deliver := func() {
		n.server.Deliver(n.net.events.now, from, payload)
		n.gather()
	}
	switch {
	case n.slow > 0:
		n.net.events.after(n.cluster.within(n.slow), n.in(deliver))
	case n.frozen > n.net.events.now:
		n.in(deliver)()
	default:
		deliver()
	}
}

// gather ends the batch of inputs a little later.
func (n *node) gather() {
	if n.gathering {
		return
	}
	n.gathering = true
	n.net.events.after(n.cluster.within(gatherMax), n.in(n.flush))
}

func (n *node) flush() {
	n.gathering = false
	out := n.server.Flush(n.net.events.now)
	for _, s := range out.Sends {
		n.net.send(n.host, s.To, s.Payload)
	}
	if out.NeedSync {
		n.sync(out.SyncToken)
	}
	if n.server.Busy() {
		n.tickAt(n.net.events.now + tickBusy)
	}
}

// sync makes what is applied now durable after the time that an fsync takes.
func (n *node) sync(token uint64) {
	mark := n.disk.Applied()
	n.net.events.after(n.syncTime(), n.in(func() {
		err := n.disk.SyncTo(mark)
		n.server.Synced(n.net.events.now, token, err)
		n.gather()
	}))
}

func (n *node) syncTime() time.Duration {
	return syncMin + n.cluster.within(syncMax-syncMin+n.slow)
}

// tickAt sets the clock, unless it rings earlier.
func (n *node) tickAt(at time.Duration) {
	if n.ticking != 0 && n.ticking <= at {
		return
	}
	at = max(at, n.net.events.now+1)
	n.ticking = at
	n.net.events.after(at-n.net.events.now, n.in(func() {
		if n.ticking == at {
			n.tick()
		}
	}))
}

func (n *node) tick() {
	n.ticking = 0
	n.server.Tick(n.net.events.now)
	n.gather()
	wait := tickIdle
	if n.server.Busy() {
		wait = tickBusy
	}
	n.tickAt(n.net.events.now + wait)
}

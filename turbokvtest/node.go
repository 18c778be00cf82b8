package turbokvtest

import (
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
	tickIdle  = 10 * time.Millisecond
)

// node is a storage node: a real Server over a disk that forgets what was not synced.
type node struct {
	id          kv.NodeID
	host        *host
	net         *network
	rand        *rand.Rand
	server      *serverlib.Server
	disk        *enginetest.Mem
	incarnation uint64
	up          bool
	gathering   bool
	acks        []func() // acknowledgements that wait for the next sync
	events      serverlib.Events
}

// start begins a new life of the node.
func (n *node) start() error {
	n.incarnation++
	server, err := serverlib.New(serverlib.Config{
		Node: n.id, Incarnation: n.incarnation,
		Volatile: enginetest.NewMem(), Durable: n.disk, Events: n.events,
	})
	if err != nil {
		return err
	}
	n.server, n.up, n.gathering, n.acks = server, true, false, nil
	n.host.receive = n.receive
	n.tick(n.incarnation)
	return nil
}

// crash ends the life of the node; a random part of what it had not synced is lost.
func (n *node) crash() {
	n.up, n.host.receive, n.server = false, nil, nil
	n.disk.Crash(n.rand.IntN(n.disk.Unsynced() + 1))
}

// in returns do so that it runs only if this life of the node lasts.
func (n *node) in(life uint64, do func()) func() {
	return func() {
		if n.up && n.incarnation == life {
			do()
		}
	}
}

func (n *node) receive(from netip.AddrPort, payload []byte) {
	n.server.Deliver(n.net.events.now, from, payload)
	n.gather()
}

// gather ends the batch of inputs a little later.
func (n *node) gather() {
	if n.gathering {
		return
	}
	n.gathering = true
	wait := time.Duration(n.rand.Int64N(int64(gatherMax)))
	n.net.events.after(wait, n.in(n.incarnation, n.flush))
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
}

// sync makes what is applied now durable after the time that an fsync takes.
func (n *node) sync(token uint64) {
	mark := n.disk.Applied()
	took := syncMin + time.Duration(n.rand.Int64N(int64(syncMax-syncMin)))
	n.net.events.after(took, n.in(n.incarnation, func() {
		err := n.disk.SyncTo(mark)
		n.server.Synced(n.net.events.now, token, err)
		n.gather()
	}))
}

func (n *node) tick(life uint64) {
	n.server.Tick(n.net.events.now)
	n.gather()
	wait := tickIdle
	if n.server.Busy() {
		wait = tickBusy
	}
	n.net.events.after(wait, n.in(life, func() { n.tick(life) }))
}

// configure puts an assignment into force, makes it durable and then acknowledges.
func (n *node) configure(a kv.Assignment, ack func()) error {
	if err := n.server.Configure(n.net.events.now, a); err != nil {
		return err
	}
	n.gather()
	mark := n.disk.Applied()
	n.net.events.after(syncMax, n.in(n.incarnation, func() {
		if n.disk.SyncTo(mark) == nil {
			ack()
		}
	}))
	return nil
}

// held lists what the node has, for its hello.
func (n *node) held() []serverlib.Report { return n.server.Report() }

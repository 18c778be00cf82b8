package turbokvtest

import (
	"errors"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/transport"
)

// How often a node gives a sign of life and a report, and within what time after a change of state
// it reports at once.
const (
	beatEvery   = 100 * time.Millisecond
	reportEvery = 500 * time.Millisecond
	reportAsap  = time.Millisecond
)

// agent keeps one life of a node in touch with the controller, as package storagenode does.
type agent struct {
	node      *node
	conn      *conn
	end       *end
	welcomed  bool
	orders    []directory.Send
	busy      bool // orders are being made durable
	reporting bool // a report is due at once
}

func newAgent(n *node) *agent {
	a := &agent{node: n}
	a.later(reconnectMax, a.connect)
	return a
}

// later does something within a time, if the node lives until then.
func (a *agent) later(within time.Duration, do func()) {
	c := a.node.cluster
	c.events.after(c.within(within), a.node.in(do))
}

// connect opens a session and says hello.
func (a *agent) connect() {
	n, c := a.node, a.node.cluster
	if !c.control.up || !c.management.open(n.host.place, controllerPlace) {
		a.later(reconnectMax, a.connect)
		return
	}
	a.welcomed, a.orders = false, nil
	mine := &end{place: n.host.place}
	mine.receive = func(m any) { n.in(func() { a.receive(mine, m) })() }
	mine.closed = n.in(func() { a.closed(mine) })
	a.conn, a.end = c.control.accept(mine), mine
	a.conn.send(mine, a.hello())
}

// hangUp ends the session; after a loss of power without a word.
func (a *agent) hangUp(power bool) {
	if a.conn == nil {
		return
	}
	if power {
		a.conn.vanish(a.end)
	} else {
		a.conn.hangUp(a.end)
	}
}

func (a *agent) hello() hello {
	n := a.node
	h := hello{Hello: directory.Hello{ClusterID: n.clusterID, Node: directory.Node{
		ID: n.id, MAC: transport.MACOf(n.host.addr.Addr()), Switch: n.host.sw.name,
		Port: uint32(n.host.port), Persistent: true, Incarnation: n.incarnation,
	}}, held: a.report()}
	for _, r := range h.held.Replicas {
		h.Held = append(h.Held, directory.Held{SubRange: r.SubRange, Epoch: r.Epoch})
	}
	return h
}

// closed comes back after a while.
func (a *agent) closed(e *end) {
	if a.end == e {
		a.later(reconnectMax, a.connect)
	}
}

func (a *agent) receive(e *end, message any) {
	if a.end != e || !e.open {
		return
	}
	switch m := message.(type) {
	case welcome:
		a.welcomed, a.node.clusterID = true, clusterID
		a.beat(e)
		a.reports(e)
	case order:
		a.orders = append(a.orders, m.Send)
		if !a.busy {
			a.carryOut()
		}
	}
}

// beat and reports go on for as long as the session does.
func (a *agent) beat(e *end) {
	if e.open {
		a.conn.send(e, beat{})
		a.node.net.events.after(beatEvery, a.node.in(func() { a.beat(e) }))
	}
}

func (a *agent) reports(e *end) {
	if e.open {
		a.conn.send(e, report{a.report()})
		a.node.net.events.after(reportEvery, a.node.in(func() { a.reports(e) }))
	}
}

// reportSoon sends a report out of turn.
func (a *agent) reportSoon() {
	if a.reporting {
		return
	}
	a.reporting = true
	a.later(reportAsap, func() {
		a.reporting = false
		if a.end != nil && a.end.open && a.welcomed {
			a.conn.send(a.end, report{a.report()})
		}
	})
}

// carryOut does what the controller has ordered and confirms it when it is durable.
func (a *agent) carryOut() {
	n, e := a.node, a.end
	orders := a.orders
	a.orders, a.busy = nil, true
	var acks []ack
	for _, o := range orders {
		acks = append(acks, a.do(o))
	}
	n.gather()
	mark := n.disk.Applied()
	n.net.events.after(n.syncTime(), n.in(func() {
		if err := n.disk.SyncTo(mark); err != nil {
			for i := range acks {
				acks[i].refused = err
			}
		}
		for _, k := range acks {
			a.conn.send(e, k)
		}
		if a.busy = false; len(a.orders) > 0 {
			a.carryOut()
		}
	}))
}

func (a *agent) do(o directory.Send) ack {
	n := a.node
	if r := o.Revoke; r != nil {
		err := n.server.Revoke(n.net.events.now, r.SubRange, r.Epoch)
		if errors.Is(err, serverlib.ErrStaleEpoch) {
			err = nil // a later assignment came since: there is nothing to revoke
		}
		n.cluster.log("node %v: revoke %v %v: %v", n.id, r.SubRange, r.Epoch, err)
		return ack{Ack: directory.Ack{Node: n.id, SubRange: r.SubRange, Epoch: r.Epoch, Revoke: true},
			refused: err}
	}
	err := n.server.Configure(n.net.events.now, *o.Assign)
	n.cluster.log("node %v: assign %+v: %v", n.id, *o.Assign, err)
	return ack{Ack: directory.Ack{Node: n.id, SubRange: o.Assign.SubRange, Epoch: o.Assign.Epoch},
		refused: err}
}

// report describes all replicas.
func (a *agent) report() (out core.Report) {
	for _, r := range a.node.server.Report() {
		out.Replicas = append(out.Replicas, replicaOf(r))
	}
	return out
}

func replicaOf(r serverlib.Report) core.Replica {
	return core.Replica{
		SubRange: r.SubRange, Epoch: r.Epoch, Applied: uint64(r.Applied), Stable: uint64(r.Stable),
		Lost:       r.State == serverlib.StateLost || r.State == serverlib.StateFailed,
		Recovering: r.State == serverlib.StateRecovering, Learner: r.Learner, Joined: r.Joined,
		JoinedBytes: r.JoinedBytes, JoinedShare: r.JoinedShare, Samples: r.Samples,
	}
}

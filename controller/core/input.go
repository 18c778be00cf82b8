package core

import (
	"errors"
	"maps"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/health"
	"github.com/turbokv/turbokv/kv"
)

// Hello brings a node in. It refuses, with the reasons of package directory, a node that cannot be
// part of the cluster.
func (c *Core) Hello(now time.Duration, h directory.Hello) error {
	c.at(now)
	e, err := c.dir.Hello(h)
	if err != nil {
		return err
	}
	delete(c.reports, h.ID)
	delete(c.spoke, h.ID)
	maps.DeleteFunc(c.shunned, func(at place, _ time.Duration) bool { return at.node == h.ID })
	c.health.SessionOpened(c.now, h.ID)
	c.examine = true
	c.health.SetProbing(c.now, h.ID, c.canProbe)
	c.take(e)
	return nil
}

// Gone says that the session of a node has ended.
func (c *Core) Gone(now time.Duration, node kv.NodeID) {
	c.at(now)
	c.dir.Gone(node)
	delete(c.spoke, node)
	c.health.SessionClosed(c.now, node)
	c.examine = true
}

// Reported takes the report of a node with a session.
func (c *Core) Reported(now time.Duration, node kv.NodeID, r Report) {
	c.at(now)
	c.heard(node)
	c.setReport(node, r)
}

// Acked takes a batch of confirmations.
func (c *Core) Acked(now time.Duration, acks []directory.Ack) {
	c.at(now)
	for _, a := range acks {
		c.heard(a.Node)
		delete(c.refused, place{a.Node, a.SubRange})
	}
	c.take(c.dir.Acknowledged(acks))
}

// Refused says that a node will not take an assignment.
func (c *Core) Refused(now time.Duration, node kv.NodeID, id kv.SubRangeID, epoch kv.Epoch,
	why string,
) {
	c.at(now)
	c.heard(node)
	c.dirty = true
	c.refused[place{node, id}] = refusal{epoch: epoch, at: now, why: why}
	c.tell(Event{Kind: AssignmentRefused, Severity: Warning, Node: node, SubRange: id,
		Err: errors.New(why)})
}

// SwitchSynced says that a switch is within reach and holds all that a View of that revision asked for.
func (c *Core) SwitchSynced(now time.Duration, name string, revision uint64) {
	c.at(now)
	c.reach(name, true)
	c.take(c.dir.SwitchSynced(name, revision))
}

// SwitchLost says that a switch is out of reach: nothing is known any more of what it holds.
func (c *Core) SwitchLost(now time.Duration, name string) {
	c.at(now)
	c.reach(name, false)
	c.take(c.dir.SwitchLost(name))
}

// Published confirms a publication.
func (c *Core) Published(now time.Duration, p directory.Publication) {
	c.at(now)
	c.take(c.dir.Published(p))
}

// Beat says that something was heard from a node over its session.
func (c *Core) Beat(now time.Duration, node kv.NodeID) {
	c.at(now)
	c.heard(node)
}

// heard takes a sign of life over a session.
func (c *Core) heard(node kv.NodeID) {
	c.spoke[node] = c.now
	c.health.Beat(c.now, node)
	c.dirty = c.dirty || c.awaiting
	c.examine = c.examine || c.seen[node] != health.Alive
}

// Alive says that a node has answered a probe.
func (c *Core) Alive(now time.Duration, node kv.NodeID) {
	c.at(now)
	c.health.Alive(c.now, node)
	c.dirty, c.examine = c.dirty || c.awaiting, true
}

// CanProbe says whether probes can reach the nodes: the driver is connected to the switch that
// carries them.
func (c *Core) CanProbe(now time.Duration, can bool) {
	c.at(now)
	c.canProbe = can
	for _, n := range c.dir.Nodes() {
		c.health.SetProbing(c.now, n.ID, can)
	}
}

// PortChanged says that a port of a switch has lost its link or has it again.
func (c *Core) PortChanged(now time.Duration, name string, port uint32, up bool) {
	c.at(now)
	for _, n := range c.dir.Nodes() {
		switch {
		case n.Switch != name || n.Port != port:
		case up:
			c.health.PortUp(c.now, n.ID)
		default:
			c.health.PortDown(c.now, n.ID)
		}
	}
	c.examine = true
}

// Tick says that time has passed.
func (c *Core) Tick(now time.Duration) {
	c.at(now)
	c.health.Tick(c.now)
	c.examine = true
	c.dirty = c.dirty || c.now >= c.wake
}

// at moves the time forward. From the first input on, the nodes in the records are expected.
func (c *Core) at(now time.Duration) {
	c.now = max(c.now, now)
	if c.begun {
		return
	}
	c.begun, c.examine, c.started = true, true, c.now
	for _, n := range c.dir.Nodes() {
		c.health.Track(c.now, n.ID)
	}
}

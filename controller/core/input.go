package core

import (
	"errors"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// Hello brings a node in. It refuses, with the reasons of package directory, a node that cannot be
// part of the cluster.
func (c *Core) Hello(now time.Duration, h directory.Hello) error {
	c.now = now
	e, err := c.dir.Hello(h)
	if err != nil {
		return err
	}
	delete(c.reports, h.ID)
	c.take(e)
	return nil
}

// Gone says that the session of a node has ended.
func (c *Core) Gone(now time.Duration, node kv.NodeID) {
	c.now = now
	c.dir.Gone(node)
}

// Reported takes the report of a node with a session.
func (c *Core) Reported(now time.Duration, node kv.NodeID, r Report) {
	c.now = now
	before := c.reports[node]
	after := &nodeReport{at: now, cpu: r.CPU, bytes: r.Bytes,
		replicas: make(map[kv.SubRangeID]Replica, len(r.Replicas))}
	for _, replica := range r.Replicas {
		after.replicas[replica.SubRange] = replica
		if replica.Lost && (before == nil || !before.replicas[replica.SubRange].Lost) {
			c.tell(Event{Kind: StateLost, Severity: Warning, Node: node,
				SubRange: replica.SubRange})
		}
	}
	c.reports[node] = after
}

// Acked takes a batch of confirmations.
func (c *Core) Acked(now time.Duration, acks []directory.Ack) {
	c.now = now
	for _, a := range acks {
		delete(c.refused, place{a.Node, a.SubRange})
	}
	c.take(c.dir.Acknowledged(acks))
}

// Refused says that a node will not take an assignment.
func (c *Core) Refused(now time.Duration, node kv.NodeID, id kv.SubRangeID, epoch kv.Epoch,
	why string,
) {
	c.now = now
	c.refused[place{node, id}] = refusal{epoch: epoch, at: now, why: why}
	c.tell(Event{Kind: AssignmentRefused, Severity: Warning, Node: node, SubRange: id,
		Err: errors.New(why)})
}

// SwitchSynced says that a switch holds all that a View of that revision asked for.
func (c *Core) SwitchSynced(now time.Duration, name string, revision uint64) {
	c.now = now
	c.take(c.dir.SwitchSynced(name, revision))
}

// SwitchLost says that nothing is known any more of what a switch holds.
func (c *Core) SwitchLost(now time.Duration, name string) {
	c.now = now
	c.dir.SwitchLost(name)
}

// Published confirms a publication.
func (c *Core) Published(now time.Duration, p directory.Publication) {
	c.now = now
	c.take(c.dir.Published(p))
}

// CreateKeyspace places a new keyspace and assigns its sub-ranges to their members.
func (c *Core) CreateKeyspace(now time.Duration, k directory.CreateKeyspace,
) (directory.Keyspace, error) {
	c.now = now
	made, e, err := c.dir.CreateKeyspace(k)
	if err != nil {
		return directory.Keyspace{}, err
	}
	c.take(e)
	return made, nil
}

// DropKeyspace begins to drop a keyspace.
func (c *Core) DropKeyspace(now time.Duration, name string) error {
	c.now = now
	e, err := c.dir.DropKeyspace(name)
	if err != nil {
		return err
	}
	c.take(e)
	return nil
}

// Beat says that something was heard from a node over its session.
func (c *Core) Beat(now time.Duration, node kv.NodeID) { c.now = now }

// Alive says that a node has answered a probe.
func (c *Core) Alive(now time.Duration, node kv.NodeID) { c.now = now }

// Tick says that time has passed.
func (c *Core) Tick(now time.Duration) { c.now = now }

// NextTick is when Tick is due, if nothing else is heard.
func (c *Core) NextTick() time.Duration { return c.now + time.Hour }

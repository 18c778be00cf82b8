package core

import (
	"github.com/turbokv/turbokv/controller/health"
	"github.com/turbokv/turbokv/kv"
)

// judge takes what the detector has decided.
func (c *Core) judge() {
	out := c.health.Take()
	c.out.Probes = append(c.out.Probes, out.Probes...)
	c.out.ChangeCarrier = c.out.ChangeCarrier || out.Carrier
	for _, v := range out.Failed {
		c.dirty = true
		c.racks.add(c.switchOf(v.Node), c.now,
			Event{Kind: NodeFailed, Severity: Warning, Node: v.Node, Text: v.Why})
	}
	for _, n := range out.Recovered {
		c.dirty = true
		c.racks.add(c.switchOf(n), c.now, Event{Kind: NodeRecovered, Node: n})
	}
	if c.examine {
		c.examine = false
		c.compare()
	}
}

// compare looks for nodes that are in another state than before. The detector tells only of verdicts.
func (c *Core) compare() {
	for _, n := range c.dir.Nodes() {
		h := c.health.Status(n.ID)
		if h.State == c.seen[n.ID] {
			continue
		}
		c.seen[n.ID], c.dirty = h.State, true
		if h.State == health.Suspected && !c.rackDoubted(n) {
			c.tell(Event{Kind: NodeSuspected, Node: n.ID, Text: h.Why})
		}
	}
}

// Health returns what the failure detector knows of a node.
func (c *Core) Health(n kv.NodeID) health.Status { return c.health.Status(n) }

func (c *Core) alive(n kv.NodeID) bool {
	return c.health.Status(n).State == health.Alive && c.dir.IsOnline(n)
}

func (c *Core) failed(n kv.NodeID) bool { return c.health.Status(n).State == health.Failed }

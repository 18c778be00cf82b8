package core

import (
	"github.com/turbokv/turbokv/controller/balance"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// targets chooses who takes over replicas, so that all choices of one step together are level and
// no node sends or receives too much at once.
type targets struct {
	core   *Core
	choose *balance.Targets
	joins  int
	busy   map[kv.NodeID]int // snapshots sent and received
}

func (c *Core) targets() *targets {
	t := &targets{
		core: c, choose: balance.NewTargets(c.cfg.Policy.Balance, c.look()),
		busy: make(map[kv.NodeID]int),
	}
	for _, s := range c.dir.SubRanges() {
		if s.Learner != 0 {
			t.add(s, s.Learner)
		}
	}
	return t
}

func (t *targets) add(s directory.SubRange, to kv.NodeID) {
	t.joins++
	t.busy[s.Chain.Tail()]++
	t.busy[to]++
}

// pick returns the node that a sub-range should be copied to now, when leave leaves it, and why; 0
// if there is none now: a later step, after the end of a plan, finds one.
func (t *targets) pick(s directory.SubRange, leave kv.NodeID) (kv.NodeID, string) {
	p := t.core.cfg.Policy
	if !t.core.sound(s, s.Chain.Tail()) || t.joins >= p.MaxJoins || t.busy[s.Chain.Tail()] >= p.MaxJoinsPerNode {
		return 0, ""
	}
	var not []kv.NodeID
	for _, n := range t.core.dir.Nodes() {
		if t.busy[n.ID] >= p.MaxJoinsPerNode || !t.core.fit(s, n.ID) {
			not = append(not, n.ID)
		}
	}
	to, why, ok := t.choose.Pick(s.ID, leave, not...)
	if !ok {
		return 0, ""
	}
	t.add(s, to)
	return to, why
}

// pick chooses for one sub-range, whatever else is going on.
func (c *Core) pick(s directory.SubRange, leave kv.NodeID) kv.NodeID {
	t := c.targets()
	t.joins, t.busy = 0, make(map[kv.NodeID]int)
	to, _ := t.pick(s, leave)
	return to
}

// fit reports whether a node may and can become a member of a sub-range now.
func (c *Core) fit(s directory.SubRange, n kv.NodeID) bool {
	at := place{n, s.ID}
	if until, shunned := c.shunned[at]; shunned && c.now < until {
		c.wakeAt(until)
		return false
	}
	return c.alive(n) && c.dir.MayJoin(s.ID, n) == nil
}

// forget drops what is remembered of sub-ranges, nodes and plans that are gone, or is over.
func (c *Core) forget() {
	gone := func(id kv.SubRangeID) bool { _, ok := c.dir.SubRange(id); return !ok }
	c.samples.Keep(func(id kv.SubRangeID) bool { return !gone(id) })
	for at, until := range c.shunned {
		if c.now >= until || gone(at.subRange) {
			delete(c.shunned, at)
		}
	}
	for at, r := range c.refused {
		if s, ok := c.dir.SubRange(at.subRange); !ok || s.Epoch != r.epoch {
			delete(c.refused, at)
		}
	}
	for id := range c.retries {
		if gone(id) {
			delete(c.retries, id)
		}
	}
	for id := range c.outages {
		if gone(id) {
			delete(c.outages, id)
		}
	}
	for id := range c.stalls {
		if _, ok := c.dir.Plan(id); !ok {
			delete(c.stalls, id)
		}
	}
}

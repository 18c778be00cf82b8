package core

import (
	"github.com/turbokv/turbokv/controller/balance"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/health"
	"github.com/turbokv/turbokv/kv"
)

// spread brings sub-ranges back into as many racks as they can be in, and head and tail into different
// ones, after a rack was lost and has returned, or was added. Nothing is spread before everything has
// all its members again, and nothing onto nodes that have just come.
func (c *Core) spread() {
	if len(c.cfg.Directory.Switches) < 2 {
		return
	}
	next := c.spreadAt + c.cfg.Policy.BalanceInterval
	if c.now < next {
		c.wakeAt(next)
		return
	}
	c.spreadAt = c.now
	c.wakeAt(c.now + c.cfg.Policy.BalanceInterval)
	if !c.untroubled() { // a drain may never end: what is lost as a whole stays where it is
		return
	}
	t := c.targets()
	for _, s := range c.dir.SubRanges() {
		if s.Created && s.Learner == 0 && c.idle(s) && c.dir.Settled(s.ID) && c.whole(s) {
			c.beginSpread(s, t)
		}
	}
}

// whole reports whether all members of a sub-range are well and have their state.
func (c *Core) whole(s directory.SubRange) bool {
	for _, n := range s.Chain {
		if !c.sound(s, n) {
			return false
		}
	}
	k, ok := c.dir.Keyspace(s.Keyspace)
	return ok && k.Phase == directory.PhaseReady && len(s.Chain) >= k.Replication
}

// beginSpread begins the next change that spreads a sub-range better, if there is one.
func (c *Core) beginSpread(s directory.SubRange, t *targets) {
	change, why, ok := t.choose.Spread(s.ID, t.unfit(s)...)
	if !ok {
		return
	}
	p := directory.Plan{SubRange: s.ID, From: change.From, To: change.To, Chain: change.Chain,
		Cause: directory.CauseSpread, Why: why}
	if change.Kind == balance.Reorder {
		p.Kind, p.Step = directory.PlanReorder, stepSettle
		_, _ = c.beginReorder(p) // refused: looked at again
		return
	}
	p.Kind = directory.PlanMove
	if _, err := c.beginJoin(p, s); err == nil {
		t.add(s, change.To)
	}
}

// unfit returns the nodes that cannot join a sub-range now, or should not for the sake of its spread.
func (t *targets) unfit(s directory.SubRange) (not []kv.NodeID) {
	c := t.core
	full := t.joins >= c.cfg.Policy.MaxJoins || t.busy[s.Chain.Tail()] >= c.cfg.Policy.MaxJoinsPerNode
	for _, n := range c.dir.Nodes() {
		h := c.health.Status(n.ID)
		fresh := h.State == health.Alive && c.now < h.Since+c.cfg.Policy.RepairDelay
		if full || fresh || t.busy[n.ID] >= c.cfg.Policy.MaxJoinsPerNode || !c.fit(s, n.ID) {
			not = append(not, n.ID)
		}
	}
	return not
}

package core

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// advanceMerge brings the upper neighbour onto the chain of the lower one, member by member, then
// into its order, then freezes both, and when all members hold the same makes them one.
func (c *Core) advanceMerge(p directory.Plan, left directory.SubRange) {
	if p.Other == 0 { // absorbed by all
		if c.dir.Settled(left.ID) {
			c.end(p, PlanDone, "")
		}
		return
	}
	right, ok := c.dir.SubRange(p.Other)
	if !ok && p.Step != stepSettle {
		c.abort(p, "the upper neighbour is gone")
		return
	}
	switch p.Step {
	case stepGather:
		if c.promote(p, right, leaver(left.Chain, right.Chain)) {
			p.Step = stepArrive
			c.put(p)
		}
	case stepArrive:
		if c.gone(right) {
			c.strand(p)
			return
		}
		switch arrived, why := c.arrived(p, right); {
		case why != "":
			c.abort(p, why)
		case arrived:
			c.approach(p, left, right)
		}
	case stepOrder:
		if c.dir.Settled(left.ID) && c.dir.Settled(right.ID) {
			c.approach(p, left, right)
		}
	case stepFreeze:
		c.awaitDrained(p, left, right)
	case stepSettle:
		if c.dir.Settled(left.ID) {
			c.end(p, PlanDone, "")
		}
	}
}

// approach takes the next step towards a merge of two sub-ranges that are at rest.
func (c *Core) approach(p directory.Plan, left, right directory.SubRange) {
	began := p
	p.From, p.To = 0, 0
	var done bool
	switch n := joiner(left.Chain, right.Chain); {
	case n != 0:
		p.Step, p.To, p.From = stepGather, n, leaver(left.Chain, right.Chain)
		done = c.attempt(c.dir.AddLearner(right.ID, n))
	case len(right.Chain) > len(left.Chain) && c.short(left):
		c.abort(p, fmt.Sprintf("%v has only %v", left.ID, left.Chain))
	case len(right.Chain) > len(left.Chain):
		leave := leaver(left.Chain, right.Chain)
		p.Step = stepOrder
		done = c.mayLeave(right, leave) && c.attempt(c.dir.Evict(right.ID, []kv.NodeID{leave}))
	case !slices.Equal(left.Chain, right.Chain):
		p.Step = stepOrder
		done = c.attempt(c.dir.Reorder(right.ID, left.Chain))
	default:
		p.Step = stepFreeze
		done = c.attempt(c.dir.Freeze(left.ID, right.ID))
	}
	if done {
		c.put(p)
		return
	}
	if _, ok := c.dir.Plan(p.ID); ok {
		c.hurry(began)
	}
}

// strand ends a merge whose upper neighbour was lost before its new tail was whole. What remains is a
// move of the upper neighbour alone, which remembers that this tail must not be taken for a copy.
func (c *Core) strand(p directory.Plan) {
	p.Kind, p.SubRange, p.Other, p.From, p.Step = directory.PlanMove, p.Other, 0, 0, stepTrim
	p.Why += "; its predecessor lost its state before it was whole"
	c.put(p)
}

// tidy begins to take out what a merge that was given up has brought to its upper neighbour. It also
// remembers a new tail that is not whole yet.
func (c *Core) tidy(p directory.Plan, right directory.SubRange) {
	k, _ := c.dir.Keyspace(right.Keyspace)
	if len(right.Chain) <= k.Replication && p.Step != stepArrive {
		return
	}
	_, _ = c.begin(directory.Plan{ // refused: the keyspace is being dropped
		Kind: directory.PlanMove, SubRange: right.ID, From: p.From, To: p.To, Step: stepTrim,
		Cause: p.Cause, Why: fmt.Sprintf("a merge with %v was given up", p.SubRange),
	})
}

// trim lets members leave, one after the other, that the keyspace does not ask for: the newest first,
// but for one that was to leave anyway.
func (c *Core) trim(p directory.Plan, s directory.SubRange) {
	whole := c.dir.Settled(s.ID)
	if s.Chain.Position(p.To) >= 0 {
		whole, _ = c.arrived(p, s)
	}
	k, _ := c.dir.Keyspace(s.Keyspace)
	switch {
	case !whole:
	case p.To != 0: // it is a copy like any other from now on
		p.To = 0
		c.put(p)
	case len(s.Chain) <= k.Replication:
		c.end(p, PlanDone, "")
	default:
		leave := p.From
		if s.Chain.Position(leave) < 0 {
			leave = slices.MaxFunc(s.Chain, func(a, b kv.NodeID) int {
				return cmp.Compare(s.SinceOf(a), s.SinceOf(b))
			})
		}
		_ = c.mayLeave(s, leave) && c.attempt(c.dir.Evict(s.ID, []kv.NodeID{leave}))
	}
}

// hurry gives up a merge that cannot take its next step for long: other plans wait for it. One that
// is refused for a reason that does not pass, such as a node that is being drained, ends so too.
func (c *Core) hurry(p directory.Plan) {
	w, ok := c.stalls[p.ID]
	if !ok || w.step != p.Step {
		w = stall{step: p.Step, at: c.now}
		c.stalls[p.ID] = w
	}
	if c.now >= w.at+freezePatience {
		c.abort(p, fmt.Sprintf("its next step is refused for %v", freezePatience))
		return
	}
	c.wakeAt(w.at + freezePatience)
}

// joiner returns a member of the left chain that is to join the right one, 0 if all are there.
func joiner(left, right kv.Chain) kv.NodeID {
	for _, n := range left {
		if right.Position(n) < 0 {
			return n
		}
	}
	return 0
}

// leaver returns the member of the right chain that is to leave it, 0 if none. A chain of one keeps
// its member until the new one is whole.
func leaver(left, right kv.Chain) kv.NodeID {
	if len(right) == 1 {
		return 0
	}
	return joiner(right, left)
}

// freezePatience is how long two neighbours may be frozen: their clients wait.
const freezePatience = 5 * time.Second

// awaitDrained makes the frozen neighbours one when all members hold the same, or thaws them when
// that takes too long or a chain has changed.
func (c *Core) awaitDrained(p directory.Plan, left, right directory.SubRange) {
	w, ok := c.stalls[p.ID]
	if !ok || w.step != p.Step {
		w = stall{step: p.Step, at: c.now}
		c.stalls[p.ID] = w
	}
	switch {
	case !left.Frozen || !right.Frozen || !slices.Equal(left.Chain, right.Chain):
		c.abort(p, "a member has left")
	case c.now >= w.at+freezePatience:
		c.abort(p, fmt.Sprintf("the members do not come to hold the same within %v", freezePatience))
	case c.drained(left) && c.drained(right) && c.attempt(c.dir.Absorb(left.ID, right.ID)):
		p.Step = stepSettle
		if now, ok := c.dir.Plan(p.ID); ok {
			p.Other = now.Other // the directory has taken it out
		}
		c.put(p)
	default:
		c.wakeAt(w.at + freezePatience)
	}
}

// drained reports whether all members of a frozen sub-range hold the same, durably.
func (c *Core) drained(s directory.SubRange) bool {
	if !c.dir.Settled(s.ID) {
		return false
	}
	first, _ := c.replica(s.Chain.Head(), s.ID)
	for _, n := range s.Chain {
		r, _ := c.replica(n, s.ID)
		if r.Epoch != s.Epoch || r.Lost || r.Recovering || r.Applied != first.Applied ||
			r.Stable != r.Applied {
			return false
		}
	}
	return true
}

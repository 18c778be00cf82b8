package core

import (
	"errors"
	"fmt"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// The steps of plans: what is being waited for. They are stored.
const (
	// stepJoin: To follows the tail until it holds all that the tail had shortly before.
	stepJoin = "join"
	// stepSettle: the last change is to be confirmed by all members and all switches, and a new
	// tail has to take in what its predecessor knows.
	stepSettle = "settle"
	// stepLeave: From leaves, now that To is whole.
	stepLeave = "leave"
	// stepTrim: members that a merge brought, and that was given up, have to leave.
	stepTrim = "trim"
	// stepGather, stepArrive: To joins the upper neighbour of a merge, as in stepJoin, stepSettle.
	stepGather = "gather"
	stepArrive = "arrive"
	// stepOrder: the chain of the upper neighbour of a merge takes the order of the lower one.
	stepOrder = "order"
	// stepFreeze: neither neighbour orders anything, until all members hold the same.
	stepFreeze = "freeze"
)

// joins reports whether To of a plan is about to become a member, or has just become one and may
// lack what the former tail knows.
func joins(p directory.Plan) bool {
	switch p.Kind {
	case directory.PlanRepair, directory.PlanMove:
		return p.Step == stepJoin || p.Step == stepSettle || p.Step == stepTrim
	case directory.PlanMerge:
		return p.Step == stepGather || p.Step == stepArrive
	}
	return false
}

// joinsAt returns the sub-range that To of a joining plan joins.
func joinsAt(p directory.Plan) kv.SubRangeID {
	if p.Kind == directory.PlanMerge {
		return p.Other
	}
	return p.SubRange
}

// advance takes the next step of every plan for which it is time.
func (c *Core) advance() {
	for _, p := range c.dir.Plans() {
		s, ok := c.dir.SubRange(p.SubRange)
		if !ok {
			c.end(p, PlanAborted, "the sub-range is gone")
			continue
		}
		if gone := c.lostIn(p); gone != 0 {
			c.abort(p, fmt.Sprintf("%v is lost", gone))
			continue
		}
		switch p.Kind {
		case directory.PlanRepair, directory.PlanMove:
			c.advanceJoin(p, s)
		case directory.PlanReorder:
			if c.dir.Settled(s.ID) {
				c.end(p, PlanDone, "")
			}
		case directory.PlanSplit:
			if c.dir.Settled(s.ID) && c.dir.Settled(p.Other) {
				c.end(p, PlanDone, "")
			}
		case directory.PlanMerge:
			c.advanceMerge(p, s)
		}
	}
}

// lostIn returns a sub-range of a plan of which no member has its state, 0 if there is none.
func (c *Core) lostIn(p directory.Plan) kv.SubRangeID {
	for _, id := range []kv.SubRangeID{p.SubRange, p.Other} {
		if s, ok := c.dir.SubRange(id); ok && len(c.LostOn(s)) == len(s.Chain) {
			return id
		}
	}
	return 0
}

// advanceJoin advances a repair or a move.
func (c *Core) advanceJoin(p directory.Plan, s directory.SubRange) {
	switch p.Step {
	case stepJoin:
		if c.promote(p, s, p.From) {
			p.Step = stepSettle
			c.put(p)
		}
	case stepSettle:
		switch arrived, why := c.arrived(p, s); {
		case why != "":
			c.end(p, PlanAborted, why)
		case arrived && s.Chain.Position(p.From) >= 0 && c.needsAll(s):
			c.end(p, PlanAborted, fmt.Sprintf("the chain has lost others meanwhile: node %v stays", p.From))
		case arrived && s.Chain.Position(p.From) >= 0:
			if !c.mayLeave(s, p.From) || !c.attempt(c.dir.Evict(s.ID, []kv.NodeID{p.From})) {
				return
			}
			p.Step = stepLeave
			c.put(p)
		case arrived:
			c.arrange(p, s)
		}
	case stepLeave:
		if c.dir.Settled(s.ID) {
			c.arrange(p, s)
		}
	case stepTrim:
		c.trim(p, s)
	case stepOrder:
		if c.dir.Settled(s.ID) {
			c.end(p, PlanDone, "")
		}
	}
}

// needsAll reports whether a chain would have fewer members than its keyspace asks for if one left.
// Then nobody leaves of his own accord: whoever joined has only taken the place of one that was lost.
func (c *Core) needsAll(s directory.SubRange) bool {
	k, ok := c.dir.Keyspace(s.Keyspace)
	return ok && len(s.Chain) <= k.Replication
}

// arrange gives the members the order that a move wanted, unless they have become others.
func (c *Core) arrange(p directory.Plan, s directory.SubRange) {
	if len(p.Chain) > 0 && c.attempt(c.dir.Reorder(s.ID, p.Chain)) {
		p.Step = stepOrder
		c.put(p)
		return
	}
	c.end(p, PlanDone, "")
}

// promote makes the learner of a plan the tail as soon as it may be, and reports whether it did. A
// plan whose learner is in trouble is given up.
//
// Who is to leave stays until the new tail has taken in what its predecessor knows: before that it is
// no copy, and the others would be one less. Only a chain of the greatest length has no room for
// both.
func (c *Core) promote(p directory.Plan, s directory.SubRange, leave kv.NodeID) bool {
	if s.Learner != p.To {
		c.abort(p, fmt.Sprintf("node %v does not join any more", p.To))
		return false
	}
	if f := c.fault(s, p.To); f.why != "" {
		c.shun(p)
		c.abort(p, fmt.Sprintf("node %v: %s", p.To, f.why))
		return false
	}
	if f := c.fault(s, s.Chain.Tail()); f.lost {
		c.abort(p, fmt.Sprintf("node %v, from which it would copy: %s", s.Chain.Tail(), f.why))
		return false
	}
	r, _ := c.replica(p.To, s.ID)
	if r.Epoch != s.Epoch || !r.Learner || !r.Joined {
		c.watch(p, r)
		return false
	}
	if s.Chain.Position(leave) < 0 || len(s.Chain) < kv.MaxChain {
		leave = 0
	}
	// A new tail must hear from its predecessor: not while one is away.
	if !c.mayLeave(s, leave) {
		return false
	}
	return c.attempt(c.dir.Promote(s.ID, leave))
}

// arrived reports whether a new tail serves, or why it never will.
func (c *Core) arrived(p directory.Plan, s directory.SubRange) (bool, string) {
	if s.Chain.Position(p.To) < 0 {
		return false, fmt.Sprintf("node %v was evicted", p.To)
	}
	return c.serves(s, p.To) && c.dir.Settled(s.ID), ""
}

// joinPatience is how long a join may stand still before another node is tried: several times as
// long as a node needs to restart and to be served again by the tail.
const joinPatience = 30 * time.Second

// watch gives up a join that does not get on.
func (c *Core) watch(p directory.Plan, r Replica) {
	w, ok := c.stalls[p.ID]
	if !ok || w.bytes != r.JoinedBytes || w.share != r.JoinedShare || w.step != p.Step {
		w = stall{bytes: r.JoinedBytes, share: r.JoinedShare, step: p.Step, at: c.now}
		c.stalls[p.ID] = w
	}
	if c.now >= w.at+joinPatience {
		c.shun(p)
		c.abort(p, fmt.Sprintf("node %v has not got on for %v", p.To, joinPatience))
		return
	}
	c.wakeAt(w.at + joinPatience)
}

// stall is how far a plan was when it last got on.
type stall struct {
	step  string
	bytes uint64
	share float64
	at    time.Duration
}

// attempt takes the effects of a command, unless it was refused. One that is refused because of
// something that is still in progress is attempted again with the next step.
func (c *Core) attempt(e directory.Effects, err error) bool {
	if err == nil {
		c.take(e)
	}
	return err == nil
}

// begin stores a new plan and tells of it.
func (c *Core) begin(p directory.Plan) (directory.Plan, error) {
	p.BeganUnixMS = c.cfg.UnixMS + c.now.Milliseconds()
	p, e, err := c.dir.PutPlan(p)
	if err != nil {
		return p, err
	}
	c.take(e)
	c.balancer.Begun(c.now, change(p))
	c.tell(c.planEvent(PlanBegun, p, p.Why))
	return p, nil
}

// put stores the next step of a plan.
func (c *Core) put(p directory.Plan) {
	_, e, err := c.dir.PutPlan(p)
	if err != nil {
		c.abort(p, err.Error()) // the keyspace is being dropped
		return
	}
	c.take(e)
}

// abort undoes what a plan has begun, as far as that is worth it, and forgets the plan. Whoever
// wanted it may begin another one.
func (c *Core) abort(p directory.Plan, why string) {
	if s, ok := c.dir.SubRange(joinsAt(p)); ok && joins(p) && s.Learner == p.To {
		c.attempt(c.dir.DropLearner(s.ID))
	}
	if s, ok := c.dir.SubRange(p.SubRange); ok && p.Kind == directory.PlanMerge && s.Frozen {
		c.attempt(c.dir.Thaw(p.SubRange, p.Other))
	}
	c.end(p, PlanAborted, why)
	if s, ok := c.dir.SubRange(p.Other); ok && p.Kind == directory.PlanMerge {
		c.tidy(p, s)
	}
}

// end forgets a plan and tells how it went.
func (c *Core) end(p directory.Plan, how EventKind, why string) {
	delete(c.stalls, p.ID)
	c.take(c.dir.DeletePlan(p.ID))
	if how == PlanAborted {
		c.failedPlan(p)
	} else {
		delete(c.retries, p.SubRange)
	}
	c.tell(c.planEvent(how, p, why))
}

func (c *Core) planEvent(kind EventKind, p directory.Plan, why string) Event {
	e := Event{Kind: kind, Plan: p.ID, SubRange: p.SubRange, Node: p.To, Text: describePlan(p)}
	if why != "" {
		e.Text += ": " + why
	}
	if kind == PlanAborted {
		e.Severity = Warning
	}
	if s, ok := c.dir.SubRange(p.SubRange); ok {
		k, _ := c.dir.Keyspace(s.Keyspace)
		e.Keyspace = k.Name
	}
	return e
}

// describePlan says what a plan does.
func describePlan(p directory.Plan) string {
	switch p.Kind {
	case directory.PlanMove:
		if p.From == 0 {
			return fmt.Sprintf("grow to %v", p.To)
		}
		return fmt.Sprintf("move from %v to %v", p.From, p.To)
	case directory.PlanRepair:
		return fmt.Sprintf("repair on %v", p.To)
	case directory.PlanReorder:
		return fmt.Sprintf("reorder to %v", p.Chain)
	case directory.PlanSplit:
		return fmt.Sprintf("split at %v into %v", p.Cut, p.Other)
	case directory.PlanMerge:
		if p.Other == 0 { // it has been absorbed
			return "merge with the upper neighbour"
		}
		return fmt.Sprintf("merge with %v", p.Other)
	}
	return string(p.Kind)
}

// retry is when plans of a sub-range may begin again after some that were given up.
type retry struct {
	after time.Duration
	pause time.Duration
}

// Pauses after a plan that was given up: doubled from the first to the longest.
const (
	retryFirst   = time.Second
	retryLongest = time.Minute
)

func (c *Core) failedPlan(p directory.Plan) {
	r := c.retries[p.SubRange]
	r.pause = min(max(2*r.pause, retryFirst), retryLongest)
	r.after = c.now + r.pause
	c.retries[p.SubRange] = r
}

// shun keeps a node that did not manage to join from being asked again soon, unless it begins anew.
func (c *Core) shun(p directory.Plan) {
	c.shunned[place{p.To, joinsAt(p)}] = c.now + retryLongest
}

// resting reports whether plans of a sub-range must wait after one that was given up.
func (c *Core) resting(id kv.SubRangeID) bool {
	r, ok := c.retries[id]
	if !ok || c.now >= r.after {
		return false
	}
	c.wakeAt(r.after)
	return true
}

// passing reports whether a command was refused for a reason that passes by itself.
func passing(err error) bool {
	return errors.Is(err, directory.ErrBusy) || errors.Is(err, directory.ErrNotReady)
}

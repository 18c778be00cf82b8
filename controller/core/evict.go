package core

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/health"
	"github.com/turbokv/turbokv/kv"
)

// evict takes members that cannot go on out of their chains: nodes that have failed, replicas that
// are lost, and those that refuse their assignment.
//
// A chain is cut only if all that remain are known to be well since the trouble began, because what
// they hold is all that there will be. So a controller that is cut off changes nothing, and neither
// does one that learns of the death of a whole chain: its members may come back with their disks.
func (c *Core) evict() {
	if !c.trouble() {
		return
	}
	evicted := make(map[kv.NodeID]int)
	for _, s := range c.dir.SubRanges() {
		if k, _ := c.dir.Keyspace(s.Keyspace); k.Phase == directory.PhaseDropping {
			continue // with its plans, which say who is fresh, it has lost its worth
		}
		if c.beginAgain(s) {
			continue
		}
		bad, since := c.faulty(s)
		if len(bad) == 0 || !c.canGoOn(s, bad, since) {
			continue
		}
		e, err := c.dir.Evict(s.ID, bad)
		if err != nil {
			continue // something is in progress that must end first; tried again then
		}
		c.take(e)
		for _, n := range bad {
			evicted[n]++
		}
	}
	for _, n := range slices.Sorted(maps.Keys(evicted)) {
		c.tell(Event{Kind: MemberEvicted, Severity: Warning, Node: n, Count: evicted[n]})
	}
}

// beginAgain lets a sub-range that is still being created begin anew when a member has lost its part in
// the present epoch, and reports whether it did: a node in memory may restart at that moment, too.
func (c *Core) beginAgain(s directory.SubRange) bool {
	lost := func(n kv.NodeID) bool {
		r, told := c.replica(n, s.ID)
		return told && r.Lost && r.Epoch == s.Epoch && c.alive(n)
	}
	return !s.Created && slices.ContainsFunc(s.Chain, lost) && c.attempt(c.dir.BeginAgain(s.ID))
}

// trouble reports whether anybody could have to be evicted, before all sub-ranges are looked at.
func (c *Core) trouble() bool {
	return len(c.lost) > 0 || len(c.refused) > 0 ||
		slices.ContainsFunc(c.dir.Nodes(), func(n directory.Node) bool { return c.failed(n.ID) })
}

// faulty returns the members that cannot go on, and since when the last of them is in trouble.
func (c *Core) faulty(s directory.SubRange) (bad []kv.NodeID, since time.Duration) {
	for _, n := range s.Chain {
		if f := c.fault(s, n); f.why != "" {
			bad = append(bad, n)
			since = max(since, f.since)
		}
	}
	return bad, since
}

// fault says why a member or learner cannot go on; the zero value says that it can.
type fault struct {
	why   string
	since time.Duration // when its trouble began
	lost  bool          // its state is gone: waiting for it is in vain
}

func (c *Core) fault(s directory.SubRange, n kv.NodeID) fault {
	at := place{n, s.ID}
	if since, lost := c.lost[at]; lost {
		if r, _ := c.replica(n, s.ID); r.Epoch >= s.SinceOf(n) { // not what it was before it joined
			return fault{why: "its state is lost", since: since, lost: true}
		}
	}
	if r, ok := c.refused[at]; ok && r.epoch == s.Epoch {
		return fault{why: "it refuses: " + r.why, since: r.at, lost: true}
	}
	if h := c.health.Status(n); h.State == health.Failed {
		return fault{why: h.Why, since: h.Since}
	}
	return fault{}
}

// canGoOn reports whether a chain can do without some of its members.
func (c *Core) canGoOn(s directory.SubRange, without []kv.NodeID, since time.Duration) bool {
	whole := false // somebody remains that holds all that was ever acknowledged
	for _, n := range s.Chain {
		if slices.Contains(without, n) {
			continue
		}
		if !c.sound(s, n) {
			return false
		}
		if !c.spokeAfter(n, max(since, c.lately())) {
			return false
		}
		whole = whole || !c.fresh(s, n)
	}
	return whole
}

// spokeAfter reports whether a node was heard over its session after a time. An answer to a probe
// does not count, nor does the port of its switch: they may come from a process that has begun anew,
// without what the last one reported, and has not said hello yet.
func (c *Core) spokeAfter(n kv.NodeID, t time.Duration) bool {
	at, ever := c.spoke[n]
	if !ever || at <= t {
		c.awaiting = true
		return false
	}
	return true
}

// mayLeave reports whether a member that is well may leave its chain: all that remain are well, too,
// and have been heard of within two beats.
func (c *Core) mayLeave(s directory.SubRange, leave kv.NodeID) bool {
	return !slices.ContainsFunc(s.Chain, func(n kv.NodeID) bool {
		return n != leave && !(c.sound(s, n) && c.spokeAfter(n, c.lately()))
	})
}

// lately is the time since which a node that is well has given a sign of life: who has been silent
// for longer may be dead already, although it is too early to suspect it.
func (c *Core) lately() time.Duration { return c.now - 2*c.health.Config().BeatInterval }

// sound reports whether a node is here and has said, since it came, that it has its state.
func (c *Core) sound(s directory.SubRange, n kv.NodeID) bool {
	if !c.alive(n) || c.fault(s, n).why != "" {
		return false
	}
	r, told := c.replica(n, s.ID)
	return !s.Created || told && r.Epoch >= s.SinceOf(n) && !r.Learner
}

// fresh reports whether a member has just become the tail and may lack what its predecessor has
// acknowledged meanwhile (I6): it must not be the only one that remains. One that says that it serves
// the present epoch lacks nothing, though others may not have confirmed that epoch.
func (c *Core) fresh(s directory.SubRange, n kv.NodeID) bool {
	p, ok := c.dir.PlanOf(s.ID)
	return ok && p.To == n && joins(p) && joinsAt(p) == s.ID && !c.serves(s, n)
}

// serves reports whether a member has said that it serves the present epoch: it has heard from its
// predecessor all that was acknowledged before.
func (c *Core) serves(s directory.SubRange, n kv.NodeID) bool {
	r, told := c.replica(n, s.ID)
	return told && r.Epoch == s.Epoch && !r.Learner && !r.Lost && !r.Recovering
}

// gone reports whether nobody holds a sub-range any more: every member has lost its state, or lacks
// for ever what a lost predecessor knew. Nothing can be copied from it.
func (c *Core) gone(s directory.SubRange) bool {
	lost := 0
	for _, n := range s.Chain {
		if c.fault(s, n).lost {
			lost++
		} else if !c.fresh(s, n) {
			return false
		}
	}
	return lost > 0
}

// describe joins what is wrong with some members.
func (c *Core) describe(s directory.SubRange, bad []kv.NodeID) (out string) {
	for i, n := range bad {
		if i > 0 {
			out += "; "
		}
		out += fmt.Sprintf("node %v: %s", n, c.fault(s, n).why)
	}
	return out
}

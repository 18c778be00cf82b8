package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// State is the state of a sub-range as operators see it.
type State string

// The states.
const (
	Creating    State = "creating"    // not all members have acknowledged it yet
	Serving     State = "serving"     // by as many members as its keyspace asks for
	Degraded    State = "degraded"    // too few members, or one is away or behind
	Unavailable State = "unavailable" // nobody serves it until a node comes back
	Lost        State = "lost"        // no member has its state any more
)

// StateOf returns the state of a sub-range, and why it is not serving.
func (c *Core) StateOf(s directory.SubRange) (State, string) {
	lost := c.LostOn(s)
	switch {
	case !s.Created:
		return Creating, fmt.Sprintf("waiting for %v", s.Unacknowledged())
	case len(lost) > 0:
		return Lost, fmt.Sprintf("state lost on %v", lost)
	}
	for _, n := range s.Chain {
		switch {
		case !c.dir.IsOnline(n):
			return Degraded, fmt.Sprintf("node %v is away", n)
		case c.replica(n, s.ID).Recovering:
			return Degraded, fmt.Sprintf("node %v recovers", n)
		}
	}
	return Serving, ""
}

// replica returns what a node last said of a sub-range; zero if nothing.
func (c *Core) replica(n kv.NodeID, id kv.SubRangeID) Replica {
	if r := c.reports[n]; r != nil {
		return r.replicas[id]
	}
	return Replica{}
}

// LostOn returns the members that have lost their state of a sub-range.
func (c *Core) LostOn(s directory.SubRange) []kv.NodeID {
	return slices.DeleteFunc(slices.Clone(s.Chain), func(n kv.NodeID) bool {
		return !c.replica(n, s.ID).Lost
	})
}

// ReportAge returns how long ago a node has reported; negative: never since it said hello.
func (c *Core) ReportAge(now time.Duration, n kv.NodeID) time.Duration {
	if r := c.reports[n]; r != nil {
		return now - r.at
	}
	return -1
}

// Problems says in words what needs an operator, the worst first.
func (c *Core) Problems() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if system, ok := c.dir.Keyspace(kv.SystemKeyspace); !ok {
		say("waiting for nodes: %d of %d have connected", c.dir.OnlineNodes(),
			max(c.cfg.Directory.ExpectNodes, 1))
	} else if system.Durability == kv.DurabilityMemory {
		say("the system keyspace is in memory: too few nodes had a persistent engine at the start")
	}
	for _, n := range c.dir.Nodes() {
		if !c.dir.IsOnline(n.ID) {
			say("node %v has no session", n.ID)
		}
	}
	for _, s := range c.dir.SubRanges() {
		if lost := c.LostOn(s); len(lost) > 0 {
			say("STATE LOST: %v of keyspace %d on %v", s.ID, s.Keyspace, lost)
		}
	}
	return append(out, c.refusals()...)
}

// refusals tells what nodes will not take, and forgets what is over.
func (c *Core) refusals() (out []string) {
	for at, r := range c.refused {
		if s, ok := c.dir.SubRange(at.subRange); !ok || s.Epoch != r.epoch {
			delete(c.refused, at)
			continue
		}
		out = append(out, fmt.Sprintf("node %v refuses %v: %s", at.node, at.subRange, r.why))
	}
	slices.Sort(out)
	return out
}

package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/health"
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
	if !s.Created {
		return Creating, fmt.Sprintf("waiting for %v", s.Unacknowledged())
	}
	if state, why := c.outage(s); state != Serving {
		return state, why
	}
	if bad, _ := c.faulty(s); len(bad) > 0 {
		return Degraded, c.describe(s, bad)
	}
	for _, n := range s.Chain {
		r, _ := c.replica(n, s.ID)
		switch {
		case !c.alive(n):
			return Degraded, fmt.Sprintf("node %v is away", n)
		case r.Recovering:
			return Degraded, fmt.Sprintf("node %v recovers", n)
		}
	}
	k, _ := c.dir.Keyspace(s.Keyspace)
	switch {
	case len(s.Chain) < k.Replication && s.Learner == 0 && !c.anyFit(s):
		return Degraded, fmt.Sprintf("%d of %d members, and no other node can be one",
			len(s.Chain), k.Replication)
	case len(s.Chain) < k.Replication:
		return Degraded, fmt.Sprintf("%d of %d members", len(s.Chain), k.Replication)
	case s.Blocked:
		return Degraded, "requests are held back until all switches follow"
	case s.Frozen:
		return Degraded, "writes are held back while it merges"
	}
	return Serving, ""
}

// anyFit reports whether some node could become a member of a sub-range.
func (c *Core) anyFit(s directory.SubRange) bool {
	return slices.ContainsFunc(c.dir.Nodes(), func(n directory.Node) bool {
		return c.alive(n.ID) && c.dir.MayJoin(s.ID, n.ID) == nil
	})
}

// outage tells a sub-range that nobody can serve from all others, which count as serving.
func (c *Core) outage(s directory.SubRange) (State, string) {
	bad, _ := c.faulty(s)
	lost, gone := 0, 0
	for _, n := range s.Chain {
		f := c.fault(s, n)
		_, told := c.replica(n, s.ID)
		switch {
		case f.lost:
			lost++
		case f.why != "" || c.health.Status(n).State != health.Alive,
			!told && c.outages[s.ID] != "": // it has not yet said whether it has its state
			gone++
		}
	}
	switch {
	case c.gone(s):
		return Lost, c.describe(s, bad)
	case lost+gone < len(s.Chain):
		return Serving, ""
	case len(bad) > 0:
		return Unavailable, c.describe(s, bad)
	}
	return Unavailable, fmt.Sprintf("nothing is heard of %v", s.Chain)
}

// alarm tells when a sub-range comes to be unavailable or lost, and when it is served again: one
// event for each keyspace.
func (c *Core) alarm() {
	type group struct {
		keyspace kv.KeyspaceID
		state    State
	}
	var order []group
	changed := make(map[group]Event)
	for _, s := range c.dir.SubRanges() {
		state, why := Serving, ""
		if s.Created && !c.early(s) {
			state, why = c.outage(s)
		}
		if state == c.outages[s.ID] || state == Serving && c.outages[s.ID] == "" {
			continue
		}
		if state == Serving {
			delete(c.outages, s.ID)
		} else {
			c.outages[s.ID] = state
		}
		g := group{s.Keyspace, state}
		e, known := changed[g]
		if !known {
			order = append(order, g)
			e = Event{SubRange: s.ID, Text: why}
		}
		e.Count++
		changed[g] = e
	}
	for _, g := range order {
		c.tellOutage(g.keyspace, g.state, changed[g])
	}
}

// alarmDelay is how long a chain may be silent before that is told, if nobody is known to have
// failed: a controller that has just started, or was cut off for a moment, does not cry.
const alarmDelay = time.Second

// early reports whether it is too early to say that nobody serves a sub-range.
func (c *Core) early(s directory.SubRange) bool {
	latest := time.Duration(0)
	for _, n := range s.Chain {
		h := c.health.Status(n)
		if h.State == health.Alive || c.fault(s, n).why != "" {
			return false
		}
		latest = max(latest, h.Since)
	}
	if c.now >= latest+alarmDelay {
		return false
	}
	c.wakeAt(latest + alarmDelay)
	return c.outages[s.ID] == ""
}

func (c *Core) tellOutage(id kv.KeyspaceID, state State, e Event) {
	k, _ := c.dir.Keyspace(id)
	e.Keyspace = k.Name
	switch state {
	case Lost:
		e.Kind, e.Severity = SubRangeLost, Alarm
	case Unavailable:
		e.Kind, e.Severity = SubRangeUnavailable, Alarm
	default:
		e.Kind = SubRangeRestored
	}
	c.tell(e)
}

// LostOn returns the members that have lost their state of a sub-range.
func (c *Core) LostOn(s directory.SubRange) []kv.NodeID {
	return slices.DeleteFunc(slices.Clone(s.Chain), func(n kv.NodeID) bool {
		return !c.fault(s, n).lost
	})
}

// NodeState is what operators are told of a node.
type NodeState struct {
	State     string // absent, alive, suspected, failed; draining, drained
	Why       string
	ReportAge time.Duration // since its last report; negative: none since it said hello
	CPU       float64       // cores used
	Bytes     uint64        // stored
	Joining   int           // sub-ranges that it is learning
}

// NodeState returns what is known of a node.
func (c *Core) NodeState(now time.Duration, n directory.Node) NodeState {
	h := c.health.Status(n.ID)
	out := NodeState{State: h.State.String(), Why: h.Why, ReportAge: -1}
	if r := c.reports[n.ID]; r != nil {
		out.ReportAge, out.CPU, out.Bytes = now-r.at, r.cpu, r.bytes
	}
	for _, s := range c.dir.SubRanges() {
		if s.Learner == n.ID {
			out.Joining++
		}
	}
	switch {
	case n.Draining && c.emptied[n.ID]:
		out.State = "drained"
	case n.Draining && h.State == health.Alive:
		out.State = "draining"
	}
	return out
}

// NodeLoad is what a node is asked for.
type NodeLoad struct {
	Reads  float64 // requests per second that it answers as tail
	Writes float64 // requests per second that it orders as head
	Ratio  float64 // of both, 1 being the average of all nodes that are well
}

// NodeLoads returns what each node is asked for.
func (c *Core) NodeLoads() map[kv.NodeID]NodeLoad {
	loads := make(map[kv.NodeID]NodeLoad)
	sum := 0.0
	for _, s := range c.dir.SubRanges() {
		l := c.meter.Of(s.ID)
		sum += l.ReadRate + l.WriteRate
		head := loads[s.Chain.Head()]
		head.Writes += l.WriteRate
		loads[s.Chain.Head()] = head
		tail := loads[s.Chain.Tail()]
		tail.Reads += l.ReadRate
		loads[s.Chain.Tail()] = tail
	}
	well := 0
	for _, n := range c.dir.Nodes() {
		if c.alive(n.ID) {
			well++
		}
	}
	for n, l := range loads {
		if sum > 0 && well > 0 {
			l.Ratio = (l.Reads + l.Writes) * float64(well) / sum
		}
		loads[n] = l
	}
	return loads
}

// Progress returns how far a plan is, 0 to 1.
func (c *Core) Progress(p directory.Plan) float64 {
	r, _ := c.replica(p.To, joinsAt(p))
	switch p.Step {
	case stepJoin:
		return 0.9 * r.JoinedShare
	case stepGather:
		return 0.8 * r.JoinedShare
	case stepArrive, stepOrder:
		return 0.8
	case stepFreeze:
		return 0.9
	}
	return 0.95
}

// Problems says in words what needs an operator, the worst first.
func (c *Core) Problems() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, state := range []State{Lost, Unavailable, Degraded} {
		for _, k := range c.dir.Keyspaces() {
			if line := c.keyspaceProblem(k, state); line != "" {
				say("%s", line)
			}
		}
	}
	if system, ok := c.dir.Keyspace(kv.SystemKeyspace); !ok {
		say("waiting for nodes: %d of %d have connected", c.dir.OnlineNodes(),
			max(c.cfg.Directory.ExpectNodes, 1))
	} else if system.Durability == kv.DurabilityMemory {
		say("the system keyspace is in memory: too few nodes had a persistent engine at the start")
	}
	for _, n := range c.dir.Nodes() {
		switch h := c.health.Status(n.ID); h.State {
		case health.Failed, health.Suspected:
			say("node %v is %v: %s", n.ID, h.State, h.Why)
		case health.Absent:
			say("node %v has no session", n.ID)
		}
		if stuck := c.stuck(n); stuck > 0 {
			say("node %v is being drained: no other node can take %d sub-ranges", n.ID, stuck)
		}
	}
	return append(out, c.refusals()...)
}

// stuck counts the sub-ranges of a draining node that have nowhere to go.
func (c *Core) stuck(n directory.Node) (count int) {
	if !n.Draining {
		return 0
	}
	for _, s := range c.dir.SubRanges() {
		_, planned := c.dir.PlanOf(s.ID)
		if s.SinceOf(n.ID) > 0 && !planned && s.Learner == 0 && !c.anyFit(s) {
			count++
		}
	}
	return count
}

// keyspaceProblem sums up the sub-ranges that are in a state; empty: none.
func (c *Core) keyspaceProblem(k directory.Keyspace, want State) string {
	var first directory.SubRange
	var reason string
	count := 0
	all := c.dir.SubRangesOf(k.ID)
	for _, s := range all {
		state, why := c.StateOf(s)
		if state != want {
			continue
		}
		if count++; count == 1 {
			first, reason = s, why
		}
	}
	if count == 0 {
		return ""
	}
	name := string(want)
	if want != Degraded {
		name = strings.ToUpper(name)
	}
	return fmt.Sprintf("%s: %d of %d sub-ranges of keyspace %q, such as %v: %s", name, count, len(all),
		k.Name, first.ID, reason)
}

// refusals tells what nodes will not take, and forgets what is over.
func (c *Core) refusals() (out []string) {
	for at, r := range c.refused {
		if s, ok := c.dir.SubRange(at.subRange); ok && s.Epoch == r.epoch {
			out = append(out, fmt.Sprintf("node %v refuses %v: %s", at.node, at.subRange, r.why))
		}
	}
	slices.Sort(out)
	return out
}

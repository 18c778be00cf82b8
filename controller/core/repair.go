package core

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// repair begins to bring sub-ranges with too few members back to what their keyspace asks for,
// those that are nearest to being lost first.
//
// A repair begins RepairDelay after the loss was noticed, so that the nodes that fail together are
// all known before their replicas are given to somebody.
func (c *Core) repair() {
	var due []directory.SubRange
	short := make(map[kv.SubRangeID]time.Duration)
	for _, s := range c.dir.SubRanges() {
		if !c.short(s) {
			continue
		}
		since, known := c.shortSince[s.ID]
		if !known {
			since = c.now
		}
		short[s.ID] = since
		if at := since + c.cfg.Policy.RepairDelay; c.now < at {
			c.wakeAt(at)
		} else if c.idle(s) {
			due = append(due, s)
		}
	}
	c.shortSince = short
	c.tellRestored()
	slices.SortStableFunc(due, func(a, b directory.SubRange) int {
		return cmp.Or(cmp.Compare(len(a.Chain), len(b.Chain)), cmp.Compare(a.Keyspace, b.Keyspace))
	})
	if len(due) == 0 {
		return
	}
	to := c.targets()
	for _, s := range due {
		c.beginRepair(s, to)
	}
}

// tellRestored tells of keyspaces all of whose sub-ranges have as many members again as they should.
func (c *Core) tellRestored() {
	now := make(map[kv.KeyspaceID]bool)
	for id := range c.shortSince {
		s, _ := c.dir.SubRange(id)
		now[s.Keyspace] = true
	}
	for _, p := range c.dir.Plans() {
		if s, _ := c.dir.SubRange(p.SubRange); p.Kind == directory.PlanRepair {
			now[s.Keyspace] = true
		}
	}
	for _, k := range c.dir.Keyspaces() {
		if c.shortOf[k.ID] && !now[k.ID] && k.Phase != directory.PhaseDropping {
			c.tell(Event{Kind: ReplicationRestored, Keyspace: k.Name})
		}
	}
	c.shortOf = now
}

// short reports whether a sub-range has too few members, and somebody to copy it from.
func (c *Core) short(s directory.SubRange) bool {
	k, ok := c.dir.Keyspace(s.Keyspace)
	return ok && s.Created && k.Phase != directory.PhaseDropping && len(s.Chain) < k.Replication &&
		!c.gone(s)
}

// idle reports whether a new plan may begin for a sub-range now.
func (c *Core) idle(s directory.SubRange) bool {
	_, busy := c.dir.PlanOf(s.ID)
	return !busy && !c.resting(s.ID)
}

func (c *Core) beginRepair(s directory.SubRange, t *targets) {
	to, why := t.pick(s, 0)
	if to == 0 {
		return
	}
	k, _ := c.dir.Keyspace(s.Keyspace)
	p := directory.Plan{
		Kind: directory.PlanRepair, SubRange: s.ID, To: to, Cause: directory.CauseFailure,
		Why: fmt.Sprintf("%d of %d members; %s", len(s.Chain), k.Replication, why),
	}
	_, _ = c.beginJoin(p, s) // refused: looked at again with the next step
}

// beginJoin begins a repair or a move.
func (c *Core) beginJoin(p directory.Plan, s directory.SubRange) (directory.Plan, error) {
	if c.gone(s) {
		return p, fmt.Errorf("join to %v: %w: nobody holds it any more", s.ID, directory.ErrNotFit)
	}
	e, err := c.dir.AddLearner(s.ID, p.To)
	if err != nil {
		return p, err
	}
	c.take(e)
	p.Step = stepJoin
	if p, err = c.begin(p); err != nil {
		c.attempt(c.dir.DropLearner(s.ID)) // another plan is about it: callers have looked
	}
	return p, err
}

// drain gives away what draining nodes hold, one member of a sub-range at a time.
func (c *Core) drain() {
	var t *targets
	for _, n := range c.dir.Nodes() {
		if !n.Draining {
			delete(c.emptied, n.ID)
			continue
		}
		left := 0
		for _, s := range c.dir.SubRanges() {
			if s.SinceOf(n.ID) == 0 {
				continue
			}
			left++
			if s.Created && s.Learner == 0 && c.idle(s) {
				if t == nil {
					t = c.targets()
				}
				c.beginDrain(s, n.ID, t)
			}
		}
		if left == 0 && !c.emptied[n.ID] {
			c.emptied[n.ID] = true
			c.tell(Event{Kind: NodeDrained, Node: n.ID})
		}
	}
}

func (c *Core) beginDrain(s directory.SubRange, from kv.NodeID, t *targets) {
	to, why := t.pick(s, from)
	if to == 0 {
		return
	}
	_, _ = c.beginJoin(directory.Plan{ // refused: looked at again with the next step
		Kind: directory.PlanMove, SubRange: s.ID, From: from, To: to, Cause: directory.CauseDrain,
		Why: fmt.Sprintf("node %v is being drained; %s", from, why),
	}, s)
}

// recreate replaces a system keyspace in memory when all its nodes have said that they have lost it:
// it holds nothing that the directory does not know. Without it no keyspace could be created or
// dropped any more.
func (c *Core) recreate() {
	k, ok := c.dir.Keyspace(kv.SystemKeyspace)
	if !ok || k.Durability != kv.DurabilityMemory {
		return
	}
	for _, s := range c.dir.SubRangesOf(k.ID) {
		for _, n := range s.Chain {
			if r, told := c.replica(n, s.ID); !told || !r.Lost || !c.alive(n) {
				return
			}
		}
	}
	if c.attempt(c.dir.RecreateSystem()) {
		c.tell(Event{Kind: CatalogueRecreated, Severity: Warning, Keyspace: k.Name,
			Text: "all its replicas in memory were lost; what it held is published again"})
	}
}

package core

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/balance"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/health"
	"github.com/turbokv/turbokv/kv"
)

// balance levels load when nothing more urgent is going on: nobody is failed or suspected, and no
// sub-range has too few members.
func (c *Core) balance() {
	if c.cfg.Policy.NoBalance {
		return
	}
	next := c.balanced + c.cfg.Policy.BalanceInterval
	if c.now < next {
		c.wakeAt(next)
		return
	}
	c.balanced = c.now
	c.wakeAt(c.now + c.cfg.Policy.BalanceInterval)
	if !c.quiet() {
		return
	}
	for _, p := range c.balancer.Propose(c.look()) {
		_, _ = c.carryOut(p, directory.CauseBalancer) // what is refused will be proposed again
	}
}

// quiet reports whether nothing is in sight that goes before balancing: trouble, or nodes that are being
// emptied.
func (c *Core) quiet() bool {
	return c.untroubled() && !slices.ContainsFunc(c.dir.Nodes(), func(n directory.Node) bool {
		return n.Draining && !c.emptied[n.ID]
	})
}

// untroubled reports whether no node is suspected, and every sub-range that can be had has all members.
func (c *Core) untroubled() bool {
	return len(c.shortSince) == 0 && c.dir.OnlineNodes() > 0 &&
		!slices.ContainsFunc(c.dir.Nodes(), func(n directory.Node) bool {
			return c.health.Status(n.ID).State == health.Suspected
		})
}

// look describes the cluster to the balancer.
func (c *Core) look() balance.Input {
	in := balance.Input{Now: c.now, Limits: c.limits()}
	for _, n := range c.dir.Nodes() {
		b := balance.Node{ID: n.ID, Rack: n.Switch, Alive: c.alive(n.ID), Draining: n.Draining}
		if r := c.reports[n.ID]; r != nil {
			b.CPU, b.Bytes = r.cpu, r.bytes
		}
		in.Nodes = append(in.Nodes, b)
	}
	planned := make(map[kv.SubRangeID]bool)
	for _, p := range c.dir.Plans() {
		planned[p.SubRange], planned[p.Other] = true, true
		in.Running = append(in.Running, change(p))
	}
	for _, s := range c.dir.SubRanges() {
		load := c.meter.Of(s.ID)
		in.SubRanges = append(in.SubRanges, balance.SubRange{
			ID: s.ID, Keyspace: s.Keyspace, Interval: s.Interval, Chain: s.Chain,
			Reads: load.ReadRate, Writes: load.WriteRate, Samples: c.samples.Of(s.ID),
			Busy: planned[s.ID] || !c.dir.Settled(s.ID) || c.resting(s.ID) || c.gone(s),
		})
	}
	return in
}

// mergeBeyond is the part of the possible sub-ranges from which on cold neighbours are merged, in
// quarters: the rest is room for splits and for new keyspaces.
const mergeBeyond = 3

func (c *Core) limits() balance.Limits {
	l, used := c.cfg.Directory.Limits, c.dir.UsedIDs()
	return balance.Limits{
		FreeIDs: l.SubRanges - 1 - used, FreePrefixes: l.PartitionEntries - c.dir.PartitionEntries(),
		SubRanges: l.SubRanges * mergeBeyond / 4,
	}
}

// change is a plan in the words of the balancer.
func change(p directory.Plan) balance.Change {
	b := balance.Change{SubRange: p.SubRange, Other: p.Other, From: p.From, To: p.To,
		Chain: p.Chain, Cut: p.Cut}
	switch p.Kind {
	case directory.PlanRepair, directory.PlanMove:
		b.Kind = balance.Move
	case directory.PlanReorder:
		b.Kind = balance.Reorder
	case directory.PlanSplit:
		b.Kind = balance.Split
	case directory.PlanMerge:
		b.Kind = balance.Merge
	}
	return b
}

// carryOut begins what the balancer proposes.
func (c *Core) carryOut(p balance.Proposal, cause directory.Cause) (directory.Plan, error) {
	s, err := c.free(p.SubRange)
	if err != nil {
		return directory.Plan{}, err
	}
	plan := directory.Plan{SubRange: p.SubRange, From: p.From, To: p.To, Chain: p.Chain,
		Cause: cause, Why: p.Why}
	switch p.Kind {
	case balance.Reorder:
		plan.Kind, plan.Step = directory.PlanReorder, stepSettle
		plan, err = c.beginReorder(plan)
	case balance.Move:
		plan.Kind = directory.PlanMove
		plan, err = c.beginJoin(plan, s)
	case balance.Split:
		plan, err = c.beginSplit(s, balance.Cut{At: p.Cut, Share: p.Share}, cause, p.Why)
	case balance.Merge:
		plan, err = c.beginMerge(s.ID, cause, p.Why)
	}
	return plan, err
}

func (c *Core) beginReorder(p directory.Plan) (directory.Plan, error) {
	e, err := c.dir.Reorder(p.SubRange, p.Chain)
	if err != nil {
		return p, err
	}
	c.take(e)
	return c.begin(p)
}

// proposed is a proposal as a plan that has not begun.
func proposed(p balance.Proposal) directory.Plan {
	plan := directory.Plan{SubRange: p.SubRange, Other: p.Other, From: p.From, To: p.To,
		Chain: p.Chain, Cut: p.Cut, Why: p.Why, Cause: directory.CauseBalancer}
	switch p.Kind {
	case balance.Reorder:
		plan.Kind = directory.PlanReorder
	case balance.Move:
		plan.Kind = directory.PlanMove
	case balance.Split:
		plan.Kind = directory.PlanSplit
	case balance.Merge:
		plan.Kind = directory.PlanMerge
	}
	return plan
}

// Rebalance returns what the balancer would do now, without waiting for a load to last, and unless
// dryRun is set begins it. The reasons say for each plan what it is good for, and at the end why
// nothing more is done.
func (c *Core) Rebalance(now time.Duration, dryRun bool) (plans []directory.Plan, reasons []string) {
	c.at(now)
	running := len(c.dir.Plans())
	for _, p := range c.balancer.Now(c.look()) {
		plan := proposed(p)
		why := fmt.Sprintf("%s (busiest node: %.2f of the average, then %.2f)", p.Why, p.Before,
			p.After)
		if !dryRun {
			begun, err := c.carryOut(p, directory.CauseOperator)
			if err != nil {
				reasons = append(reasons, fmt.Sprintf("%s: not now: %v", why, err))
				continue
			}
			plan = begun
		}
		plans, reasons = append(plans, plan), append(reasons, why)
	}
	if limit := c.balancer.Config().Plans; running+len(plans) >= limit {
		reasons = append(reasons, fmt.Sprintf("no more than %d plans are carried out at a time", limit))
	} else {
		reasons = append(reasons, "nothing else would be better by more than it costs")
	}
	if c.cfg.Policy.NoBalance {
		reasons = append(reasons, "the balancer is switched off and does nothing by itself")
	}
	return plans, reasons
}

// Counted takes the counters of one switch, as they were read at one time.
func (c *Core) Counted(now time.Duration, name string, counts []balance.Count) {
	c.at(now)
	fresh := make(map[kv.SubRangeID]bool)
	for _, n := range counts {
		if s, ok := c.dir.SubRange(n.SubRange); ok {
			fresh[s.ID] = s.Epoch == 1 // the first use of the id
		}
	}
	c.meter.Observe(now, name, counts, fresh)
}

// Load returns what a sub-range is asked for.
func (c *Core) Load(id kv.SubRangeID) balance.Load { return c.meter.Of(id) }

// cut chooses where to split a sub-range: so that both parts are asked for as often, or in the
// middle when hardly anybody asks.
func (c *Core) cut(s directory.SubRange) (balance.Cut, error) {
	cut, err := balance.FindCut(s.Interval, c.samples.Of(s.ID))
	if errors.Is(err, balance.ErrFewSamples) {
		if middle, ok := balance.Middle(s.Interval); ok {
			return middle, nil
		}
	}
	if err != nil {
		return cut, fmt.Errorf("split of %v: %w: %v; name a cut", s.ID, directory.ErrNotFit, err)
	}
	return cut, nil
}

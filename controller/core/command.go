package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/balance"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// CreateKeyspace places a new keyspace and assigns its sub-ranges to their members.
func (c *Core) CreateKeyspace(now time.Duration, k directory.CreateKeyspace,
) (directory.Keyspace, error) {
	c.at(now)
	made, e, err := c.dir.CreateKeyspace(k)
	if err != nil {
		return directory.Keyspace{}, err
	}
	c.take(e)
	return made, nil
}

// DropKeyspace begins to drop a keyspace.
func (c *Core) DropKeyspace(now time.Duration, name string) error {
	c.at(now)
	e, err := c.dir.DropKeyspace(name)
	if err != nil {
		return err
	}
	c.take(e)
	return nil
}

// Drain begins to move everything away from a node. ErrNodes: a keyspace would not have as many
// nodes as it needs.
func (c *Core) Drain(now time.Duration, node kv.NodeID) error {
	c.at(now)
	if err := c.spare(node); err != nil {
		return err
	}
	e, err := c.dir.SetDraining(node, true)
	if err != nil {
		return err
	}
	c.take(e)
	c.tell(Event{Kind: NodeDraining, Node: node})
	return nil
}

// spare tells why a node cannot be done without.
func (c *Core) spare(node kv.NodeID) error {
	for _, k := range c.dir.Keyspaces() {
		others := 0
		for _, n := range c.dir.Nodes() {
			if n.ID != node && !n.Draining && !c.failed(n.ID) &&
				(n.Persistent || k.Durability == kv.DurabilityMemory) {
				others++
			}
		}
		if others < k.Replication && k.Phase != directory.PhaseDropping {
			return fmt.Errorf("drain of %v: %w: keyspace %q needs %d nodes, there are %d others",
				node, directory.ErrNodes, k.Name, k.Replication, others)
		}
	}
	return nil
}

// Admit makes a draining node an ordinary one again. Moves away from it are given up.
func (c *Core) Admit(now time.Duration, node kv.NodeID) error {
	c.at(now)
	e, err := c.dir.SetDraining(node, false)
	if err != nil {
		return err
	}
	c.take(e)
	c.tell(Event{Kind: NodeAdmitted, Node: node})
	for _, p := range c.dir.Plans() {
		if p.Cause == directory.CauseDrain && p.From == node && p.Step == stepJoin {
			c.abort(p, fmt.Sprintf("node %v stays", node))
		}
	}
	return nil
}

// Forget takes a node that is away and carries nothing out of the directory.
func (c *Core) Forget(now time.Duration, node kv.NodeID) error {
	c.at(now)
	e, err := c.dir.Forget(node)
	if err != nil {
		return err
	}
	c.take(e)
	c.health.Untrack(node)
	delete(c.reports, node)
	c.tell(Event{Kind: NodeForgotten, Node: node})
	return nil
}

// Move begins to give the place of one member to another node. from 0: nobody leaves, the chain
// grows; to 0: chosen here. ErrBusy: another plan changes the sub-range. ErrNotFit: from is no
// member, or to cannot be one.
func (c *Core) Move(now time.Duration, id kv.SubRangeID, from, to kv.NodeID,
) (directory.Plan, error) {
	c.at(now)
	s, err := c.free(id)
	if err != nil {
		return directory.Plan{}, err
	}
	if from != 0 && s.Chain.Position(from) < 0 {
		return directory.Plan{}, fmt.Errorf("move of %v: %w: %v is none of the members %v", id,
			directory.ErrNotFit, from, s.Chain)
	}
	if from == 0 && len(s.Chain) == kv.MaxChain {
		return directory.Plan{}, fmt.Errorf("move of %v: %w: %d members are the most", id,
			directory.ErrNotFit, kv.MaxChain)
	}
	if to == 0 {
		if to = c.pick(s, from); to == 0 {
			return directory.Plan{}, fmt.Errorf("move of %v: %w: no node can take it now", id,
				directory.ErrNodes)
		}
	} else if h := c.health.Status(to); !c.alive(to) {
		return directory.Plan{}, fmt.Errorf("move of %v: %w: node %v is %v", id,
			directory.ErrNotFit, to, h.State)
	}
	return c.beginJoin(directory.Plan{Kind: directory.PlanMove, SubRange: id, From: from, To: to,
		Cause: directory.CauseOperator, Why: "asked for"}, s)
}

// free returns a sub-range that no plan is about.
func (c *Core) free(id kv.SubRangeID) (directory.SubRange, error) {
	s, ok := c.dir.SubRange(id)
	if !ok {
		return s, fmt.Errorf("%v: %w", id, directory.ErrNotFound)
	}
	if p, busy := c.dir.PlanOf(id); busy {
		return s, fmt.Errorf("%v: %w: plan %d (%s)", id, directory.ErrBusy, p.ID, describePlan(p))
	}
	return s, nil
}

// Split begins to cut a sub-range in two. at is the first index key of the upper half; the zero key
// stands for the median of the requests.
func (c *Core) Split(now time.Duration, id kv.SubRangeID, at kv.IndexKey) (directory.Plan, error) {
	c.at(now)
	s, err := c.free(id)
	if err != nil {
		return directory.Plan{}, err
	}
	cut := balance.Cut{At: at, Share: 0.5}
	if at == (kv.IndexKey{}) {
		if cut, err = c.cut(s); err != nil {
			return directory.Plan{}, err
		}
	}
	return c.beginSplit(s, cut, directory.CauseOperator, "asked for")
}

func (c *Core) beginSplit(s directory.SubRange, cut balance.Cut, cause directory.Cause, why string,
) (directory.Plan, error) {
	other, e, err := c.dir.Split(s.ID, cut.At)
	if err != nil {
		return directory.Plan{}, err
	}
	c.take(e)
	c.meter.Split(c.now, s.ID, other, cut.Share)
	c.samples.Split(s.ID, other, cut.At)
	return c.begin(directory.Plan{Kind: directory.PlanSplit, SubRange: s.ID, Other: other,
		Cut: cut.At, Step: stepSettle, Cause: cause, Why: why})
}

// Merge begins to make a sub-range and its upper neighbour one.
func (c *Core) Merge(now time.Duration, id kv.SubRangeID) (directory.Plan, error) {
	c.at(now)
	return c.beginMerge(id, directory.CauseOperator, "asked for")
}

func (c *Core) beginMerge(id kv.SubRangeID, cause directory.Cause, why string,
) (directory.Plan, error) {
	left, err := c.free(id)
	if err != nil {
		return directory.Plan{}, err
	}
	next := c.upper(left)
	if next == 0 {
		return directory.Plan{}, fmt.Errorf("merge of %v: %w: it has no upper neighbour", id,
			directory.ErrNotFit)
	}
	right, err := c.free(next)
	if err != nil {
		return directory.Plan{}, err
	}
	if !c.dir.Settled(left.ID) || !c.dir.Settled(right.ID) {
		return directory.Plan{}, fmt.Errorf("merge of %v and %v: %w: not confirmed by all", id,
			right.ID, directory.ErrBusy)
	}
	p, err := c.begin(directory.Plan{Kind: directory.PlanMerge, SubRange: id, Other: right.ID,
		Step: stepOrder, Cause: cause, Why: why})
	return p, err
}

// upper returns the neighbour above, 0 if there is none.
func (c *Core) upper(s directory.SubRange) kv.SubRangeID {
	all := c.dir.SubRangesOf(s.Keyspace)
	at := slices.IndexFunc(all, func(o directory.SubRange) bool { return o.ID == s.ID })
	if at < 0 || at+1 == len(all) {
		return 0
	}
	return all[at+1].ID
}

package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/antihax/optional"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/kv"
)

// The kinds of plans.
const (
	PlanRepair  = "repair"  // restores the number of replicas
	PlanMove    = "move"    // a member gives its place to another node
	PlanReorder = "reorder" // the same members in another order
	PlanSplit   = "split"
	PlanMerge   = "merge"
)

// Plan is one change that the controller carries out in steps.
type Plan struct {
	ID       uint64 // 0: only proposed
	Kind     string // one of the kinds above
	SubRange kv.SubRangeID
	Other    kv.SubRangeID // that a split makes or a merge absorbs; 0: none
	From     kv.NodeID     // member that leaves; 0: none
	To       kv.NodeID     // node that joins; 0: none
	Cut      kv.IndexKey   // of a split: first index key of the upper half
	Step     string        // what is being waited for, in a word
	Progress float64       // 0 to 1
	Why      string        // in words
	Began    time.Time     // zero: it has not begun
}

// Drain begins to move everything away from a node, which gets nothing new. It returns at once;
// Status shows the plans and the state of the node.
func (c *Client) Drain(ctx context.Context, node kv.NodeID) error {
	_, err := c.rpc.Drain(ctx, &adminpb.NodeRequest{Node: uint32(node)})
	return reason(err)
}

// Admit makes a node that is being drained an ordinary one again.
func (c *Client) Admit(ctx context.Context, node kv.NodeID) error {
	_, err := c.rpc.Admit(ctx, &adminpb.NodeRequest{Node: uint32(node)})
	return reason(err)
}

// Forget takes a node that is away and carries nothing out of the directory.
func (c *Client) Forget(ctx context.Context, node kv.NodeID) error {
	_, err := c.rpc.Forget(ctx, &adminpb.NodeRequest{Node: uint32(node)})
	return reason(err)
}

// MoveOpts are the optional fields of Move, of which one must be set.
type MoveOpts struct {
	// From is the member that leaves (a kv.NodeID). Without it none leaves, and the chain grows.
	From optional.Uint32
	// To is the node that joins (a kv.NodeID). Without it the controller chooses.
	To optional.Uint32
}

// Move begins to replace a member of a chain. The plan goes on after the call.
func (c *Client) Move(ctx context.Context, id kv.SubRangeID, opts *MoveOpts) (Plan, error) {
	if opts == nil {
		opts = &MoveOpts{}
	}
	return planned(c.rpc.Move(ctx, &adminpb.MoveRequest{
		SubRange: uint32(id), From: opts.From.Value(), To: opts.To.Value(),
	}))
}

// SplitOpts are the optional fields of Split. A nil *SplitOpts sets none.
type SplitOpts struct {
	// At is the first index key of the upper half (a kv.IndexKey). Without it the controller cuts
	// at the median of the load.
	At optional.Interface
}

// Split begins to cut a sub-range in two. The plan goes on after the call.
func (c *Client) Split(ctx context.Context, id kv.SubRangeID, opts *SplitOpts) (Plan, error) {
	m := &adminpb.SplitRequest{SubRange: uint32(id)}
	if opts != nil && opts.At.IsSet() {
		at, ok := opts.At.Value().(kv.IndexKey)
		if !ok {
			return Plan{}, fmt.Errorf("split of %v: %w: At is a %T: must be a kv.IndexKey", id,
				ErrInvalid, opts.At.Value())
		}
		m.At = at[:]
	}
	return planned(c.rpc.Split(ctx, m))
}

// Merge begins to join a sub-range with its upper neighbour. The plan goes on after the call.
func (c *Client) Merge(ctx context.Context, id kv.SubRangeID) (Plan, error) {
	return planned(c.rpc.Merge(ctx, &adminpb.MergeRequest{SubRange: uint32(id)}))
}

// RebalanceOpts are the optional fields of Rebalance. A nil *RebalanceOpts sets none.
type RebalanceOpts struct {
	// DryRun only tells what would be done.
	DryRun optional.Bool
}

// Balance is what the balancer does now, or would do.
type Balance struct {
	Plans   []Plan   // in the order in which they are done
	Reasons []string // the load before and after, and why nothing more is done, in words
}

// Rebalance makes the balancer act at once instead of when it next looks.
func (c *Client) Rebalance(ctx context.Context, opts *RebalanceOpts) (Balance, error) {
	m := &adminpb.RebalanceRequest{}
	if opts != nil {
		m.DryRun = opts.DryRun.Value()
	}
	reply, err := c.rpc.Rebalance(ctx, m)
	if err != nil {
		return Balance{}, reason(err)
	}
	return Balance{Plans: plansOf(reply.GetPlans()), Reasons: reply.GetReasons()}, nil
}

func planned(m *adminpb.Plan, err error) (Plan, error) {
	if err != nil {
		return Plan{}, reason(err)
	}
	return planOf(m), nil
}

func planOf(m *adminpb.Plan) Plan {
	p := Plan{
		ID: m.GetId(), Kind: m.GetKind(), SubRange: kv.SubRangeID(m.GetSubRange()),
		Other: kv.SubRangeID(m.GetOther()), From: kv.NodeID(m.GetFrom()), To: kv.NodeID(m.GetTo()),
		Step: m.GetStep(), Progress: m.GetProgress(), Why: m.GetWhy(), Began: moment(m.GetBeganUnixMs()),
	}
	copy(p.Cut[:], m.GetCut())
	return p
}

func plansOf(all []*adminpb.Plan) (out []Plan) {
	for _, m := range all {
		out = append(out, planOf(m))
	}
	return out
}

// moment returns the time of a field in Unix milliseconds, of which 0 means none.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

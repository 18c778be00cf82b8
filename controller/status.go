package controller

import (
	"context"
	"fmt"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/directory/placement"
	"github.com/turbokv/turbokv/kv"
)

// status answers an operator. It runs in the loop.
func (a *adminService) status() *adminpb.StatusResponse {
	l := a.loop
	view := l.core.View()
	out := &adminpb.StatusResponse{
		ClusterId: l.core.ClusterID(), Keyspaces: keyspaceMessages(view), Problems: a.problems(),
		TimeUnixMs: l.began.Add(l.now()).UnixMilli(), Controller: a.name, Term: a.term,
		JoinedBytes: l.core.JoinedBytes(), Links: l.network.linkMessages(),
	}
	for _, sw := range a.switches {
		out.Switches = append(out.Switches, l.switchMessage(sw, view))
	}
	busy := l.core.NodeLoads()
	loads := view.Loads()
	for _, n := range view.Nodes() {
		out.Nodes = append(out.Nodes, l.nodeMessage(n, view.Online[n.ID], loads[n.ID], busy[n.ID]))
	}
	for _, r := range view.SubRanges() {
		out.SubRanges = append(out.SubRanges, l.subRangeMessage(r, view))
	}
	for _, p := range view.Plans() {
		out.Plans = append(out.Plans, planMessage(p, l.core.Progress(p)))
	}
	return out
}

func (l *loop) nodeMessage(n directory.Node, online bool, carried placement.Load,
	busy core.NodeLoad,
) *adminpb.Node {
	state := l.core.NodeState(l.now(), n)
	age := int64(-1)
	if state.ReportAge >= 0 {
		age = state.ReportAge.Milliseconds()
	}
	return &adminpb.Node{
		Id: uint32(n.ID), Mac: n.MAC.String(), SwitchName: n.Switch, Port: n.Port,
		Persistent: n.Persistent, Online: online, Incarnation: n.Incarnation,
		Replicas: uint32(carried.Replicas), Heads: uint32(carried.Heads),
		Tails: uint32(carried.Tails), ReportAgeMs: age,
		State: state.State, Cpu: state.CPU, Bytes: state.Bytes, Joining: uint32(state.Joining),
		ReadRate: busy.Reads, WriteRate: busy.Writes, Load: busy.Ratio,
	}
}

func planMessage(p directory.Plan, progress float64) *adminpb.Plan {
	m := &adminpb.Plan{
		Id: p.ID, Kind: string(p.Kind), SubRange: uint32(p.SubRange), Other: uint32(p.Other),
		From: uint32(p.From), To: uint32(p.To), Step: p.Step, Progress: progress, Why: p.Why,
		BeganUnixMs: p.BeganUnixMS,
	}
	if p.Kind == directory.PlanSplit {
		m.Cut = p.Cut[:]
	}
	return m
}

func (l *loop) switchMessage(sw Switch, view directory.View) *adminpb.Switch {
	s := l.switches[sw.Name]
	m := &adminpb.Switch{
		Name: sw.Name, Target: sw.Target, Primary: s.primary,
		Synced: s.primary && s.revision >= view.Revision,
		Level:  uint32(l.network.cfg.level(sw.Name)), Revision: s.revision,
		Carrier: l.network.link != nil && l.network.carriedAt() == sw.Name,
		Entries: uint32(s.entries), PartitionEntries: uint32(s.rows.Partition),
		SubRangeEntries: uint32(s.rows.SubRanges),
		Hosts:           uint32(s.hosts), Updates: s.updates, PipelinePushes: s.pushes, Drops: s.drops,
	}
	if s.err != nil {
		m.Error = s.err.Error()
	}
	return m
}

// linkMessages returns the links between switches.
func (n *network) linkMessages() (out []*adminpb.Link) {
	if n.links == nil {
		return nil
	}
	for _, s := range n.links.States() {
		l := n.cfg.Topology.Links[s.Link]
		m := &adminpb.Link{A: l.A.String(), B: l.B.String(), Up: s.Up, Why: s.Why}
		if s.Since > 0 {
			m.SinceUnixMs = n.loop.began.Add(s.Since).UnixMilli()
		}
		out = append(out, m)
	}
	return out
}

// Index implements adminpb.AdminServer.
func (a *adminService) Index(context.Context, *adminpb.IndexRequest) (*adminpb.IndexResponse, error) {
	view, how, _ := a.loop.wanted()
	cost := dataplane.CostOf(view, how.fabric)
	out := &adminpb.IndexResponse{FlatPartitionEntries: uint32(cost.Flat.Partition),
		FlatSubRangeEntries: uint32(cost.Flat.SubRanges)}
	for _, l := range cost.Levels {
		out.Levels = append(out.Levels, &adminpb.IndexLevel{
			Level: uint32(l.Level), Switches: uint32(l.Switches),
			PartitionEntries: spreadMessage(l.Partition), SubRangeEntries: spreadMessage(l.SubRanges),
		})
	}
	return out, nil
}

func spreadMessage(s dataplane.Spread) *adminpb.IndexSpread {
	return &adminpb.IndexSpread{Min: uint32(s.Min), Max: uint32(s.Max), Average: s.Avg}
}

func (l *loop) subRangeMessage(r directory.SubRange, view directory.View) *adminpb.SubRange {
	load := l.core.Load(r.ID)
	plan, _ := view.PlanOf(r.ID)
	state, why := l.core.StateOf(r)
	return &adminpb.SubRange{
		Id: uint32(r.ID), Keyspace: uint32(r.Keyspace), Epoch: uint32(r.Epoch),
		FirstIndexKey: r.Interval.First[:], LastIndexKey: r.Interval.Last[:],
		Chain: ids(r.Chain), Prefixes: uint32(len(r.Interval.Cover())),
		State: string(state), Why: why,
		Reads: load.Reads, Writes: load.Writes, ReadRate: load.ReadRate, WriteRate: load.WriteRate,
		Learner: uint32(r.Learner), Plan: plan.ID,
		Unacknowledged: ids(r.Unacknowledged()), LostOn: ids(l.core.LostOn(r)),
	}
}

func ids(nodes []kv.NodeID) []uint32 {
	out := make([]uint32, len(nodes))
	for i, n := range nodes {
		out[i] = uint32(n)
	}
	return out
}

// problems tells of links that do not work.
func (n *network) problems() (out []string) {
	for _, l := range n.linkMessages() {
		if !l.GetUp() {
			out = append(out, fmt.Sprintf("link %s to %s is down: %s", l.GetA(), l.GetB(), l.GetWhy()))
		}
	}
	return out
}

// problems says in words what needs an operator.
func (a *adminService) problems() []string {
	l := a.loop
	var out []string
	for _, sw := range a.switches {
		switch s := l.switches[sw.Name]; {
		case !s.primary && s.err != nil:
			out = append(out, fmt.Sprintf("switch %q at %s is out of reach: %v", sw.Name, sw.Target,
				s.err))
		case !s.primary:
			out = append(out, fmt.Sprintf("switch %q at %s is not under control of this controller",
				sw.Name, sw.Target))
		}
	}
	out = append(out, l.network.problems()...)
	out = append(out, l.core.Problems()...)
	for id, err := range l.failures {
		out = append(out, fmt.Sprintf("keyspace %d cannot be published: %v", id, err))
	}
	return out
}

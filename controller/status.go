package controller

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// States of a sub-range as operators see them.
const (
	stateCreating = "creating" // not all members have acknowledged it yet
	stateServing  = "serving"
	stateDegraded = "degraded" // a member is away or recovering: what needs it waits
	stateLost     = "lost"     // a member has lost its replica: the chain refuses
)

// status answers an operator. It runs in the loop.
func (a *adminService) status() *adminpb.StatusResponse {
	l := a.loop
	view := l.dir.View()
	out := &adminpb.StatusResponse{
		ClusterId: l.dir.ClusterID(), Keyspaces: keyspaceMessages(view), Problems: a.problems(view),
	}
	for _, sw := range a.switches {
		out.Switches = append(out.Switches, l.switchMessage(sw, view))
	}
	loads := view.Loads()
	for _, n := range view.Nodes() {
		age := int64(-1)
		if r, ok := l.reports[n.ID]; ok {
			age = (l.now() - r.at).Milliseconds()
		}
		carried := loads[n.ID]
		out.Nodes = append(out.Nodes, &adminpb.Node{
			Id: uint32(n.ID), Mac: n.MAC.String(), SwitchName: n.Switch, Port: n.Port,
			Persistent: n.Persistent, Online: view.Online[n.ID], Incarnation: n.Incarnation,
			Replicas: uint32(carried.Replicas), Heads: uint32(carried.Heads),
			Tails: uint32(carried.Tails), ReportAgeMs: age,
		})
	}
	for _, r := range view.SubRanges() {
		out.SubRanges = append(out.SubRanges, l.subRangeMessage(r, view))
	}
	return out
}

func (l *loop) switchMessage(sw Switch, view directory.View) *adminpb.Switch {
	s := l.switches[sw.Name]
	m := &adminpb.Switch{
		Name: sw.Name, Target: sw.Target, Primary: s.primary,
		Synced:  s.primary && s.revision >= view.Revision,
		Entries: uint32(s.entries), PartitionEntries: uint32(view.PartitionEntries()),
		Hosts: uint32(s.hosts), Updates: s.updates, PipelinePushes: s.pushes, Drops: s.drops,
	}
	if s.err != nil {
		m.Error = s.err.Error()
	}
	return m
}

func (l *loop) subRangeMessage(r directory.SubRange, view directory.View) *adminpb.SubRange {
	load := l.load.of(r.ID)
	return &adminpb.SubRange{
		Id: uint32(r.ID), Keyspace: uint32(r.Keyspace), Epoch: uint32(r.Epoch),
		FirstIndexKey: r.Interval.First[:], LastIndexKey: r.Interval.Last[:],
		Chain: ids(r.Chain), State: l.stateOf(r, view), Prefixes: uint32(len(r.Interval.Cover())),
		Reads: load.reads, Writes: load.writes, ReadRate: load.readRate, WriteRate: load.writeRate,
		Unacknowledged: ids(unacknowledged(r)), LostOn: ids(l.lostOn(r)),
	}
}

func (l *loop) stateOf(r directory.SubRange, view directory.View) string {
	switch {
	case !r.Created:
		return stateCreating
	case len(l.lostOn(r)) > 0:
		return stateLost
	}
	for _, n := range r.Chain {
		if !view.Online[n] || l.reports[n].states[r.ID].GetRecovering() {
			return stateDegraded
		}
	}
	return stateServing
}

func unacknowledged(r directory.SubRange) []kv.NodeID {
	return slices.DeleteFunc(slices.Clone(r.Chain), func(n kv.NodeID) bool {
		return slices.Contains(r.Acked, n)
	})
}

func ids(nodes []kv.NodeID) []uint32 {
	out := make([]uint32, len(nodes))
	for i, n := range nodes {
		out[i] = uint32(n)
	}
	return out
}

// problems says in words what needs an operator.
func (a *adminService) problems(view directory.View) (out []string) {
	l := a.loop
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if system, ok := view.Keyspace(kv.SystemKeyspace); !ok {
		say("waiting for nodes: %d of %d have connected", len(view.Online), max(a.expect, 1))
	} else if system.Durability == kv.DurabilityMemory {
		say("the system keyspace is in memory: too few nodes had a persistent engine at the start")
	}
	for _, sw := range a.switches {
		switch s := l.switches[sw.Name]; {
		case !s.primary && s.err != nil:
			say("switch %q at %s is out of reach: %v", sw.Name, sw.Target, s.err)
		case !s.primary:
			say("switch %q at %s is not under control of this controller", sw.Name, sw.Target)
		}
	}
	for _, n := range view.Nodes() {
		if !view.Online[n.ID] {
			say("node %v has no session", n.ID)
		}
	}
	for _, r := range view.SubRanges() {
		if lost := l.lostOn(r); len(lost) > 0 {
			say("STATE LOST: %v of keyspace %d on %v", r.ID, r.Keyspace, lost)
		}
	}
	return append(out, l.failed(view)...)
}

// failed tells what nodes refuse and what could not be published, and forgets what is over.
func (l *loop) failed(view directory.View) (out []string) {
	for at, why := range l.refusals {
		if _, ok := view.SubRange(at.subRange); !ok {
			delete(l.refusals, at)
			continue
		}
		out = append(out, fmt.Sprintf("node %v refuses %v: %s", at.node, at.subRange, why))
	}
	for id, err := range l.failures {
		out = append(out, fmt.Sprintf("keyspace %d cannot be published: %v", id, err))
	}
	slices.Sort(out)
	return out
}

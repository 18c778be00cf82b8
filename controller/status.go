package controller

import (
	"fmt"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// status answers an operator. It runs in the loop.
func (a *adminService) status() *adminpb.StatusResponse {
	l := a.loop
	view, now := l.core.View(), l.now()
	out := &adminpb.StatusResponse{
		ClusterId: l.core.ClusterID(), Keyspaces: keyspaceMessages(view), Problems: a.problems(),
		TimeUnixMs: l.began.Add(now).UnixMilli(),
	}
	for _, sw := range a.switches {
		out.Switches = append(out.Switches, l.switchMessage(sw, view))
	}
	loads := view.Loads()
	for _, n := range view.Nodes() {
		age := int64(-1)
		if since := l.core.ReportAge(now, n.ID); since >= 0 {
			age = since.Milliseconds()
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
		out.SubRanges = append(out.SubRanges, l.subRangeMessage(r))
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

func (l *loop) subRangeMessage(r directory.SubRange) *adminpb.SubRange {
	load := l.load.of(r.ID)
	state, why := l.core.StateOf(r)
	return &adminpb.SubRange{
		Id: uint32(r.ID), Keyspace: uint32(r.Keyspace), Epoch: uint32(r.Epoch),
		FirstIndexKey: r.Interval.First[:], LastIndexKey: r.Interval.Last[:],
		Chain: ids(r.Chain), Prefixes: uint32(len(r.Interval.Cover())),
		State: string(state), Why: why,
		Reads: load.reads, Writes: load.writes, ReadRate: load.readRate, WriteRate: load.writeRate,
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
	out = append(out, l.core.Problems()...)
	for id, err := range l.failures {
		out = append(out, fmt.Sprintf("keyspace %d cannot be published: %v", id, err))
	}
	return out
}

package admintest

import (
	"time"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/kv"
)

// Began is the time of Cluster.
var Began = time.Date(2026, time.March, 1, 2, 30, 0, 0, time.UTC)

// Node returns the id of node n of Cluster, 1 to 5: 10.0.0.n.
func Node(n int) uint32 { return 10<<24 | uint32(n) }

// Cluster describes five healthy nodes behind one switch, with the system keyspace and a keyspace
// "users" of four sub-ranges, ids 1 to 5, three replicas each.
func Cluster() *adminpb.StatusResponse {
	c := &adminpb.StatusResponse{
		JoinedBytes: 4096,
		ClusterId:   "EXAMPLE", Controller: "controller-1", Term: 3, TimeUnixMs: Began.UnixMilli(),
		Switches: []*adminpb.Switch{{
			Name: "s1", Target: "127.0.0.1:9559", Primary: true, Synced: true, Entries: 31,
			PartitionEntries: 5, SubRangeEntries: 5, Revision: 12, Carrier: true, Hosts: 2, Updates: 40, PipelinePushes: 1,
			Drops: map[string]uint64{"no route": 7},
		}},
		Keyspaces: []*adminpb.Keyspace{
			{Name: "system", Partitioner: uint32(kv.RangePartitioned),
				Durability: uint32(kv.DurabilitySync), Replication: 3, SubRanges: 1, Phase: "ready"},
			{Id: 1, Name: "users", Partitioner: uint32(kv.RangePartitioned),
				Durability: uint32(kv.DurabilitySync), Replication: 3, SubRanges: 4, Phase: "ready"},
		},
	}
	c.SubRanges = append(c.SubRanges, subRange(1, 0, kv.FullInterval))
	for i, part := range kv.EvenSplit(4) {
		c.SubRanges = append(c.SubRanges, subRange(uint32(i)+2, 1, part))
	}
	for n := 1; n <= 5; n++ {
		c.Nodes = append(c.Nodes, node(n, c.SubRanges))
	}
	return c
}

// Index is what the index of a tree of five switches takes.
func Index() *adminpb.IndexResponse {
	return &adminpb.IndexResponse{FlatPartitionEntries: 64, FlatSubRangeEntries: 48,
		Levels: []*adminpb.IndexLevel{
			{Switches: 3, PartitionEntries: &adminpb.IndexSpread{Min: 21, Max: 24, Average: 22.5},
				SubRangeEntries: &adminpb.IndexSpread{Min: 15, Max: 17, Average: 16}},
			{Level: 1, Switches: 2, PartitionEntries: &adminpb.IndexSpread{Min: 4, Max: 4, Average: 4},
				SubRangeEntries: &adminpb.IndexSpread{}},
		}}
}

// subRange gives a sub-range a chain of the three nodes from its own number on.
func subRange(id, keyspace uint32, i kv.Interval) *adminpb.SubRange {
	r := &adminpb.SubRange{
		Id: id, Keyspace: keyspace, FirstIndexKey: i.First[:], LastIndexKey: i.Last[:], Epoch: 1,
		State: "serving", Prefixes: 1, Reads: uint64(id) * 1000, Writes: uint64(id) * 100,
		ReadRate: float64(id) * 50, WriteRate: float64(id) * 5,
	}
	for k := range 3 {
		r.Chain = append(r.Chain, Node((int(id)-1+k)%5+1))
	}
	return r
}

// node counts what a node carries.
func node(n int, all []*adminpb.SubRange) *adminpb.Node {
	out := &adminpb.Node{
		Id: Node(n), Mac: "02:00:0a:00:00:01", SwitchName: "s1", Port: uint32(n), Persistent: true,
		Online: true, Incarnation: 1, ReportAgeMs: 120, State: "alive", Load: 1, Cpu: 0.25,
		Bytes: 5 << 20,
	}
	for _, r := range all {
		for k, member := range r.GetChain() {
			if member != out.GetId() {
				continue
			}
			out.Replicas++
			switch k {
			case 0:
				out.Heads++
				out.WriteRate += r.GetWriteRate()
			case len(r.GetChain()) - 1:
				out.Tails++
				out.ReadRate += r.GetReadRate()
			}
		}
	}
	return out
}

package core_test

import (
	"testing"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// quiet returns a core with so many nodes and sub-ranges, all confirmed and reported.
func quiet(b *testing.B, nodes, subRanges int) (*core.Core, []core.Report) {
	c, err := core.New(core.Config{Directory: directory.Config{Switches: []string{"s1"},
		Limits: directory.Limits{SubRanges: 70000, PartitionEntries: 200000}, ExpectNodes: nodes}},
		directory.Snapshot{Meta: directory.Meta{ClusterID: "c"}})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Duration(0)
	drain := func() {
		for e := c.Take(); len(e.Changes) > 0; e = c.Take() {
			var acks []directory.Ack
			for _, s := range e.Sends {
				acks = append(acks, directory.Ack{Node: s.To, SubRange: s.Assign.SubRange,
					Epoch: s.Assign.Epoch})
			}
			c.Acked(now, acks)
			c.SwitchSynced(now, "s1", c.Revision())
			for _, p := range e.Publications {
				c.Published(now, p)
			}
		}
	}
	for i := range nodes {
		if err := c.Hello(now, directory.Hello{Node: directory.Node{ID: kv.NodeID(0x0a000001 + i),
			MAC: wire.MAC{2, byte(i >> 8), byte(i)}, Port: 1, Persistent: true, Incarnation: 1}}); err != nil {
			b.Fatal(err)
		}
	}
	drain()
	if _, err := c.CreateKeyspace(now, directory.CreateKeyspace{Name: "users",
		Partitioner: kv.HashPartitioned, Durability: kv.DurabilitySync, Replication: 3,
		SubRanges: subRanges}); err != nil {
		b.Fatal(err)
	}
	drain()
	reports := make([]core.Report, nodes)
	for _, s := range c.View().SubRanges() {
		for _, n := range s.Chain {
			r := &reports[n-0x0a000001]
			r.Replicas = append(r.Replicas, core.Replica{SubRange: s.ID, Epoch: s.Epoch})
		}
	}
	for i, r := range reports {
		c.Reported(now, kv.NodeID(0x0a000001+i), r)
	}
	drain()
	return c, reports
}

// BenchmarkBeat is what a node costs ten times per second.
func BenchmarkBeat(b *testing.B) {
	c, _ := quiet(b, 100, 4096)
	for b.Loop() {
		c.Beat(0, 0x0a000001)
		c.Take()
	}
}

// BenchmarkReport is what a node of 123 replicas costs every second.
func BenchmarkReport(b *testing.B) {
	c, reports := quiet(b, 100, 4096)
	for b.Loop() {
		c.Reported(0, 0x0a000001, reports[0])
		c.Take()
	}
}

// BenchmarkStep looks at all 4096 sub-ranges once, as after a change.
func BenchmarkStep(b *testing.B) {
	c, reports := quiet(b, 100, 4096)
	other := reports[0]
	other.Replicas = append([]core.Replica(nil), other.Replicas...)
	other.Replicas[0].Recovering = true
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			c.Reported(0, 0x0a000001, other)
		} else {
			c.Reported(0, 0x0a000001, reports[0])
		}
		c.Take()
	}
}

// BenchmarkBalance is the look of the balancer at a cluster without load, every second.
func BenchmarkBalance(b *testing.B) {
	c, _ := quiet(b, 100, 4096)
	now := time.Duration(0)
	for b.Loop() {
		now += time.Second
		for i := range 100 {
			c.Beat(now, kv.NodeID(0x0a000001+i))
		}
		c.Tick(now)
		c.Take()
	}
}

package balance

import (
	"testing"

	"github.com/turbokv/turbokv/kv"
)

func TestRepairsOfADeadNodeSpread(t *testing.T) {
	c := newCluster(t, 10, newWorkload(20000, 10000, 1000, even, hashed))
	c.cut(200, round(10, 3))
	c.run(20)
	c.nodes[0].Alive = false
	c.nodes[1].Draining = true
	in := c.input()
	targets := NewTargets(Config{}, in)
	got := map[kv.NodeID]int{}
	for _, s := range in.SubRanges {
		if s.Chain.Position(1) < 0 {
			continue
		}
		to, why, ok := targets.Pick(s.ID, 1)
		if !ok || why == "" || s.Chain.Position(to) >= 0 || to <= 2 {
			t.Fatalf("%v of chain %v: %v %q", s.ID, s.Chain, to, why)
		}
		got[to]++
	}
	for n := kv.NodeID(3); n <= 10; n++ { // 60 replicas over 8 nodes
		if got[n] < 4 || got[n] > 11 {
			t.Errorf("%v gets %d of 60: %v", n, got[n], got)
		}
	}
}

func TestATargetIsNeverAMember(t *testing.T) {
	c := newCluster(t, 3, newWorkload(10, 0, 0, even, hashed))
	c.cut(1, round(3, 3))
	if to, _, ok := RepairTarget(Config{}, c.input(), 1, 0); ok {
		t.Fatalf("%v is a member already", to)
	}
	c.nodes = append(c.nodes, Node{ID: 4, Alive: true}, Node{ID: 5, Alive: true})
	to, _, ok := RepairTarget(Config{}, c.input(), 1, 1)
	if !ok || to < 4 {
		t.Fatalf("%v %v", to, ok)
	}
	other, _, ok := NewTargets(Config{}, c.input()).Pick(1, 1, to)
	if !ok || other < 4 || other == to {
		t.Fatalf("%v %v: want the other", other, ok)
	}
	if _, _, ok := RepairTarget(Config{}, c.input(), 99, 0); ok {
		t.Fatal("there is no such sub-range")
	}
}

func TestALargerNodeTakesMore(t *testing.T) {
	c := newCluster(t, 3, newWorkload(10, 0, 0, even, hashed))
	c.cut(60, round(1, 1))
	c.nodes[2].Capacity = 3
	targets, got := NewTargets(Config{}, c.input()), map[kv.NodeID]int{}
	for id := range c.pieces {
		to, _, _ := targets.Pick(id, 1)
		got[to]++
	}
	if got[3] < 2*got[2] {
		t.Fatalf("%v: want about three times as many on node 3", got)
	}
}

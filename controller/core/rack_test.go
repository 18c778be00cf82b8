package core_test

import (
	"slices"
	"testing"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// newRacks returns a cluster of so many racks with so many nodes each, and a keyspace.
func newRacks(t *testing.T, racks, each int) *world {
	w := newWorld(t, 1, racks*each, racks, core.Policy{NoBalance: true})
	w.ready()
	w.create("users", kv.DurabilitySync, 3, 12)
	return w
}

func (w *world) at(n kv.NodeID) string {
	node, _ := w.core.View().Node(n)
	return node.Switch
}

// inRack returns the nodes of a switch.
func (w *world) inRack(sw *fakeSwitch) (out []*node) {
	for _, n := range w.nodes {
		if w.at(n.id) == sw.name {
			out = append(out, n)
		}
	}
	return out
}

// cutRack takes a switch out of the network: its nodes keep their sessions and answer no probe.
func (w *world) cutRack(sw *fakeSwitch) {
	w.log("cut %s", sw.name)
	sw.dead = true
	w.loseTheSwitch(sw)
}

func (w *world) mendRack(sw *fakeSwitch) {
	w.log("mend %s", sw.name)
	sw.dead, sw.lost = false, false
	w.did(func() {})
}

// flawed returns the sub-ranges that are in fewer racks than they could be, or whose head and tail are in
// one.
func (w *world) flawed(racks int) (out []directory.SubRange) {
	for _, s := range w.core.View().SubRanges() {
		in := make(map[string]bool)
		for _, n := range s.Chain {
			in[w.at(n)] = true
		}
		if len(in) < min(racks, len(s.Chain)) ||
			len(s.Chain) > 1 && racks > 1 && w.at(s.Chain.Head()) == w.at(s.Chain.Tail()) {
			out = append(out, s)
		}
	}
	return out
}

// TestALostRackIsEvictedRepairedElsewhereAndSpreadAgainWhenItReturns: its nodes keep their sessions.
func TestALostRackIsEvictedRepairedElsewhereAndSpreadAgainWhenItReturns(t *testing.T) {
	w := newRacks(t, 4, 3)
	if bad := w.flawed(4); len(bad) > 0 {
		w.fail("%+v", bad)
	}
	rack := w.inRack(w.sw[1])
	began := w.now
	w.cutRack(w.sw[1])
	gone := func() bool {
		return !slices.ContainsFunc(rack, func(n *node) bool { return w.members(n.id) > 0 })
	}
	if !w.run(4*time.Second, gone) {
		w.fail("members that nobody can reach")
	}
	t.Logf("evicted after %v", w.now-began)
	if w.told[core.RackLost] != 1 || w.told[core.NodeFailed]+w.told[core.NodeSuspected] > 0 {
		w.fail("told %v", w.told)
	}
	w.settle(time.Minute)
	if bad := w.flawed(3); len(bad) > 0 {
		w.fail("repaired to %+v", bad)
	}
	for _, s := range w.core.View().SubRanges() {
		if s.Home == w.sw[1].name || len(s.Stampers) > 1 {
			w.fail("%+v", s)
		}
	}
	w.mendRack(w.sw[1])
	if !w.run(time.Minute, func() bool { return w.told[core.RackReturned] == 1 }) {
		w.fail("told %v", w.told)
	}
	w.settle(time.Minute)
	if bad := w.flawed(4); len(bad) > 0 {
		w.fail("%+v", bad)
	}
}

// TestWithTwoRacksTheOtherCarriesAllUntilTheLostOneReturns, and then each sub-range is in both again.
func TestWithTwoRacksTheOtherCarriesAllUntilTheLostOneReturns(t *testing.T) {
	w := newRacks(t, 2, 4)
	if bad := w.flawed(2); len(bad) > 0 {
		w.fail("%+v", bad)
	}
	w.cutRack(w.sw[0])
	if !w.run(10*time.Second, func() bool { return w.told[core.RackLost] == 1 }) {
		w.fail("told %v", w.told)
	}
	w.settle(time.Minute)
	w.mendRack(w.sw[0])
	if !w.run(2*time.Minute, func() bool { return len(w.flawed(2)) == 0 && w.missing() == "" }) {
		w.fail("%s; %d are not spread: %+v", w.missing(), len(w.flawed(2)), w.flawed(2)[:1])
	}
	w.pass(20 * time.Second)
	if len(w.core.View().Plans()) > 0 || len(w.flawed(2)) > 0 {
		w.fail("it does not come to rest: %+v", w.core.View().Plans())
	}
}

// TestKeyspacesAreCreatedWithoutASwitch that is out of reach, whether it was lost before or goes in the
// middle.
func TestKeyspacesAreCreatedWithoutASwitch(t *testing.T) {
	for _, before := range []bool{true, false} {
		w := newRacks(t, 3, 2)
		sw := w.sw[0]
		sw.lost = true // nothing reaches it from now on
		if before {
			w.loseTheSwitch(sw)
		}
		_, err := w.core.CreateKeyspace(w.now, directory.CreateKeyspace{Name: "more",
			Partitioner: kv.HashPartitioned, Durability: kv.DurabilitySync, SubRanges: 6})
		if err != nil {
			t.Fatal(err)
		}
		w.pass(500 * ms)
		if !before {
			w.loseTheSwitch(sw)
		}
		ready := func() bool {
			k, _ := w.core.View().KeyspaceNamed("more")
			return k.Phase == directory.PhaseReady
		}
		if !w.run(10*time.Second, ready) {
			w.fail("lost before %v: %+v", before, w.core.View().SubRanges())
		}
		sw.lost = false
		w.did(func() {})
		home := func() bool {
			return !slices.ContainsFunc(w.core.View().SubRanges(), func(s directory.SubRange) bool {
				return s.Home != directory.HomeOf(s.Chain, w.at) || len(s.Stampers) > 1
			})
		}
		if !w.run(20*time.Second, home) {
			w.fail("not at home again: %+v", w.core.View().SubRanges())
		}
	}
}

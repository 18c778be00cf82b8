package core_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// ready waits until the cluster takes orders.
func (w *world) ready() {
	w.t.Helper()
	if !w.run(10*time.Second, func() bool {
		k, ok := w.core.View().Keyspace(kv.SystemKeyspace)
		return ok && k.Phase == directory.PhaseReady
	}) {
		w.fail("no system keyspace")
	}
}

// create makes a keyspace and waits for it.
func (w *world) create(name string, d kv.Durability, replication, subRanges int) {
	w.t.Helper()
	var err error
	w.did(func() {
		_, err = w.core.CreateKeyspace(w.now, directory.CreateKeyspace{Name: name,
			Partitioner: kv.HashPartitioned, Durability: d, Replication: replication,
			SubRanges: subRanges})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if !w.run(10*time.Second, func() bool {
		k, _ := w.core.View().KeyspaceNamed(name)
		return k.Phase == directory.PhaseReady
	}) {
		w.fail("keyspace %q is not ready", name)
	}
	w.pass(2 * time.Second) // all have reported
}

// missing says what is missing before everything is as it should be; empty: nothing.
func (w *world) missing() string {
	if w.core == nil {
		return "the controller is down"
	}
	v := w.core.View()
	for _, s := range v.SubRanges() {
		k, _ := v.Keyspace(s.Keyspace)
		state, why := w.core.StateOf(s)
		if state == core.Lost && (w.ruined[s.ID] || !w.served(s)) {
			continue // and rightly so
		}
		owes := slices.ContainsFunc(s.Former, func(f directory.Former) bool { return w.node(f.Node).up })
		if state != core.Serving || len(s.Chain) < k.Replication || owes {
			return fmt.Sprintf("%v: %v (%s), chain %v, former %v", s.ID, state, why, s.Chain, s.Former)
		}
	}
	for _, p := range v.Plans() {
		s, _ := v.SubRange(p.SubRange)
		if state, _ := w.core.StateOf(s); state != core.Lost { // it keeps who is behind
			return fmt.Sprintf("plan %+v", p)
		}
	}
	for _, n := range v.Nodes() {
		if w.core.NodeState(w.now, n).State == "draining" {
			return fmt.Sprintf("node %v is draining", n.ID)
		}
	}
	return ""
}

func (w *world) settle(limit time.Duration) {
	w.t.Helper()
	if !w.run(limit, func() bool { return w.missing() == "" }) {
		w.fail("after %v: %s", limit, w.missing())
	}
}

// members returns how many sub-ranges a node is a member of.
func (w *world) members(id kv.NodeID) (count int) {
	for _, s := range w.core.View().SubRanges() {
		if s.Chain.Position(id) >= 0 {
			count++
		}
	}
	return count
}

var still = core.Policy{NoBalance: true}

func newReadyWorld(t *testing.T, nodes int, policy core.Policy) *world {
	w := newWorld(t, 1, nodes, 1, policy)
	w.ready()
	w.create("users", kv.DurabilitySync, 3, 8)
	return w
}

func TestAKilledNodeIsEvictedAndItsReplicasRepaired(t *testing.T) {
	w := newReadyWorld(t, 5, still)
	dead := w.nodes[1]
	at := w.now
	dead.kill()
	if !w.run(time.Second, func() bool { return w.members(dead.id) == 0 }) {
		w.fail("not evicted from %d sub-ranges within a second", w.members(dead.id))
	}
	t.Logf("evicted after %v", w.now-at)
	if w.run(time.Second, func() bool { return w.told[core.PlanBegun] > 0 }) {
		w.fail("a repair began before the delay was over")
	}
	w.settle(30 * time.Second)
	if w.told[core.ReplicationRestored] == 0 {
		w.fail("not told")
	}
	t.Logf("repaired after %v", w.now-at)
}

func TestANodeThatComesBackErasesAndIsACandidateAgain(t *testing.T) {
	w := newReadyWorld(t, 3, still) // nobody else could be
	dead := w.nodes[1]
	dead.kill()
	w.pass(5 * time.Second)
	if len(w.core.View().Plans()) > 0 || w.members(dead.id) > 0 {
		w.fail("there is nobody to repair on")
	}
	dead.start()
	w.settle(30 * time.Second)
	if w.members(dead.id) != 9 {
		w.fail("member of %d sub-ranges, want all 9", w.members(dead.id))
	}
}

func TestAQuickRestartWithDiskIsNotTouched(t *testing.T) {
	w := newReadyWorld(t, 4, still)
	w.nodes[0].kill()
	w.pass(50 * ms)
	w.nodes[0].start()
	w.pass(10 * time.Second)
	if w.told[core.MemberEvicted] > 0 || w.told[core.PlanBegun] > 0 {
		w.fail("evicted, or repaired: %v", w.told)
	}
}

func TestALostMemoryReplicaIsEvictedAndRepairedThere(t *testing.T) {
	w := newReadyWorld(t, 3, still)
	w.create("cache", kv.DurabilityMemory, 2, 4)
	w.nodes[0].kill()
	w.pass(20 * ms)
	w.nodes[0].start() // in time not to be failed, but without its memory
	if !w.run(2*time.Second, func() bool { return w.told[core.MemberEvicted] > 0 }) {
		w.fail("not evicted")
	}
	w.settle(30 * time.Second)
}

func TestAChainThatIsGoneIsNotChangedAndAlarms(t *testing.T) {
	w := newReadyWorld(t, 4, still)
	w.create("cache", kv.DurabilityMemory, 2, 1)
	v := w.core.View()
	k, _ := v.KeyspaceNamed("cache")
	cache := v.SubRangesOf(k.ID)[0]
	for _, n := range cache.Chain {
		w.node(n).kill()
	}
	w.pass(5 * time.Second)
	s, _ := w.core.View().SubRange(cache.ID)
	if state, _ := w.core.StateOf(s); state != core.Unavailable || s.Epoch != cache.Epoch {
		w.fail("%v at %v", state, s.Epoch)
	}
	for _, n := range cache.Chain {
		w.node(n).start()
	}
	if !w.run(5*time.Second, func() bool { return w.told[core.SubRangeLost] == 1 }) {
		w.fail("no alarm")
	}
	s, _ = w.core.View().SubRange(cache.ID)
	if state, why := w.core.StateOf(s); state != core.Lost || !slices.Equal(s.Chain, cache.Chain) {
		w.fail("%v (%s) with %v", state, why, s.Chain)
	}
	if problems := w.core.Problems(); len(problems) == 0 || problems[0][:5] != "LOST:" {
		w.fail("%q", problems)
	}
}

// TestNothingIsCopiedFromALostSubRange loses a sub-range that is short of members.
func TestNothingIsCopiedFromALostSubRange(t *testing.T) {
	w := newReadyWorld(t, 4, still)
	w.create("cache", kv.DurabilityMemory, 3, 1)
	k, _ := w.core.View().KeyspaceNamed("cache")
	chain := w.core.View().SubRangesOf(k.ID)[0].Chain
	w.node(chain[0]).kill()
	if !w.run(time.Second, func() bool { return w.told[core.MemberEvicted] > 0 }) {
		w.fail("not evicted")
	}
	for _, n := range chain[1:] {
		w.node(n).kill()
	}
	for _, n := range chain {
		w.node(n).start()
	}
	if !w.run(5*time.Second, func() bool { return w.told[core.SubRangeLost] == 1 }) {
		w.fail("no alarm")
	}
	lost := w.core.View().SubRangesOf(k.ID)[0]
	other := slices.IndexFunc(w.nodes, func(n *node) bool { return chain.Position(n.id) < 0 })
	w.did(func() {
		_, err := w.core.Move(w.now, lost.ID, lost.Chain[0], w.nodes[other].id)
		if !errors.Is(err, directory.ErrNotFit) {
			w.fail("a move of what nobody holds: %v", err)
		}
	})
	w.pass(time.Minute)
	if plans := w.core.View().Plans(); len(plans) > 0 || w.told[core.PlanAborted] > 0 {
		w.fail("plans %+v; %d were given up", plans, w.told[core.PlanAborted])
	}
}

func TestDrainEmptiesANode(t *testing.T) {
	w := newReadyWorld(t, 5, still)
	n := w.nodes[2].id
	w.operate(func() error { return w.core.Drain(w.now, n) })
	if !w.run(60*time.Second, func() bool { return w.told[core.NodeDrained] == 1 }) {
		w.fail("%d left, plans %+v", w.members(n), w.core.View().Plans())
	}
	w.settle(10 * time.Second)
	w.nodes[2].kill()
	w.pass(2 * time.Second)
	w.operate(func() error { return w.core.Forget(w.now, n) })
	if _, known := w.core.View().Node(n); known {
		w.fail("not forgotten")
	}
}

func TestADrainThatCannotGoOnSaysSo(t *testing.T) {
	w := newReadyWorld(t, 4, still)
	w.nodes[3].kill()
	w.pass(200 * ms) // not failed yet: the drain is accepted
	w.operate(func() error { return w.core.Drain(w.now, w.nodes[0].id) })
	w.pass(10 * time.Second)
	said := func(p string) bool { return strings.Contains(p, "is being drained: no other node can") }
	if !slices.ContainsFunc(w.core.Problems(), said) {
		w.fail("%q", w.core.Problems())
	}
	w.nodes[3].start()
	w.settle(60 * time.Second)
	if n := w.members(w.nodes[0].id); n > 0 {
		w.fail("%d sub-ranges left", n)
	}
}

func TestDrainIsRefusedWithoutOthers(t *testing.T) {
	w := newReadyWorld(t, 3, still)
	var err error
	w.did(func() { err = w.core.Drain(w.now, w.nodes[0].id) })
	if !errors.Is(err, directory.ErrNodes) {
		w.fail("%v", err)
	}
}

// operate gives an order that must not be refused.
func (w *world) operate(order func() error) {
	w.t.Helper()
	w.operated = true
	var err error
	w.did(func() { err = order() })
	if err != nil {
		w.fail("%v", err)
	}
}

// done waits for the end of a plan.
func (w *world) done(p directory.Plan) {
	w.t.Helper()
	if !w.run(30*time.Second, func() bool { _, on := w.core.View().Plan(p.ID); return !on }) {
		now, _ := w.core.View().Plan(p.ID)
		w.fail("plan %+v", now)
	}
	if w.told[core.PlanAborted] > 0 {
		w.fail("aborted")
	}
}

func (w *world) first(name string) directory.SubRange {
	v := w.core.View()
	k, _ := v.KeyspaceNamed(name)
	return v.SubRangesOf(k.ID)[0]
}

func TestMoveGivesAPlaceToAnother(t *testing.T) {
	w := newReadyWorld(t, 5, still)
	for _, replication := range []int{1, 3} {
		name := fmt.Sprint("r", replication)
		w.create(name, kv.DurabilitySync, replication, 1)
		s := w.first(name)
		from := s.Chain.Head()
		var p directory.Plan
		w.operate(func() (err error) { p, err = w.core.Move(w.now, s.ID, from, 0); return err })
		w.done(p)
		after := w.first(name)
		if len(after.Chain) != replication || after.Chain.Position(from) >= 0 ||
			after.Chain.Tail() != p.To {
			w.fail("%v became %v", s.Chain, after.Chain)
		}
	}
}

func TestSplitAndMergeOfDifferentChains(t *testing.T) {
	w := newReadyWorld(t, 6, still)
	var p directory.Plan
	s := w.first("users")
	w.operate(func() (err error) { p, err = w.core.Split(w.now, s.ID, kv.IndexKey{}); return err })
	w.done(p)
	if n := len(w.core.View().SubRangesOf(s.Keyspace)); n != 9 {
		w.fail("%d sub-ranges after a split of one of 8", n)
	}
	for n := 9; n > 1; n-- {
		s = w.first("users")
		w.operate(func() (err error) { p, err = w.core.Merge(w.now, s.ID); return err })
		w.done(p)
		if left := len(w.core.View().SubRangesOf(s.Keyspace)); left != n-1 {
			w.fail("%d sub-ranges, want %d", left, n-1)
		}
	}
	w.settle(10 * time.Second)
}

func TestAMergeThatDoesNotDrainIsGivenUp(t *testing.T) {
	w := newReadyWorld(t, 3, still)
	w.create("one", kv.DurabilitySync, 1, 2)
	v := w.core.View()
	k, _ := v.KeyspaceNamed("one")
	all := v.SubRangesOf(k.ID)
	var p directory.Plan
	w.operate(func() (err error) { p, err = w.core.Merge(w.now, all[0].ID); return err })
	ok := w.run(10*time.Second, func() bool {
		now, _ := w.core.View().Plan(p.ID)
		return now.Step == "freeze"
	})
	if !ok {
		w.fail("never frozen")
	}
	w.node(all[0].Chain.Head()).kill()
	if !w.run(10*time.Second, func() bool { return w.told[core.PlanAborted] == 1 }) {
		w.fail("not given up")
	}
	for _, s := range w.core.View().SubRangesOf(k.ID) {
		if s.Frozen {
			w.fail("%v stays frozen", s.ID)
		}
	}
}

// TestALostCatalogueIsWrittenAnew restarts all nodes of a cluster in memory at once.
func TestALostCatalogueIsWrittenAnew(t *testing.T) {
	w := newWorld(t, 1, 3, 1, still)
	w.volatile = true
	w.ready()
	w.create("cache", kv.DurabilityMemory, 2, 4)
	published := w.told[core.KeyspaceReady]
	for _, n := range w.nodes {
		n.kill()
	}
	w.pass(3 * time.Second)
	for _, n := range w.nodes {
		n.start()
	}
	if !w.run(10*time.Second, func() bool { return w.told[core.KeyspaceReady] == published+2 }) {
		w.fail("system and cache are not published again: %v", w.core.Problems())
	}
	w.did(func() {
		if err := w.core.DropKeyspace(w.now, "cache"); err != nil {
			w.fail("%v", err)
		}
	})
	if !w.run(10*time.Second, func() bool { return w.told[core.KeyspaceDropped] == 1 }) {
		w.fail("the lost keyspace cannot be dropped")
	}
	w.create("cache", kv.DurabilityMemory, 2, 4)
	w.settle(30 * time.Second)
}

package core_test

import (
	"slices"
	"testing"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// pair is a core that controls sub-ranges in memory, of two members at most, and a node to spare.
type pair struct {
	t    *testing.T
	core *core.Core
	now  time.Duration

	probed []kv.NodeID
}

const nodeA, nodeB, nodeC = kv.NodeID(0x0a000001), kv.NodeID(0x0a000002), kv.NodeID(0x0a000003)

func newPair(t *testing.T, replication int, subRanges ...directory.SubRange) *pair {
	t.Helper()
	s := directory.Snapshot{Meta: directory.Meta{ClusterID: "c",
		NextSubRange: kv.SubRangeID(len(subRanges) + 1), NextKeyspace: 2}}
	s.Keyspaces = []directory.Keyspace{{Phase: directory.PhaseReady, Descriptor: kv.Descriptor{
		Name: "k", ID: 1, Partitioner: kv.HashPartitioned, Durability: kv.DurabilityMemory,
		Replication: replication}}}
	for i, sr := range subRanges {
		sr.ID, sr.Keyspace, sr.Epoch, sr.Created = kv.SubRangeID(i+1), 1, 1, true
		sr.Interval = kv.EvenSplit(len(subRanges))[i]
		sr.Since = slices.Repeat([]kv.Epoch{1}, len(sr.Chain))
		s.SubRanges = append(s.SubRanges, sr)
	}
	for i, id := range []kv.NodeID{nodeA, nodeB, nodeC} {
		s.Nodes = append(s.Nodes, directory.Node{ID: id, MAC: wire.MAC{2, 0, 0, 0, 0, byte(i + 1)},
			Switch: "s1", Port: uint32(i + 1), Incarnation: 1})
	}
	c, err := core.New(core.Config{Policy: still, Directory: directory.Config{ExpectNodes: 4,
		Switches: []string{"s1"}, Limits: directory.Limits{SubRanges: 100, PartitionEntries: 100}}}, s)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{t: t, core: c}
	p.core.CanProbe(p.now, true)
	for _, n := range s.Nodes {
		if err := p.core.Hello(p.now, directory.Hello{Node: n}); err != nil {
			t.Fatal(err)
		}
		p.report(n.ID)
	}
	p.core.SwitchSynced(p.now, "s1", p.core.Revision())
	p.core.Take()
	return p
}

// report lets a node say that it has all its copies, and confirm their epochs.
func (p *pair) report(n kv.NodeID) {
	var r core.Report
	for _, s := range p.core.View().SubRanges() {
		if s.Chain.Position(n) >= 0 {
			r.Replicas = append(r.Replicas, core.Replica{SubRange: s.ID, Epoch: s.Epoch})
		}
		if s.Learner == n {
			r.Replicas = append(r.Replicas, core.Replica{SubRange: s.ID, Epoch: s.Epoch,
				Learner: true, Joined: true})
		}
		if s.Chain.Position(n) >= 0 || s.Learner == n {
			p.core.Acked(p.now, []directory.Ack{{Node: n, SubRange: s.ID, Epoch: s.Epoch}})
		}
	}
	p.core.Reported(p.now, n, r)
}

// pass lets time pass, in which only some nodes give a sign of life over their sessions.
func (p *pair) pass(d time.Duration, beating ...kv.NodeID) {
	for end := p.now + d; p.now < end; {
		p.now += 10 * ms
		for _, n := range beating {
			p.core.Beat(p.now, n)
		}
		p.core.Tick(p.now)
		p.probed = append(p.probed, p.core.Take().Probes...)
	}
}

func (p *pair) chain(id kv.SubRangeID) kv.Chain {
	s, _ := p.core.View().SubRange(id)
	return s.Chain
}

// TestAProcessThatHasNotSaidHelloConfirmsNothing: B loses power, with what it had in memory, and
// answers probes again before it has connected. A, which is cut off and has everything, must not be
// given up for what B reported in its last life.
func TestAProcessThatHasNotSaidHelloConfirmsNothing(t *testing.T) {
	p := newPair(t, 2, directory.SubRange{Chain: kv.Chain{nodeA, nodeB}})
	p.pass(time.Second, nodeA, nodeB)
	p.core.PortChanged(p.now, "s1", 2, false)
	p.core.Gone(p.now, nodeA)
	p.pass(20 * ms)
	p.core.PortChanged(p.now, "s1", 2, true)
	for range 50 {
		p.core.Alive(p.now, nodeB)
		p.pass(10 * ms)
	}
	if got := p.chain(1); len(got) != 2 {
		t.Fatalf("the chain is %v", got)
	}
	p.pass(500*ms, nodeB) // now it is its session that speaks
	if got := p.chain(1); !slices.Equal(got, kv.Chain{nodeB}) {
		t.Fatalf("the chain is %v, and B has spoken", got)
	}
}

// TestWhoFellSilentConfirmsNothing: A is cut off, B speaks after that and then dies as well, too short
// a time ago to be suspected.
func TestWhoFellSilentConfirmsNothing(t *testing.T) {
	p := newPair(t, 2, directory.SubRange{Chain: kv.Chain{nodeA, nodeB}})
	p.pass(time.Second, nodeA, nodeB)
	p.pass(300*ms, nodeB)
	for !slices.ContainsFunc(p.probed, func(n kv.NodeID) bool { return n == nodeA }) {
		p.pass(10*ms, nodeB) // until A is suspected
	}
	p.pass(20*ms, nodeB)
	p.pass(300*ms, nodeC) // A fails, B is silent
	if got := p.chain(1); len(got) != 2 {
		t.Fatalf("the chain is %v", got)
	}
	p.pass(200*ms, nodeB)
	if got := p.chain(1); !slices.Equal(got, kv.Chain{nodeB}) {
		t.Fatalf("the chain is %v, and B has spoken", got)
	}
}

// TestAMergeEvictsNobodyWhileOthersAreInTrouble merges two sub-ranges whose chains differ while the
// member that would remain is silent.
func TestAMergeEvictsNobodyWhileOthersAreInTrouble(t *testing.T) {
	p := newPair(t, 2, directory.SubRange{Chain: kv.Chain{nodeB}},
		directory.SubRange{Chain: kv.Chain{nodeA, nodeB}})
	p.pass(time.Second, nodeA, nodeB)
	p.core.Gone(p.now, nodeB)
	if _, err := p.core.Merge(p.now, 1); err == nil {
		p.pass(200*ms, nodeA)
	}
	if got := p.chain(2); len(got) != 2 {
		t.Fatalf("the chain is %v", got)
	}
}

// TestAMergeThatNeedsADrainingNodeIsGivenUp: a merge would bring A, where the lower sub-range is, to
// the upper one; but A is to become empty, and that waits for the end of the merge.
func TestAMergeThatNeedsADrainingNodeIsGivenUp(t *testing.T) {
	p := newPair(t, 1, directory.SubRange{Chain: kv.Chain{nodeA}},
		directory.SubRange{Chain: kv.Chain{nodeB}})
	if _, err := p.core.Merge(p.now, 1); err != nil {
		t.Fatal(err)
	}
	if err := p.core.Drain(p.now, nodeA); err != nil {
		t.Fatal(err)
	}
	p.pass(10*time.Second, nodeA, nodeB)
	for _, plan := range p.core.View().Plans() {
		if plan.Kind == directory.PlanMerge {
			t.Errorf("the merge goes on: %+v", plan)
		}
	}
}

// TestWhoLeavesStaysUntilTheNewTailIsWhole moves a place from A to C.
func TestWhoLeavesStaysUntilTheNewTailIsWhole(t *testing.T) {
	p := newPair(t, 2, directory.SubRange{Chain: kv.Chain{nodeA, nodeB}})
	all := []kv.NodeID{nodeA, nodeB, nodeC}
	p.pass(time.Second, all...)
	if _, err := p.core.Move(p.now, 1, nodeA, nodeC); err != nil {
		t.Fatal(err)
	}
	step := func(reporting ...kv.NodeID) kv.Chain {
		p.core.Take()
		p.core.SwitchSynced(p.now, "s1", p.core.Revision())
		for _, n := range reporting {
			p.report(n)
		}
		p.pass(50*ms, all...)
		return p.chain(1)
	}
	if got := step(all...); !slices.Equal(got, kv.Chain{nodeA, nodeB, nodeC}) {
		t.Fatalf("C has joined, and the chain is %v", got)
	}
	if got := step(nodeA, nodeB); len(got) != 3 {
		t.Fatalf("C has not said that it is whole, and the chain is %v", got)
	}
	if got := step(nodeC); !slices.Equal(got, kv.Chain{nodeB, nodeC}) {
		t.Fatalf("C is whole, and the chain is %v", got)
	}
}

// TestNobodyLeavesAChainThatHasBecomeShort loses a member of a chain that another one is to leave: who
// joined takes the place of the lost one, and nobody leaves.
func TestNobodyLeavesAChainThatHasBecomeShort(t *testing.T) {
	p := newPair(t, 2, directory.SubRange{Chain: kv.Chain{nodeA, nodeB}})
	p.pass(time.Second, nodeA, nodeB, nodeC)
	if _, err := p.core.Move(p.now, 1, nodeA, nodeC); err != nil {
		t.Fatal(err)
	}
	step := func(alive ...kv.NodeID) kv.Chain {
		p.core.Take()
		p.core.SwitchSynced(p.now, "s1", p.core.Revision())
		for _, n := range alive {
			p.report(n)
		}
		p.pass(50*ms, alive...)
		return p.chain(1)
	}
	step(nodeA, nodeB, nodeC)
	for range 40 { // B is silent from now on
		step(nodeA, nodeC)
	}
	if got := p.chain(1); !slices.Equal(got, kv.Chain{nodeA, nodeC}) {
		t.Fatalf("B is dead and C has joined, and the chain is %v", got)
	}
	if left := p.core.View().Plans(); len(left) != 0 {
		t.Fatalf("plans are left: %+v", left)
	}
}

// TestANewTailThatServesIsACopy: C has become the tail and has said that it serves, but before the others
// confirm that epoch they lose what they had. C holds everything, and goes on alone.
func TestANewTailThatServesIsACopy(t *testing.T) {
	p := newPair(t, 2, directory.SubRange{Chain: kv.Chain{nodeA, nodeB}})
	all := []kv.NodeID{nodeA, nodeB, nodeC}
	p.pass(time.Second, all...)
	if _, err := p.core.Move(p.now, 1, nodeA, nodeC); err != nil {
		t.Fatal(err)
	}
	step := func() kv.Chain {
		p.core.Take()
		p.core.SwitchSynced(p.now, "s1", p.core.Revision())
		p.pass(300*ms, all...)
		return p.chain(1)
	}
	for _, n := range all {
		p.report(n)
	}
	if got := step(); !slices.Equal(got, kv.Chain{nodeA, nodeB, nodeC}) {
		t.Fatalf("C has joined, and the chain is %v", got)
	}
	s, _ := p.core.View().SubRange(1)
	lose := func(n kv.NodeID) {
		p.core.Reported(p.now, n, core.Report{Replicas: []core.Replica{
			{SubRange: 1, Epoch: s.Epoch, Lost: true}}})
	}
	lose(nodeA)
	lose(nodeB)
	if got := step(); len(got) != 3 {
		t.Fatalf("C has not said that it serves, and the chain is %v", got)
	}
	p.report(nodeC)
	if got := step(); !slices.Equal(got, kv.Chain{nodeC}) {
		t.Fatalf("C serves, and the chain is %v", got)
	}
}

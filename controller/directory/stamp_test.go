package directory

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

func TestHomeAndTailAreNeverLostTogetherIfTheyNeedNotBe(t *testing.T) {
	at := map[kv.NodeID]string{1: "s1", 2: "s1", 3: "s2", 4: "s3"}
	for _, c := range []struct {
		chain kv.Chain
		want  string
	}{
		{kv.Chain{1, 3}, "s1"},
		{kv.Chain{1, 2, 3}, "s1"},
		{kv.Chain{1, 3, 2}, "s2"}, // the head is in the tail's rack
		{kv.Chain{3, 4, 1}, "s2"},
		{kv.Chain{1, 2}, "s1"},
		{kv.Chain{4}, "s3"},
	} {
		if got := HomeOf(c.chain, func(n kv.NodeID) string { return at[n] }); got != c.want {
			t.Errorf("%v: %s, want %s", c.chain, got, c.want)
		}
	}
}

// racks returns a cluster of so many nodes, node i at switch s1, s2, ... in turn, and a settled sub-range
// whose chain is nodes 0 to replication-1.
func racks(t *testing.T, nodes, switches, replication int) (*Directory, SubRange) {
	t.Helper()
	names := []string{"s1", "s2", "s3", "s4"}[:switches]
	d, err := New(Config{Limits: testLimits, ExpectNodes: nodes, Switches: names},
		Snapshot{Meta: Meta{ClusterID: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		h := helloOf(i, true)
		h.Switch = names[i%switches]
		settleAll(t, d, must(t)(d.Hello(h)))
	}
	k, e, err := d.CreateKeyspace(CreateKeyspace{Name: "a", Partitioner: kv.RangePartitioned,
		Durability: kv.DurabilitySync, Replication: replication, SubRanges: 1})
	settleAll(t, d, must(t)(e, err))
	s := d.SubRangesOf(k.ID)[0]
	s.Chain = nil
	for i := range replication {
		s.Chain = append(s.Chain, node(i))
	}
	if now := sub(t, d, s.ID); !samePlaces(now.Chain, s.Chain) {
		settleChain(t, d, now, s.Chain)
	} else if !slices.Equal(now.Chain, s.Chain) {
		settleAll(t, d, must(t)(d.Reorder(s.ID, s.Chain)))
	}
	return d, sub(t, d, s.ID)
}

// settleChain moves a sub-range to a chain.
func settleChain(t *testing.T, d *Directory, s SubRange, chain kv.Chain) {
	t.Helper()
	for _, n := range without(chain, s.Chain...) {
		settleAll(t, d, must(t)(d.AddLearner(s.ID, n)))
		settleAll(t, d, must(t)(d.Promote(s.ID, 0)))
	}
	if gone := without(sub(t, d, s.ID).Chain, chain...); len(gone) > 0 {
		settleAll(t, d, must(t)(d.Evict(s.ID, gone)))
	}
	if now := sub(t, d, s.ID); !slices.Equal(now.Chain, chain) {
		settleAll(t, d, must(t)(d.Reorder(s.ID, chain)))
	}
}

// syncAll brings switches up to date.
func syncAll(d *Directory, names ...string) (e Effects) {
	for range 2 {
		for _, name := range names {
			add(&e, d.SwitchSynced(name, d.Revision()))
		}
	}
	return e
}

// answer gives the answers of some nodes to all that is sent.
func answer(d *Directory, e Effects, nodes ...kv.NodeID) Effects {
	return d.Acknowledged(slices.DeleteFunc(acksFor(e), func(a Ack) bool {
		return !slices.Contains(nodes, a.Node)
	}))
}

// TestALostRackStopsNothing: the head's rack, which is the home, is gone with its switch.
func TestALostRackStopsNothing(t *testing.T) {
	d, s := racks(t, 3, 3, 3)
	if s.Home != "s1" || !slices.Equal(s.Stampers, []string{"s1"}) || s.Tails != nil {
		t.Fatalf("%+v", s)
	}
	d.SwitchLost("s1")
	d.Gone(node(0))
	e := must(t)(d.Evict(s.ID, []kv.NodeID{node(0)}))
	now := sub(t, d, s.ID)
	if now.Home != "s2" || now.Blocked || now.Untold || len(e.Sends) != 2 ||
		!slices.Equal(now.Stampers, []string{"s1", "s2"}) || !slices.Equal(now.Tails, s.Chain[2:]) {
		t.Fatalf("%+v, sends %+v", now, e.Sends)
	}
	syncAll(d, "s2", "s3")
	answer(d, e, node(1), node(2))
	if now = sub(t, d, s.ID); !d.Settled(s.ID) || len(now.Stampers) != 1 || now.Tails != nil {
		t.Fatalf("%+v", now)
	}
	// A keyspace can be created, over the others, and dropped.
	_, e, err := d.CreateKeyspace(CreateKeyspace{Name: "b", Partitioner: kv.HashPartitioned,
		Replication: 2, SubRanges: 4, Durability: kv.DurabilitySync})
	e = d.Acknowledged(acksFor(must(t)(e, err)))
	add(&e, syncAll(d, "s2", "s3"))
	for _, p := range e.Publications {
		d.Published(p)
	}
	if k, _ := d.KeyspaceNamed("b"); k.Phase != PhaseReady {
		t.Fatalf("%+v waits for a switch that is lost", k)
	}
	e = must(t)(d.DropKeyspace("b"))
	e = d.Published(e.Publications[0])
	add(&e, syncAll(d, "s2", "s3"))
	d.Acknowledged(acksFor(e))
	if len(d.Snapshot().Retired) == 0 || d.UsedIDs() != len(d.SubRanges()) {
		t.Fatalf("not erased: %+v", d.Snapshot().Retired)
	}
}

// TestALostTailWaitsForTheHomeAlone, and not for any other switch.
func TestALostTailWaitsForTheHomeAlone(t *testing.T) {
	d, s := racks(t, 3, 3, 3)
	d.SwitchLost("s3")
	d.Gone(node(2))
	e := must(t)(d.Evict(s.ID, []kv.NodeID{node(2)}))
	if now := sub(t, d, s.ID); len(e.Sends) > 0 || !now.Untold || now.Home != "s1" {
		t.Fatalf("told while s1 sends reads to %v: %+v", node(2), e.Sends)
	}
	add(&e, must(t)(d.Hello(helloOf(0, true)))) // it has moved to s1, by the way
	if assigned, _ := sentTo(e, node(0), s.ID); assigned != nil {
		t.Fatalf("told after a hello: %+v", assigned)
	}
	if _, ok := d.Assignment(s.ID, node(0)); ok {
		t.Fatal("told to who asks")
	}
	if e = syncAll(d, "s2"); len(e.Sends) != 0 {
		t.Fatalf("told after another switch: %+v", e.Sends)
	}
	d, err := New(d.cfg, d.Snapshot()) // a crash in between
	if err != nil {
		t.Fatal(err)
	}
	if e = syncAll(d, "s1"); len(e.Sends) != 2 || sub(t, d, s.ID).Untold {
		t.Fatalf("not told: %+v", e.Sends)
	}
}

// strandedTail returns a sub-range whose home and tail are others now, while the former home, s1, is out
// of reach, and the former tail, node 2, has heard nothing.
func strandedTail(t *testing.T) (*Directory, SubRange, Effects) {
	d, s := racks(t, 4, 4, 3)
	d.SwitchLost("s1")
	e := must(t)(d.Reorder(s.ID, kv.Chain{node(2), node(0), node(1)}))
	add(&e, answer(d, e, node(0), node(1)))
	syncAll(d, "s2", "s3", "s4")
	s = sub(t, d, s.ID)
	if s.Home != "s3" || !slices.Equal(s.Stampers, []string{"s1", "s3"}) ||
		!slices.Equal(s.Tails, []kv.NodeID{node(2)}) || !d.Served(s.ID) {
		t.Fatalf("%+v", s)
	}
	return d, s, e
}

// TestAFormerTailThatHeardNothingIsWaitedFor, although the present one has acknowledged its epoch.
func TestAFormerTailThatHeardNothingIsWaitedFor(t *testing.T) {
	d, s, _ := strandedTail(t)
	e := must(t)(d.Evict(s.ID, []kv.NodeID{node(2)}))
	add(&e, syncAll(d, "s2", "s3", "s4"))
	if now := sub(t, d, s.ID); len(e.Sends) > 0 || !now.Untold {
		t.Fatalf("told while s1 sends reads to %v: %+v", node(2), now)
	}
	if e = syncAll(d, "s1"); len(e.Sends) != 2 || sub(t, d, s.ID).Untold {
		t.Fatalf("not told: %+v", e.Sends)
	}
}

// TestBothPartsOfASplitWaitForAFormerTail.
func TestBothPartsOfASplitWaitForAFormerTail(t *testing.T) {
	d, s, _ := strandedTail(t)
	id, e, err := d.Split(s.ID, kv.IndexKey{0x80})
	e = answer(d, must(t)(e, err), node(0), node(1))
	answer(d, e, node(0), node(1))
	syncAll(d, "s2", "s3", "s4")
	e = must(t)(d.Evict(s.ID, []kv.NodeID{node(2)}))
	add(&e, syncAll(d, "s2", "s3", "s4"))
	for _, part := range []kv.SubRangeID{s.ID, id} {
		if now := sub(t, d, part); len(e.Sends) > 0 || !now.Untold ||
			!slices.Contains(now.Stampers, "s1") {
			t.Fatalf("told while s1 sends reads to %v: %+v, %+v", node(2), now, e.Sends)
		}
	}
	if e = syncAll(d, "s1"); len(e.Sends) != 4 {
		t.Fatalf("%+v", e.Sends)
	}
}

// TestAMergeWaitsForTheHomesOfBoth when the tail is lost before it has heard of it.
func TestAMergeWaitsForTheHomesOfBoth(t *testing.T) {
	d, s := racks(t, 4, 3, 4)
	chain := kv.Chain{node(0), node(1), node(3), node(2)} // node 3 is at s1, as node 0
	settleAll(t, d, must(t)(d.Reorder(s.ID, chain)))
	id, e, err := d.Split(s.ID, kv.IndexKey{0x80})
	settleAll(t, d, must(t)(e, err))
	e = must(t)(d.Freeze(s.ID, id))
	add(&e, must(t)(d.Evict(s.ID, []kv.NodeID{node(3)})))
	d.SwitchLost("s1")
	add(&e, must(t)(d.Evict(id, []kv.NodeID{node(3)})))
	settleAll(t, d, e)
	if l, r := sub(t, d, s.ID), sub(t, d, id); l.Home != "s1" || r.Home != "s2" {
		t.Fatalf("homes %s and %s", l.Home, r.Home)
	}
	must(t)(d.Absorb(s.ID, id))
	d.SwitchLost("s2")
	e = must(t)(d.Evict(s.ID, []kv.NodeID{node(2)}))
	if add(&e, syncAll(d, "s1", "s3")); len(e.Sends) > 0 || !sub(t, d, s.ID).Untold {
		t.Fatalf("told while s2 sends reads of %v to %v", id, node(2))
	}
	if e = syncAll(d, "s2"); len(e.Sends) != 2 {
		t.Fatalf("not told: %+v", e.Sends)
	}
}

func TestAHomeThatServesStaysThoughItIsOutOfReach(t *testing.T) {
	d, s := racks(t, 3, 3, 3)
	d.SwitchLost("s1")
	if e := d.Rehome(func(string) bool { return true }, 9); len(e.Changes) > 0 {
		t.Fatalf("%+v is given up: %+v", s, e)
	}
}

// TestAPlanDoesNotWaitForAHomeThatIsOutOfReach, although that had the epoch before it was lost.
func TestAPlanDoesNotWaitForAHomeThatIsOutOfReach(t *testing.T) {
	d, s := racks(t, 4, 4, 3)
	e := must(t)(d.AddLearner(s.ID, node(3)))
	if _, _, err := d.PutPlan(Plan{Kind: PlanRepair, SubRange: s.ID, To: node(3),
		Cause: CauseFailure}); err != nil {
		t.Fatal(err)
	}
	syncAll(d, "s1", "s2", "s3", "s4")
	d.SwitchLost("s1")
	d.Acknowledged(acksFor(e))
	if d.Settled(s.ID) {
		t.Fatal("who knows what the home holds now?")
	}
	e = d.Rehome(func(string) bool { return true }, 9)
	add(&e, syncAll(d, "s2", "s3", "s4"))
	d.Acknowledged(acksFor(e))
	if now := sub(t, d, s.ID); now.Home != "s2" || !d.Settled(s.ID) || now.Learner != node(3) {
		t.Fatalf("%+v", now)
	}
}

// TestAHomeThatIsLostBeforeItHeardIsReplaced, and gets the sub-range back when it returns.
func TestAHomeThatIsLostBeforeItHeardIsReplaced(t *testing.T) {
	d, s := racks(t, 3, 3, 3)
	always := func(string) bool { return true }
	_, e, err := d.Split(s.ID, kv.IndexKey{0x80}) // s1 is told
	d.Acknowledged(acksFor(must(t)(e, err)))
	d.SwitchLost("s1") // and does not hear it
	if e = d.Rehome(func(name string) bool { return name != "s1" }, 9); len(e.Changes) > 0 {
		t.Fatalf("at once: %+v", e)
	}
	e = d.Rehome(always, 9)
	add(&e, syncAll(d, "s2", "s3"))
	d.Acknowledged(acksFor(e))
	for _, part := range d.SubRangesOf(s.Keyspace) {
		if part.Home != "s2" || !d.Settled(part.ID) {
			t.Fatalf("%+v", part)
		}
	}
	syncAll(d, "s1")
	e = d.Rehome(always, 1)
	if homes := []string{sub(t, d, s.ID).Home}; homes[0] != "s1" || len(e.Changes) != 1 {
		t.Fatalf("%v, %+v", homes, e.Changes)
	}
	settleAll(t, d, d.Rehome(always, 9))
	if e = d.Rehome(always, 9); len(e.Changes) > 0 {
		t.Fatalf("there is nothing left to do: %+v", e)
	}
}

// TestASubRangeStoredWithoutAHomeGetsOne, and whatever is not known of it is assumed.
func TestASubRangeStoredWithoutAHomeGetsOne(t *testing.T) {
	d, s := racks(t, 3, 3, 3)
	d.Gone(node(1))
	snapshot := d.Snapshot()
	for i, sr := range snapshot.SubRanges {
		value, err := json.Marshal(sr)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(value, &fields); err != nil {
			t.Fatal(err)
		}
		delete(fields, "home") // as before there were racks
		delete(fields, "stampers")
		if value, err = json.Marshal(fields); err != nil || strings.Contains(string(value), "home") {
			t.Fatalf("%s, %v", value, err)
		}
		snapshot.SubRanges[i] = SubRange{}
		if err := json.Unmarshal(value, &snapshot.SubRanges[i]); err != nil {
			t.Fatal(err)
		}
	}
	old, err := New(d.cfg, snapshot)
	if err != nil {
		t.Fatal(err)
	}
	got := sub(t, old, s.ID)
	if got.Home != "s1" || !slices.Equal(got.Stampers, []string{"s1", "s2", "s3"}) {
		t.Fatalf("%+v", got)
	}
	got.Stampers = s.Stampers
	if !reflect.DeepEqual(got, s) {
		t.Fatalf("%+v, want %+v", got, s)
	}
	if d, err = New(Config{Limits: testLimits, Switches: []string{"t1", "t2"}}, d.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if got = sub(t, d, s.ID); got.Home != "t1" || len(got.Stampers) != 2 {
		t.Fatalf("after all switches got other names: %+v", got)
	}
}

// TestHomesOfAKeyspaceAreContiguous: each rack is the home of one run of the key line, and head and tail
// are in different racks.
func TestHomesOfAKeyspaceAreContiguous(t *testing.T) {
	d, _ := racks(t, 9, 3, 3)
	k, e, err := d.CreateKeyspace(CreateKeyspace{Name: "b", Partitioner: kv.HashPartitioned,
		Durability: kv.DurabilitySync, SubRanges: 32})
	settleAll(t, d, must(t)(e, err))
	var homes []string
	for _, s := range d.SubRangesOf(k.ID) {
		if d.switchOf(s.Chain.Head()) != s.Home || d.switchOf(s.Chain.Tail()) == s.Home {
			t.Fatalf("%v with home %s", s.Chain, s.Home)
		}
		homes = append(homes, s.Home)
	}
	if runs := slices.Compact(homes); !slices.Equal(runs, []string{"s1", "s2", "s3"}) {
		t.Fatalf("homes along the key line: %v", runs)
	}
}

package dataplane

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/reconcile"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

var testSwitch = Switch{Name: "s1", Services: []netip.Addr{netip.MustParseAddr("10.255.0.1")}}

func testDirectory(t *testing.T, nodes int) *directory.Directory {
	t.Helper()
	d, err := directory.New(directory.Config{ExpectNodes: nodes, Switches: []string{"s1", "s2"},
		Limits: directory.Limits{SubRanges: 16384, PartitionEntries: 65536}},
		directory.Snapshot{Meta: directory.Meta{ClusterID: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		e, err := d.Hello(directory.Hello{Node: directory.Node{ID: kv.NodeID(0x0a000001 + i),
			MAC: wire.MAC{2, 0, 0, 0, 0, byte(i + 1)}, Port: uint32(i + 1), Incarnation: 1}})
		if err != nil {
			t.Fatal(err)
		}
		acknowledge(d, e)
	}
	return d
}

func acknowledge(d *directory.Directory, e directory.Effects) {
	var acks []directory.Ack
	for _, s := range e.Sends {
		acks = append(acks, directory.Ack{Node: s.To, SubRange: s.Assign.SubRange,
			Epoch: s.Assign.Epoch})
	}
	d.Acknowledged(acks)
}

// resolve does what the two tables do for a request, the slow way: it tries all rows.
func resolve(s tables.State, keyspace kv.KeyspaceID, key kv.IndexKey) (row tables.Entry, ok bool) {
	id, best := tables.Value(""), -1
	for _, e := range s.Entries {
		ks, _ := e.Field(p4src.Keyspace)
		if e.Table != p4src.PartitionTable || ks.Value != tables.Uint(uint64(keyspace)) {
			continue
		}
		m, _ := e.Field(p4src.IndexKey)
		p := kv.Prefix{Len: m.Prefix}
		m.Value.Fill(p.Key[:])
		if m.Prefix > best && p.Interval().Contains(key) {
			id, best = e.Param(p4src.ID), m.Prefix
		}
	}
	for _, e := range s.Entries {
		if m, _ := e.Field(p4src.ID); e.Table == p4src.SubRangeTable && best >= 0 && m.Value == id {
			return e, true
		}
	}
	return row, false
}

func randomKey(r *rand.Rand) (k kv.IndexKey) {
	for i := range k {
		k[i] = byte(r.Uint32())
	}
	return k
}

func TestEveryKeyResolvesToItsSubRange(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := 1; n < 40; n += 3 {
		d := testDirectory(t, 5)
		k, e, err := d.CreateKeyspace(directory.CreateKeyspace{Name: "a", SubRanges: n,
			Replication: 3,
			Partitioner: kv.RangePartitioned, Durability: kv.DurabilityMemory})
		if err != nil {
			t.Fatal(err)
		}
		acknowledge(d, e)
		view := d.View()
		state := Desired(view, testSwitch)
		for _, sr := range view.SubRangesOf(k.ID) {
			for _, key := range []kv.IndexKey{sr.Interval.First, sr.Interval.Last} {
				checkRow(t, state, sr, key)
			}
		}
		for range 20 {
			key := randomKey(r)
			for _, sr := range view.SubRangesOf(k.ID) {
				if sr.Interval.Contains(key) {
					checkRow(t, state, sr, key)
				}
			}
		}
	}
}

func checkRow(t *testing.T, state tables.State, sr directory.SubRange, key kv.IndexKey) {
	t.Helper()
	row, ok := resolve(state, sr.Keyspace, key)
	if !ok {
		t.Fatalf("%v of keyspace %d resolves to nothing", key, sr.Keyspace)
	}
	want := []tables.Value{tables.Uint(uint64(sr.Chain[0])), tables.Uint(uint64(sr.Chain[1])),
		tables.Uint(uint64(sr.Chain[2])), tables.Uint(0), tables.Uint(0), tables.Uint(0)}
	for i, name := range nodeParams {
		if row.Param(name) != want[i] {
			t.Fatalf("%v: %s is %v, chain %v", key, name, row.Param(name), sr.Chain)
		}
	}
	next, more := sr.Interval.Last.Next()
	last := tables.Uint(0)
	if !more {
		last = tables.Uint(1)
	}
	if m, _ := row.Field(p4src.ID); m.Value != tables.Uint(uint64(sr.ID)) ||
		row.Param(p4src.Epoch) != tables.Uint(uint64(sr.Epoch)) ||
		row.Param(p4src.ChainLength) != tables.Uint(3) || row.Param(p4src.IsLast) != last ||
		row.Param(p4src.LastIndexKey) != tables.Bytes(sr.Interval.Last[:]) ||
		row.Param(p4src.NextIndexKey) != tables.Bytes(next[:]) {
		t.Fatalf("%v resolves to %v, want %+v", key, row, sr)
	}
}

func TestNothingLeadsToASubRangeThatIsNotCreated(t *testing.T) {
	d := testDirectory(t, 3)
	before := Desired(d.View(), testSwitch)
	k, _, err := d.CreateKeyspace(directory.CreateKeyspace{Name: "a",
		Partitioner: kv.HashPartitioned,
		Durability:  kv.DurabilityMemory})
	if err != nil {
		t.Fatal(err)
	}
	after := Desired(d.View(), testSwitch)
	if _, ok := resolve(after, k.ID, kv.MinIndexKey); ok ||
		len(after.Entries) != len(before.Entries) {
		t.Fatal("a sub-range that nobody has acknowledged is in the switch")
	}
}

// acknowledgeAll answers until nothing more is sent, and lets both switches follow.
func acknowledgeAll(d *directory.Directory, e directory.Effects) {
	for len(e.Sends) > 0 {
		var acks []directory.Ack
		for _, s := range e.Sends {
			if a := s.Assign; a != nil {
				acks = append(acks, directory.Ack{Node: s.To, SubRange: a.SubRange, Epoch: a.Epoch})
			}
		}
		e = d.Acknowledged(acks)
	}
	for range 2 { // block, then serve
		for _, name := range []string{"s1", "s2"} {
			d.SwitchSynced(name, d.Revision())
		}
	}
}

// rowOf returns the row of a sub-range.
func rowOf(t *testing.T, d *directory.Directory, id kv.SubRangeID) tables.Entry {
	t.Helper()
	for _, e := range Desired(d.View(), testSwitch).Entries {
		if m, _ := e.Field(p4src.ID); e.Table == p4src.SubRangeTable &&
			m.Value == tables.Uint(uint64(id)) {
			return e
		}
	}
	t.Fatalf("no row of %v", id)
	return tables.Entry{}
}

func TestALearnerIsInNoRow(t *testing.T) {
	d := testDirectory(t, 4)
	sr := d.SubRanges()[0]
	var learner kv.NodeID
	for _, n := range d.Nodes() {
		if sr.Chain.Position(n.ID) < 0 {
			learner = n.ID
		}
	}
	acknowledgeAll(d, directory.Effects{})
	e, err := d.AddLearner(sr.ID, learner)
	if err != nil {
		t.Fatal(err)
	}
	row := rowOf(t, d, sr.ID)
	for _, p := range row.Params {
		if p.Value == tables.Uint(uint64(learner)) {
			t.Fatalf("requests reach the learner: %v", row)
		}
	}
	if row.Param(p4src.Epoch) != tables.Uint(uint64(sr.Epoch)+1) {
		t.Fatalf("%v", row)
	}
	acknowledgeAll(d, e)
	if e, err = d.Promote(sr.ID, sr.Chain[0]); err != nil {
		t.Fatal(err)
	}
	acknowledgeAll(d, e)
	row = rowOf(t, d, sr.ID)
	if row.Action != p4src.Serve || row.Param(p4src.Node2) != tables.Uint(uint64(learner)) ||
		row.Param(p4src.Node0) != tables.Uint(uint64(sr.Chain[1])) {
		t.Fatalf("%v", row)
	}
}

func TestABlockedSubRangeAnswersNobody(t *testing.T) {
	d := testDirectory(t, 4)
	acknowledgeAll(d, directory.Effects{})
	sr := d.SubRanges()[0]
	upper, e, err := d.Split(sr.ID, kv.IndexKey{0x80})
	if err != nil {
		t.Fatal(err)
	}
	more, err := d.Evict(upper, sr.Chain[:1]) // before any switch knows where the upper part begins
	if err != nil {
		t.Fatal(err)
	}
	row := rowOf(t, d, upper)
	if row.Action != p4src.Block || len(row.Params) != 0 {
		t.Fatalf("%v", row)
	}
	e.Sends = append(e.Sends, more.Sends...)
	acknowledgeAll(d, e)
	if row = rowOf(t, d, upper); row.Action != p4src.Serve {
		t.Fatalf("%v", row)
	}
}

func TestEveryKeyResolvesAfterSplitsAndMerges(t *testing.T) {
	d := testDirectory(t, 3)
	r := rand.New(rand.NewPCG(7, 7))
	k, e, err := d.CreateKeyspace(directory.CreateKeyspace{Name: "a", SubRanges: 2, Replication: 3,
		Partitioner: kv.RangePartitioned, Durability: kv.DurabilityMemory})
	if err != nil {
		t.Fatal(err)
	}
	acknowledgeAll(d, e)
	for range 30 {
		parts := d.SubRangesOf(k.ID)
		at := r.IntN(len(parts))
		_, e, _ := d.Split(parts[at].ID, randomKey(r))
		if at > 0 && r.IntN(2) == 0 {
			e, _ = d.Freeze(parts[at-1].ID, parts[at].ID)
			acknowledgeAll(d, e)
			e, _ = d.Absorb(parts[at-1].ID, parts[at].ID)
		}
		state := Desired(d.View(), testSwitch) // already before the nodes have heard of it
		for _, sr := range d.SubRangesOf(k.ID) {
			checkRow(t, state, sr, sr.Interval.First)
			checkRow(t, state, sr, sr.Interval.Last)
		}
		acknowledgeAll(d, e)
	}
	if len(d.SubRangesOf(k.ID)) < 3 {
		t.Fatalf("%+v", d.SubRangesOf(k.ID))
	}
}

func TestRoutesPreferWhatIsSurelyKnown(t *testing.T) {
	d := testDirectory(t, 2)
	sw := testSwitch
	node, own, host := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.254.0.1"),
		netip.MustParseAddr("10.1.0.1")
	liar := wire.MAC{2, 9, 9, 9, 9, 9}
	sw.Local = []Route{{Addr: own, MAC: wire.MAC{2, 1}, Port: p4src.CPUPort}}
	sw.Hosts = []Route{{node, liar, 9, ""}, {own, liar, 9, ""}, {host, wire.MAC{2, 3}, 7, "s1"}}
	sw.Silent = []Route{{netip.MustParseAddr("10.1.0.2"), wire.MAC{2, 4}, 8, "s1"}}
	ports := map[tables.Value]tables.Value{}
	known := 0
	for _, e := range Desired(d.View(), sw).Entries {
		switch e.Table {
		case p4src.IPv4Table:
			m, _ := e.Field(p4src.DstAddr)
			if _, twice := ports[m.Value]; twice {
				t.Fatalf("two routes to %v", m.Value)
			}
			ports[m.Value] = e.Param(p4src.Port)
		case p4src.LearnTable:
			known++
		}
	}
	if ports[address(node)] != tables.Uint(1) ||
		ports[address(own)] != tables.Uint(p4src.CPUPort) ||
		ports[address(host)] != tables.Uint(7) || len(ports) != 5 || known != 3 {
		t.Fatalf("ports %v, %d known", ports, known)
	}
}

func TestNodesOfAnotherSwitchHaveNoRouteHere(t *testing.T) {
	d := testDirectory(t, 1)
	sw := testSwitch
	sw.Name = "s2"
	for _, e := range Desired(d.View(), sw).Entries {
		if e.Table == p4src.IPv4Table {
			t.Fatalf("%v", e)
		}
	}
}

// TestASwitchThatStartsEmptyServesNobodyBeforeItKnowsEverything: what it resolves too early it
// answers with NO_KEYSPACE.
func TestASwitchThatStartsEmptyServesNobodyBeforeItKnowsEverything(t *testing.T) {
	desired := Desired(testDirectory(t, 3).View(), testSwitch)
	batches := reconcile.Plan(desired, tables.State{}, Order, 0)
	for _, u := range batches[len(batches)-1] {
		if u.Entry == nil || u.Entry.Table != p4src.ServiceTable {
			t.Errorf("the last batch of a plan for an empty switch has %v", u)
		}
	}
	batches = reconcile.Plan(tables.State{}, desired, Order, 0)
	at := slices.IndexFunc(batches, func(b reconcile.Batch) bool {
		return b[0].Entry.Table == p4src.PartitionTable
	})
	for _, u := range slices.Concat(batches[at:]...) {
		if u.Entry.Table == p4src.ServiceTable {
			t.Errorf("%v comes after removals from the partition table", u)
		}
	}
}

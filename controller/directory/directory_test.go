package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

var testLimits = Limits{SubRanges: 64, PartitionEntries: 600}

func newDirectory(t *testing.T, expect int) *Directory {
	t.Helper()
	d, err := New(Config{Limits: testLimits, ExpectNodes: expect, Switches: []string{"s1"}},
		Snapshot{Meta: Meta{ClusterID: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func helloOf(i int, persistent bool) Hello {
	return Hello{ClusterID: "c", Node: Node{
		ID: kv.NodeID(0x0a000001 + i), MAC: wire.MAC{2, 0, 0, 0, 0, byte(i + 1)}, Port: uint32(i +
			1),
		Persistent: persistent, Incarnation: 1,
	}}
}

// settle plays obedient nodes, switch and system keyspace until nothing is owed.
func settle(t *testing.T, d *Directory, e Effects) {
	t.Helper()
	for range 20 {
		acks := acksFor(e)
		publications := e.Publications
		e = d.Acknowledged(acks)
		publications = append(publications, e.Publications...)
		synced := d.SwitchSynced("s1", d.Revision())
		e.Sends = append(e.Sends, synced.Sends...)
		publications = append(publications, synced.Publications...)
		for _, p := range publications {
			more := d.Published(p)
			e.Publications = append(e.Publications, more.Publications...)
		}
		e.Publications = nil
		synced = d.SwitchSynced("s1", d.Revision())
		e.Sends = append(e.Sends, synced.Sends...)
		e.Publications = append(e.Publications, synced.Publications...)
		if len(e.Sends) == 0 && len(e.Publications) == 0 {
			return
		}
	}
	t.Fatal("directory does not settle")
}

func acksFor(e Effects) (acks []Ack) {
	for _, s := range e.Sends {
		if s.Assign != nil {
			acks = append(acks, Ack{Node: s.To, SubRange: s.Assign.SubRange, Epoch: s.Assign.Epoch})
		} else {
			acks = append(acks, Ack{Node: s.To, SubRange: s.Revoke.SubRange, Epoch: s.Revoke.Epoch,
				Revoke: true})
		}
	}
	return acks
}

func cluster(t *testing.T, nodes int, persistent bool) *Directory {
	t.Helper()
	d := newDirectory(t, nodes)
	for i := range nodes {
		e, err := d.Hello(helloOf(i, persistent))
		if err != nil {
			t.Fatal(err)
		}
		settle(t, d, e)
	}
	return d
}

func usersKeyspace() CreateKeyspace {
	return CreateKeyspace{Name: "users", Partitioner: kv.HashPartitioned,
		Durability:  kv.DurabilitySync,
		Replication: 3, SubRanges: 8}
}

func TestSystemKeyspaceWaitsForTheExpectedNodes(t *testing.T) {
	d := newDirectory(t, 5)
	for i := range 5 {
		e, err := d.Hello(helloOf(i, true))
		if err != nil {
			t.Fatal(err)
		}
		k, ok := d.Keyspace(kv.SystemKeyspace)
		if ok != (i == 4) {
			t.Fatalf("after %d nodes: system keyspace %v", i+1, ok)
		}
		if ok && (k.Replication != 3 || k.Durability != kv.DurabilitySync) {
			t.Fatalf("system keyspace %+v", k)
		}
		settle(t, d, e)
	}
	if k, _ := d.Keyspace(kv.SystemKeyspace); k.Phase != PhaseReady {
		t.Fatalf("system keyspace is %v", k.Phase)
	}
}

func TestSystemKeyspaceIsInMemoryWhereNothingIsPersistent(t *testing.T) {
	d := cluster(t, 2, false)
	k, _ := d.Keyspace(kv.SystemKeyspace)
	if k.Durability != kv.DurabilityMemory || k.Replication != 2 {
		t.Fatalf("system keyspace %+v", k)
	}
}

func TestSubRangeReachesTheSwitchOnlyAfterAllMembersAcknowledged(t *testing.T) {
	d := cluster(t, 3, true)
	before := d.Revision()
	k, e, err := d.CreateKeyspace(CreateKeyspace{Name: "a", Partitioner: kv.RangePartitioned,
		Durability: kv.DurabilitySync, Replication: 3, SubRanges: 1})
	if err != nil {
		t.Fatal(err)
	}
	acks := acksFor(e)
	for i, a := range acks {
		e = d.Acknowledged([]Ack{a, a}) // twice, as after a reconnection
		s := d.SubRangesOf(k.ID)[0]
		if last := i == len(acks)-1; s.Created != last || (d.Revision() > before) != last {
			t.Fatalf("after %d acks: created %v, revision %d -> %d", i+1, s.Created, before,
				d.Revision())
		}
	}
	for _, s := range e.Sends {
		if s.Assign.Create {
			t.Fatalf("%v may begin empty after the sub-range has been created", s.To)
		}
	}
	if len(e.Sends) != 3 || len(e.Publications) != 0 {
		t.Fatalf("effects %+v: want 3 assignments, and nothing published before the switch is synced", e)
	}
	if e = d.SwitchSynced("s1", d.Revision()); len(e.Publications) != 1 {
		t.Fatalf("after the switch has it: %+v", e)
	}
}

func TestDropErasesOnlyAfterTheSwitchHasForgotten(t *testing.T) {
	d := cluster(t, 3, true)
	_, e, err := d.CreateKeyspace(usersKeyspace())
	if err != nil {
		t.Fatal(err)
	}
	settle(t, d, e)
	e, err = d.DropKeyspace("users")
	if err != nil || len(e.Sends) != 0 || len(e.Publications) != 1 || !e.Publications[0].Delete {
		t.Fatalf("drop: %+v, %v", e, err)
	}
	if e = d.Published(e.Publications[0]); len(e.Sends) != 0 {
		t.Fatalf("nodes told while the switch still sends: %+v", e.Sends)
	}
	e = d.SwitchSynced("s1", d.Revision())
	if len(e.Sends) != 8*3 || e.Sends[0].Revoke == nil || !e.Sends[0].Revoke.Erase {
		t.Fatalf("after the switch: %+v", e.Sends)
	}
}

func TestAnIDIsUsedAgainOnlyAtAHigherEpochAndWhenErased(t *testing.T) {
	d := cluster(t, 3, true)
	c := usersKeyspace()
	c.SubRanges = 62 // all but the one of the system keyspace: ids 2 to 63
	_, e, err := d.CreateKeyspace(c)
	if err != nil {
		t.Fatal(err)
	}
	settle(t, d, e)
	e, _ = d.DropKeyspace("users")
	d.Published(e.Publications[0])
	e = d.SwitchSynced("s1", d.Revision())
	if _, _, err := d.CreateKeyspace(c); !errors.Is(err, ErrCapacity) {
		t.Fatalf("ids given out before the nodes erased them: %v", err)
	}
	settle(t, d, e)
	k, _, err := d.CreateKeyspace(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range d.SubRangesOf(k.ID) {
		if s.Epoch != 2 {
			t.Fatalf("%v starts again at %v", s.ID, s.Epoch)
		}
	}
}

func TestSyncKeyspaceNeedsPersistentNodes(t *testing.T) {
	d := newDirectory(t, 4)
	for i := range 4 {
		e, err := d.Hello(helloOf(i, i < 2))
		if err != nil {
			t.Fatal(err)
		}
		settle(t, d, e)
	}
	_, _, err := d.CreateKeyspace(usersKeyspace())
	if !errors.Is(err, ErrNodes) || !strings.Contains(err.Error(), "persistent engine") {
		t.Fatalf("three replicas on two persistent nodes: %v", err)
	}
	c := usersKeyspace()
	c.Replication = 2
	k, _, err := d.CreateKeyspace(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range d.SubRangesOf(k.ID) {
		for _, n := range s.Chain {
			if node, _ := d.Node(n); !node.Persistent {
				t.Fatalf("%v on %v, which forgets", s.ID, n)
			}
		}
	}
}

func TestCutsBecomeIntervals(t *testing.T) {
	d := cluster(t, 3, true)
	c := CreateKeyspace{Name: "a", Partitioner: kv.RangePartitioned,
		Durability: kv.DurabilityMemory}
	for _, cut := range []string{"user3", "user6"} {
		c.Cuts = append(c.Cuts, kv.RangePartitioned.IndexKey([]byte(cut)))
	}
	k, _, err := d.CreateKeyspace(c)
	if err != nil {
		t.Fatal(err)
	}
	parts := d.SubRangesOf(k.ID)
	if len(parts) != 3 || parts[1].Interval.First != c.Cuts[0] ||
		parts[2].Interval.First != c.Cuts[1] {
		t.Fatalf("%+v", parts)
	}
	c.Name = "b"
	c.Cuts[0], c.Cuts[1] = c.Cuts[1], c.Cuts[0]
	if _, _, err := d.CreateKeyspace(c); !errors.Is(err, ErrInvalid) {
		t.Fatalf("descending cuts: %v", err)
	}
}

func TestAnyNumberOfSubRangesIsCheap(t *testing.T) {
	for n := 1; n <= 300; n++ {
		parts := cheapSplit(n)
		at, more := kv.MinIndexKey, true
		for _, p := range parts {
			if cost := len(p.Cover()); cost > 12 || p.First != at || !more || p.Last.Less(p.First) {
				t.Fatalf("%d: %v costs %d and should start at %v", n, p, cost, at)
			}
			at, more = p.Last.Next()
		}
		if more || len(parts) != n {
			t.Fatalf("%d: %d parts, the last ends below %v", n, len(parts), at)
		}
	}
}

func TestHelloIsCheckedBeforeAnythingChanges(t *testing.T) {
	d := cluster(t, 3, true)
	for want, spoil := range map[error]func(*Hello){
		ErrWrongCluster: func(h *Hello) { h.ClusterID = "another" },
		ErrStaleNode:    func(h *Hello) { h.Incarnation = 4 },
		ErrInvalid:      func(h *Hello) { h.Switch = "s2" },
	} {
		h := helloOf(0, true)
		h.Incarnation = 5
		if _, err := d.Hello(h); err != nil {
			t.Fatal(err)
		}
		before := d.Snapshot()
		spoil(&h)
		if _, err := d.Hello(h); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		if !reflect.DeepEqual(before, d.Snapshot()) {
			t.Errorf("%v: refused, and yet something changed", want)
		}
	}
}

func TestReconnectionSendsAllAssignmentsAgain(t *testing.T) {
	d := cluster(t, 3, true)
	_, e, err := d.CreateKeyspace(usersKeyspace())
	if err != nil {
		t.Fatal(err)
	}
	settle(t, d, e)
	revision := d.Revision()
	e, err = d.Hello(helloOf(1, true))
	if err != nil || len(e.Sends) != 8+1 || len(e.Changes) != 0 || d.Revision() != revision {
		t.Fatalf("%d sends, %d changes, revision %d -> %d, %v", len(e.Sends), len(e.Changes),
			revision,
			d.Revision(), err)
	}
}

func TestForeignStateIsRevokedOnlyWhenItIsSurelyOurs(t *testing.T) {
	d := cluster(t, 3, true)
	e, err := d.Hello(helloOf(3, true))
	if err != nil || len(e.Sends) != 0 {
		t.Fatalf("an empty fourth node: %+v, %v", e, err)
	}
	h := helloOf(3, true)
	h.Held = []Held{{SubRange: 50, Epoch: 1}} // never given out
	if e, _ = d.Hello(h); len(e.Sends) != 0 {
		t.Fatalf("asked to erase what the cluster never had: %+v", e.Sends)
	}
	h.Held = []Held{{SubRange: 1, Epoch: 1}} // the system keyspace, in the epoch in force
	if e, _ = d.Hello(h); len(e.Sends) != 0 {
		t.Fatalf("asked to erase the epoch in force: %+v", e.Sends)
	}
}

// world is the slow, obvious twin: what a store holds, and what was ever promised.
type world struct {
	stored map[string]string
	epochs map[kv.SubRangeID]kv.Epoch
}

func (w *world) store(t *testing.T, e Effects) {
	for _, c := range e.Changes {
		key, value := describe(t, c)
		if c.Delete {
			delete(w.stored, key)
			continue
		}
		w.stored[key] = value
		if c.SubRange == nil {
			continue
		}
		if c.SubRange.Epoch < w.epochs[c.SubRange.ID] {
			t.Fatalf("%v goes back to %v", c.SubRange.ID, c.SubRange.Epoch)
		}
		w.epochs[c.SubRange.ID] = c.SubRange.Epoch
	}
}

func describe(t *testing.T, c Change) (key, value string) {
	t.Helper()
	var record any
	switch {
	case c.Meta != nil:
		key, record = "meta", c.Meta
	case c.Node != nil:
		key, record = "node "+c.Node.ID.String(), c.Node
	case c.Keyspace != nil:
		key, record = "keyspace "+string(rune(c.Keyspace.ID)), c.Keyspace
	case c.SubRange != nil:
		key, record = c.SubRange.ID.String(), c.SubRange
	case c.Retired != nil:
		key, record = "retired "+c.Retired.ID.String(), c.Retired
	case c.Plan != nil:
		key, record = fmt.Sprint("plan ", c.Plan.ID), c.Plan
	default:
		t.Fatal("change of nothing")
	}
	b, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(b)
}

// asStored writes a whole snapshot the way a store that saw all changes must look.
func asStored(t *testing.T, s Snapshot) map[string]string {
	out := make(map[string]string)
	put := func(c Change) { k, v := describe(t, c); out[k] = v }
	put(Change{Meta: &s.Meta})
	for _, n := range s.Nodes {
		put(Change{Node: &n})
	}
	for _, k := range s.Keyspaces {
		put(Change{Keyspace: &k})
	}
	for _, sr := range s.SubRanges {
		put(Change{SubRange: &sr})
	}
	for _, r := range s.Retired {
		put(Change{Retired: &r})
	}
	for _, p := range s.Plans {
		put(Change{Plan: &p})
	}
	return out
}

// TestRandomHistories drives a directory with everything that can happen, in any order, with
// answers that are late, repeated or never given, and controllers that restart from what was
// stored.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		d := newDirectory(t, 1+r.IntN(4))
		w := world{stored: map[string]string{}, epochs: map[kv.SubRangeID]kv.Epoch{}}
		var acks []Ack
		var publications []Publication
		for range 150 {
			before := d.Snapshot()
			e, err := randomStep(r, d, acks, publications)
			if err != nil && !reflect.DeepEqual(before, d.Snapshot()) {
				t.Fatalf("seed %d: refused (%v), and yet something changed", seed, err)
			}
			w.store(t, e)
			acks = append(acks, acksFor(e)...)
			publications = append(publications, e.Publications...)
			if err := d.Check(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			checkSends(t, d, e)
			if r.IntN(30) == 0 {
				got := asStored(t, d.Snapshot())
				if _, any := w.stored["meta"]; !any {
					delete(got, "meta") // the store writes the first one itself
				}
				if !reflect.DeepEqual(got, w.stored) {
					t.Fatalf("seed %d: stored\n%v\nbut the directory is\n%v", seed, w.stored, got)
				}
				if d, err = New(d.cfg, d.Snapshot()); err != nil {
					t.Fatalf("seed %d: restart: %v", seed, err)
				}
			}
		}
	}
}

func randomStep(r *rand.Rand, d *Directory, acks []Ack, pubs []Publication) (Effects, error) {
	names := []string{"a", "b", "c"}
	switch r.IntN(10) {
	case 0, 1:
		return d.Hello(helloOf(r.IntN(6), r.IntN(3) > 0))
	case 2:
		d.Gone(helloOf(r.IntN(6), false).ID)
	case 3:
		c := CreateKeyspace{Name: names[r.IntN(3)], Partitioner: kv.Partitioner(1 + r.IntN(2)),
			Durability: kv.Durability(1 + r.IntN(2)), Replication: r.IntN(4), SubRanges: r.IntN(30)}
		_, e, err := d.CreateKeyspace(c)
		return e, err
	case 4:
		return d.DropKeyspace(names[r.IntN(3)])
	case 5:
		return d.SwitchSynced("s1", d.Revision()-uint64(r.IntN(2))), nil
	case 6, 7, 8:
		if len(acks) > 0 {
			at := r.IntN(len(acks))
			return d.Acknowledged(acks[at:min(len(acks), at+20)]), nil
		}
	case 9:
		if len(pubs) > 0 {
			return d.Published(pubs[r.IntN(len(pubs))]), nil
		}
	}
	return Effects{}, nil
}

func checkSends(t *testing.T, d *Directory, e Effects) {
	t.Helper()
	for _, s := range e.Sends {
		switch {
		case s.Assign != nil:
			sr, ok := d.SubRange(s.Assign.SubRange)
			if !ok || s.Assign.Validate() != nil || sr.Created == s.Assign.Create ||
				sr.Chain.Position(s.To) < 0 {
				t.Fatalf("assignment %+v to %v of %+v", s.Assign, s.To, sr)
			}
		case s.Revoke != nil:
			if sr, ok := d.SubRange(s.Revoke.SubRange); ok && sr.Epoch <= s.Revoke.Epoch {
				t.Fatalf("revocation %+v of what is in force: %+v", s.Revoke, sr)
			}
		}
	}
}

// TestARestartedControllerFinishesWhatWasBegun stops at every step of creating and dropping a
// keyspace and goes on from what was stored.
func TestARestartedControllerFinishesWhatWasBegun(t *testing.T) {
	for steps := range 12 {
		d := cluster(t, 3, true)
		_, e, err := d.CreateKeyspace(usersKeyspace())
		if err != nil {
			t.Fatal(err)
		}
		take(t, d, e, steps)
		d = restart(t, d)
		if k, ok := d.KeyspaceNamed("users"); !ok || k.Phase != PhaseReady {
			t.Fatalf("restart after %d steps of creation: %+v", steps, k)
		}
		if e, err = d.DropKeyspace("users"); err != nil {
			t.Fatal(err)
		}
		take(t, d, e, steps)
		d = restart(t, d)
		if _, ok := d.KeyspaceNamed("users"); ok || len(d.SubRanges()) != 1 {
			t.Fatalf("restart after %d steps of dropping: it is still there", steps)
		}
		for _, r := range d.Snapshot().Retired {
			if len(r.Pending) > 0 {
				t.Fatalf("restart after %d steps of dropping: %+v", steps, r)
			}
		}
	}
}

// take plays so many single steps of nodes, switch and system keyspace.
func take(t *testing.T, d *Directory, e Effects, steps int) {
	t.Helper()
	for range steps {
		var more Effects
		switch {
		case len(e.Sends) > 8:
			more = d.Acknowledged(acksFor(Effects{Sends: e.Sends[:8]}))
			e.Sends = e.Sends[8:]
		case len(e.Publications) > 0:
			more = d.Published(e.Publications[0])
			e.Publications = e.Publications[1:]
		case len(e.Sends) > 0:
			more, e.Sends = d.Acknowledged(acksFor(e)), nil
		default:
			more = d.SwitchSynced("s1", d.Revision())
		}
		e.Sends = append(e.Sends, more.Sends...)
		e.Publications = append(e.Publications, more.Publications...)
	}
}

// restart makes a directory of what was stored, and lets everybody come back.
func restart(t *testing.T, d *Directory) *Directory {
	t.Helper()
	again, err := New(d.cfg, d.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var all Effects
	for i, n := range d.Nodes() {
		if i == 1 { // the switch comes back before the last nodes
			synced := again.SwitchSynced("s1", again.Revision())
			all.Sends = append(all.Sends, synced.Sends...)
			all.Publications = append(all.Publications, synced.Publications...)
		}
		e, err := again.Hello(Hello{Node: n, ClusterID: "c"})
		if err != nil {
			t.Fatal(err)
		}
		all.Sends = append(all.Sends, e.Sends...)
		all.Publications = append(all.Publications, e.Publications...)
	}
	settle(t, again, all)
	return again
}

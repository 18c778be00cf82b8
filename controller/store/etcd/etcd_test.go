package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/store/etcd/etcdtest"
	"github.com/turbokv/turbokv/kv"
)

func open(t testing.TB, endpoint, name string) *Candidate {
	t.Helper()
	c, err := Open(t.Context(), Config{
		Client: clientv3.Config{Endpoints: []string{endpoint}}, Name: name,
		NewClusterID: func() string { return "cluster-1" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // closed twice where a test plays a dead controller
	return c
}

func lead(t testing.TB, c *Candidate) *Store {
	t.Helper()
	s, err := c.Lead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func load(t testing.TB, s *Store) directory.Snapshot {
	t.Helper()
	snap, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// someChanges puts n sub-ranges and one record of each other kind.
func someChanges(n int) []directory.Change {
	changes := []directory.Change{
		{Meta: &directory.Meta{ClusterID: "cluster-1", NextSubRange: kv.SubRangeID(n + 1)}},
		{Node: &directory.Node{ID: 7, Port: 3, Incarnation: 9}},
		{Keyspace: &directory.Keyspace{Descriptor: kv.Descriptor{Name: "k", ID: 4}}},
		{Retired: &directory.Retired{ID: 9999, Epoch: 5}},
		{Plan: &directory.Plan{ID: 3, Kind: directory.PlanMove, SubRange: 1, To: 8}},
	}
	for i := range n {
		changes = append(changes, directory.Change{SubRange: &directory.SubRange{
			ID: kv.SubRangeID(i + 1), Keyspace: 4, Epoch: 2, Chain: kv.Chain{7, 8},
		}})
	}
	return changes
}

func TestWhatIsStoredIsLoaded(t *testing.T) {
	endpoint := etcdtest.Start(t)
	for _, n := range []int{3, 1000} { // one transaction, and the journal
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := open(t, endpoint, "a")
			s := lead(t, c)
			if err := s.Commit(someChanges(n)); err != nil {
				t.Fatal(err)
			}
			before := load(t, s)
			if len(before.SubRanges) != n || len(before.Nodes) != 1 || len(before.Retired) != 1 || len(before.Plans) != 1 ||
				before.Meta.NextSubRange != kv.SubRangeID(n+1) {
				t.Fatalf("loaded %d sub-ranges, %d nodes, %d retired ids, %+v", len(before.SubRanges),
					len(before.Nodes), len(before.Retired), before.Meta)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			next := lead(t, open(t, endpoint, "b"))
			if after := load(t, next); !reflect.DeepEqual(before, after) {
				t.Fatal("the next leader loads something else than was stored")
			}
			one := directory.SubRange{ID: 1}
			if err := next.Commit([]directory.Change{{SubRange: &one}, {SubRange: &one, Delete: true}}); err != nil {
				t.Fatal(err)
			}
			if left := load(t, next); len(left.SubRanges) != n-1 {
				t.Fatalf("%d sub-ranges after one was deleted", len(left.SubRanges))
			}
			if err := next.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestTermsGrow(t *testing.T) {
	endpoint := etcdtest.Start(t)
	var last uint64
	for range 3 {
		s := lead(t, open(t, endpoint, "a"))
		term, err := s.NextTerm()
		if err != nil || term <= last {
			t.Fatalf("term %d after %d: %v", term, last, err)
		}
		last = term
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestANewLeaderFinishesALargeCommit kills the first leader after it has written the journal.
func TestANewLeaderFinishesALargeCommit(t *testing.T) {
	endpoint := etcdtest.Start(t)
	c := open(t, endpoint, "a")
	s := lead(t, c)
	changes := someChanges(500)
	journal, err := packJournal(changes)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.txn(s.ctx, clientv3.OpPut(c.key("journal"), string(journal))); err != nil {
		t.Fatal(err)
	}
	die(t, c)
	if snap := load(t, lead(t, open(t, endpoint, "b"))); len(snap.SubRanges) != 500 {
		t.Fatalf("%d of 500 sub-ranges", len(snap.SubRanges))
	}
}

// die ends the connection of a controller without a word to etcd, as SIGKILL does.
func die(t testing.TB, c *Candidate) {
	t.Helper()
	if err := c.client.ActiveConnection().Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAStandbyTakesOverADeadLeader(t *testing.T) {
	endpoint := etcdtest.Start(t)
	first := open(t, endpoint, "first")
	dead := lead(t, first)
	second := open(t, endpoint, "second")
	leads := make(chan *Store, 1)
	go func() {
		s, err := second.Lead(t.Context())
		if err != nil {
			t.Error(err)
		}
		leads <- s
	}()
	if name, err := second.Leader(t.Context()); err != nil || name != "first" {
		t.Fatalf("%q leads, %v: want first", name, err)
	}
	die(t, first)
	began := time.Now()
	s := <-leads
	t.Logf("took over after %v", time.Since(began).Round(time.Millisecond))
	if name, err := second.Leader(t.Context()); err != nil || name != "second" {
		t.Fatalf("%q leads, %v: want second", name, err)
	}
	<-dead.Lost()
	if err := s.Commit(someChanges(1)); err != nil {
		t.Fatal(err)
	}
}

// TestADeposedLeaderStoresNothing takes the leadership away behind a leader's back.
func TestADeposedLeaderStoresNothing(t *testing.T) {
	endpoint := etcdtest.Start(t)
	old := lead(t, open(t, endpoint, "old"))
	if err := old.Commit(someChanges(1)); err != nil {
		t.Fatal(err)
	}
	c := open(t, endpoint, "new")
	if _, err := c.client.Revoke(t.Context(), old.session.Lease()); err != nil {
		t.Fatal(err)
	}
	s := lead(t, c)
	before := load(t, s)
	for _, n := range []int{5, 500} {
		if err := old.Commit(someChanges(n)); !errors.Is(err, ErrDeposed) {
			t.Fatalf("commit of %d changes by a deposed leader: %v", n, err)
		}
	}
	<-old.Lost()
	if after := load(t, s); !reflect.DeepEqual(before, after) {
		t.Fatal("a deposed leader has changed the store")
	}
}

// TestALeaderThatBeatsIsLeftAlone lets a standby look at a healthy leader for several patiences.
func TestALeaderThatBeatsIsLeftAlone(t *testing.T) {
	endpoint := etcdtest.Start(t)
	s := lead(t, open(t, endpoint, "leader"))
	standby := open(t, endpoint, "standby")
	var seen silence
	who, err := standby.leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 15 {
		before, err := standby.client.Get(t.Context(), standby.key("beat"))
		if err != nil {
			t.Fatal(err)
		}
		standby.lookAtLeader(t.Context(), time.Now(), &seen)
		awaitBeatAfter(t, standby, before.Header.Revision)
	}
	if now, err := standby.leader(t.Context()); err != nil || now != who {
		t.Fatalf("leader was %+v, is %+v, %v", who, now, err)
	}
	select {
	case <-s.Lost():
		t.Fatal("a healthy leader was deposed")
	default:
	}
}

func awaitBeatAfter(t testing.TB, c *Candidate, revision int64) {
	t.Helper()
	for r := range c.client.Watch(t.Context(), c.key("beat"), clientv3.WithRev(revision+1)) {
		if r.Err() != nil || len(r.Events) > 0 {
			return
		}
	}
}

func TestSilenceIsCountedFromTheLastBeat(t *testing.T) {
	var s silence
	t0 := time.Now()
	for i, step := range []struct {
		after time.Duration
		lease clientv3.LeaseID
		beat  string
		want  time.Duration
	}{
		{0, 1, "a", 0}, {time.Second, 1, "a", time.Second}, {2 * time.Second, 1, "b", 0},
		{3 * time.Second, 1, "b", time.Second}, {4 * time.Second, 2, "b", 0},
	} {
		if got := s.observe(t0.Add(step.after), step.lease, step.beat); got != step.want {
			t.Errorf("step %d: silent for %v, want %v", i, got, step.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	good, err := ParseAddress("etcd://a:2379,10.0.0.1:2379/lab/one/")
	if err != nil || good.Prefix != "lab/one" ||
		!reflect.DeepEqual(good.Client.Endpoints, []string{"a:2379", "10.0.0.1:2379"}) {
		t.Fatalf("%+v, %v", good, err)
	}
	for _, bad := range []string{"", "file", "etcd://", "etcd://host", "etcd://a:1,/x", "etcd://u@a:1"} {
		if _, err := ParseAddress(bad); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzJournal(f *testing.F) {
	good, err := packJournal(someChanges(3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("nonsense"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		if _, err := unpackJournal(packed); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

// TestEveryKindOfRecordIsStored fails when the directory gets a record that this package forgets.
func TestEveryKindOfRecordIsStored(t *testing.T) {
	kinds := reflect.TypeFor[directory.Change]()
	for i := range kinds.NumField() {
		if kinds.Field(i).Type.Kind() != reflect.Pointer {
			continue
		}
		var c directory.Change
		record := reflect.New(kinds.Field(i).Type.Elem())
		reflect.ValueOf(&c).Elem().Field(i).Set(record)
		name, _ := keyOf(c)
		value, err := json.Marshal(record.Interface())
		if name == "" || err != nil {
			t.Errorf("%s is not stored, %v", kinds.Field(i).Name, err)
			continue
		}
		var snap, empty directory.Snapshot
		if err := take(&snap, name, value); err != nil {
			t.Error(err)
		}
		if name != "meta/directory" && reflect.DeepEqual(snap, empty) {
			t.Errorf("%s is stored and not loaded", kinds.Field(i).Name)
		}
	}
}

// TestACommitThatFailsEndsTheTerm: what became of it is not known, so this leader must load again.
func TestACommitThatFailsEndsTheTerm(t *testing.T) {
	c := open(t, etcdtest.Start(t), "a")
	s := lead(t, c)
	die(t, c)
	if err := s.Commit(someChanges(1)); err == nil {
		t.Fatal("committed without a connection")
	}
	select {
	case <-s.Lost():
	default:
		t.Fatal("the term goes on")
	}
}

package store

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
	bolt "go.etcd.io/bbolt"
)

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, func() string { return "cluster-1" })
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

// history makes a directory live through random commands, each stored, and returns what it ended
// as.
func history(t *testing.T, r *rand.Rand, s *Store) directory.Snapshot {
	d, err := directory.New(directory.Config{
		Limits:   directory.Limits{SubRanges: 100, PartitionEntries: 1000},
		Switches: []string{"s1"},
	}, load(t, s))
	if err != nil {
		t.Fatal(err)
	}
	commit := func(e directory.Effects) {
		if err := s.Commit(e.Changes); err != nil {
			t.Fatal(err)
		}
		var acks []directory.Ack
		for _, send := range e.Sends {
			if send.Assign != nil && r.IntN(3) > 0 {
				acks = append(acks, directory.Ack{Node: send.To, SubRange: send.Assign.SubRange,
					Epoch: send.Assign.Epoch})
			}
		}
		if err := s.Commit(d.Acknowledged(acks).Changes); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		e, err := d.Hello(directory.Hello{Node: directory.Node{
			ID: kv.NodeID(0x0a000001 + i), MAC: wire.MAC{2, byte(i)}, Port: 1, Persistent: true,
			Incarnation: 1}})
		if err != nil {
			t.Fatal(err)
		}
		commit(e)
	}
	for i := range 5 + r.IntN(10) {
		_, e, _ := d.CreateKeyspace(directory.CreateKeyspace{Name: string(rune('a' + i)),
			Partitioner: kv.HashPartitioned, Durability: kv.DurabilitySync, Replication: 2,
			SubRanges: 1 + r.IntN(5)})
		commit(e)
		e, _ = d.DropKeyspace(string(rune('a' + r.IntN(i+1))))
		commit(e)
		for _, p := range e.Publications {
			commit(d.Published(p))
		}
		reconfigure(r, d, commit)
	}
	return d.Snapshot()
}

// reconfigure makes records of every kind that a change of a sub-range leaves, done or half done.
func reconfigure(r *rand.Rand, d *directory.Directory, commit func(directory.Effects)) {
	commit(d.SwitchSynced("s1", d.Revision()))
	for _, s := range d.SubRanges() {
		var e directory.Effects
		switch r.IntN(5) {
		case 0:
			e, _ = d.Evict(s.ID, s.Chain[:1])
		case 1:
			e, _ = d.AddLearner(s.ID, kv.NodeID(0x0a000001+r.IntN(4)))
		case 2:
			cut := s.Interval.Last
			_, e, _ = d.Split(s.ID, cut)
		case 3:
			_, e, _ = d.PutPlan(directory.Plan{Kind: directory.PlanReorder, SubRange: s.ID,
				Cause: directory.CauseBalancer, Chain: s.Chain, Why: "why"})
		case 4:
			if plans := d.Plans(); len(plans) > 0 {
				e = d.DeletePlan(plans[0].ID)
			}
		}
		commit(e)
	}
	if e, err := d.SetDraining(0x0a000002, r.IntN(2) == 0); err == nil {
		commit(e)
	}
}

func TestDirectorySurvivesReopening(t *testing.T) {
	for seed := range uint64(10) {
		path := filepath.Join(t.TempDir(), "store")
		s := open(t, path)
		want := history(t, rand.New(rand.NewPCG(seed, 5)), s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
		if got := load(t, s); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got\n%+v\nwant\n%+v", seed, got, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClusterIDIsDrawnOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, func() string { t.Error("drawn again"); return "cluster-2" })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if id := load(t, s).Meta.ClusterID; id != "cluster-1" {
		t.Fatalf("cluster id %q", id)
	}
}

func TestTermsGrowOverRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	for want := uint64(1); want < 4; want++ {
		s := open(t, path)
		if term, err := s.NextTerm(); err != nil || term != want {
			t.Fatalf("term %d, %v; want %d", term, err, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFailedCommitStoresNothing(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store"))
	defer s.Close()
	before := load(t, s)
	err := s.Commit([]directory.Change{{Node: &directory.Node{ID: 1}}, {}})
	if err == nil || !reflect.DeepEqual(before, load(t, s)) {
		t.Fatalf("error %v, stored %+v", err, load(t, s))
	}
}

func TestAnUnknownSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path)
	err := s.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keySchema, number(SchemaVersion+1))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, nil); !errors.Is(err, ErrSchema) {
		t.Fatal(err)
	}
}

// version1 makes a file as version 1 of the schema has it, with the records of a small cluster.
func version1(t *testing.T, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	line := `{"First":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"Last":[255,255,255,255,255,255,255,255,255,` +
		`255,255,255,255,255,255,255]}`
	rows := []struct {
		bucket, key []byte
		value       string
	}{
		{bucketMeta, keyDirectory, `{"cluster_id":"old","next_sub_range":4,"next_keyspace":2}`},
		{bucketMeta, keySchema, string(number(1))},
		{bucketMeta, keyTerm, string(number(17))},
		{bucketNodes, idKey(0x0a000001), `{"id":167772161,"mac":[2,0,0,0,0,1],"switch":"s1",` +
			`"port":1,"persistent":true,"incarnation":5}`},
		{bucketNodes, idKey(0x0a000002), `{"id":167772162,"mac":[2,0,0,0,0,2],"switch":"s1",` +
			`"port":2,"persistent":true,"incarnation":6}`},
		{bucketKeyspaces, idKey(0), `{"name":"system","id":0,"partitioner":1,"durability":2,` +
			`"replication":2,"phase":2}`},
		{bucketKeyspaces, idKey(1), `{"name":"users","id":1,"partitioner":1,"durability":2,` +
			`"replication":2,"phase":1}`},
		{bucketSubRanges, idKey(1), `{"id":1,"keyspace":0,"interval":` + line + `,"epoch":1,` +
			`"chain":[167772161,167772162],"created":true,"acked":[167772161,167772162]}`},
		{bucketSubRanges, idKey(3), `{"id":3,"keyspace":1,"interval":` + line + `,"epoch":4,` +
			`"chain":[167772162,167772161],"created":false,"acked":[167772161]}`},
		{bucketRetired, idKey(2), `{"id":2,"epoch":9,"pending":[167772161]}`},
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, row := range rows {
			b, err := tx.CreateBucketIfNotExists(row.bucket)
			if err != nil {
				return err
			}
			if err := b.Put(row.key, []byte(row.value)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAFileOfVersion1IsBroughtUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	version1(t, path)
	for range 2 { // the second time it is of version 2
		s, err := Open(path, func() string { t.Error("a new cluster"); return "" })
		if err != nil {
			t.Fatal(err)
		}
		snap := load(t, s)
		if _, err := directory.New(directory.Config{Switches: []string{"s1"},
			Limits: directory.Limits{SubRanges: 9, PartitionEntries: 9}}, snap); err != nil {
			t.Fatal(err)
		}
		if len(snap.SubRanges) != 2 || len(snap.Nodes) != 2 || len(snap.Retired) != 1 ||
			snap.Meta.ClusterID != "old" ||
			!slices.Equal(snap.SubRanges[0].Since, []kv.Epoch{1, 1}) ||
			!slices.Equal(snap.SubRanges[1].Since, []kv.Epoch{4, 4}) ||
			!slices.Equal(snap.SubRanges[1].Acked, []kv.NodeID{0x0a000001}) {
			t.Fatalf("%+v", snap)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, path)
	defer s.Close()
	if term, err := s.NextTerm(); err != nil || term != 18 {
		t.Fatalf("term %d, %v: must go on", term, err)
	}
	plan := directory.Plan{ID: 1, Kind: directory.PlanMove, SubRange: 1, Cause: directory.CauseDrain}
	if err := s.Commit([]directory.Change{{Plan: &plan}}); err != nil {
		t.Fatal(err)
	}
	if got := load(t, s).Plans; !reflect.DeepEqual(got, []directory.Plan{plan}) {
		t.Fatalf("%+v", got)
	}
}

// TestADamagedFileOfVersion1StaysAsItIs: all or nothing of it is brought up.
func TestADamagedFileOfVersion1StaysAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	version1(t, path)
	damage := func(value string) {
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bolt.Tx) error {
			if tx.Bucket(bucketPlans) != nil ||
				binary.BigEndian.Uint64(tx.Bucket(bucketMeta).Get(keySchema)) != 1 {
				t.Error("half of it is of version 2")
			}
			return tx.Bucket(bucketSubRanges).Put(idKey(3), []byte(value))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	damage(`{"id":4}`)
	if _, err := Open(path, nil); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	damage(`{"id":3}`)
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
}

// FuzzLoad puts arbitrary bytes where records are expected: the answer is an error or a snapshot,
// never a panic.
func FuzzLoad(f *testing.F) {
	f.Add(uint8(0), uint32(1), []byte(`{"id":1,"mac":[2,0,0,0,0,1]}`))
	f.Add(uint8(2), uint32(3), []byte(`{"id":3,"chain":[1,2],"interval":{}}`))
	f.Add(uint8(4), uint32(0), []byte(`{"cluster_id":7}`))
	f.Add(uint8(5), uint32(1), []byte(`{"id":1,"kind":"move","sub_range":1,"cause":"drain"}`))
	f.Add(uint8(2), uint32(3), []byte(`{"id":3,"since":[1],"former":[{}],"fork_of":3}`))
	s := open(f, filepath.Join(f.TempDir(), "store"))
	s.db.NoSync = true
	f.Fuzz(func(t *testing.T, kind uint8, id uint32, value []byte) {
		buckets := [][]byte{bucketNodes, bucketKeyspaces, bucketSubRanges, bucketRetired,
			bucketMeta, bucketPlans}
		bucket, key := buckets[kind%6], idKey(id)
		switch kind % 6 {
		case 4:
			key = keyDirectory
		case 5:
			key = number(uint64(id))
		}
		err := s.db.Update(func(tx *bolt.Tx) error {
			for _, name := range [][]byte{bucketNodes, bucketKeyspaces, bucketSubRanges,
				bucketRetired, bucketPlans} {
				if err := tx.DeleteBucket(name); err != nil {
					return err
				}
				if _, err := tx.CreateBucket(name); err != nil {
					return err
				}
			}
			if err := put(tx.Bucket(bucketMeta), keyDirectory,
				directory.Meta{ClusterID: "c"}); err != nil {
				return err
			}
			return tx.Bucket(bucket).Put(key, value)
		})
		if err != nil {
			t.Fatal(err)
		}
		snap, err := s.Load()
		if err != nil {
			return
		}
		_, _ = directory.New(directory.Config{Switches: []string{"s1"},
			Limits: directory.Limits{SubRanges: 9, PartitionEntries: 9}}, snap)
	})
}

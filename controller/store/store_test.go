package store

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
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
	}
	return d.Snapshot()
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

// FuzzLoad puts arbitrary bytes where records are expected: the answer is an error or a snapshot,
// never a panic.
func FuzzLoad(f *testing.F) {
	f.Add(uint8(0), uint32(1), []byte(`{"id":1,"mac":[2,0,0,0,0,1]}`))
	f.Add(uint8(2), uint32(3), []byte(`{"id":3,"chain":[1,2],"interval":{}}`))
	f.Add(uint8(4), uint32(0), []byte(`{"cluster_id":7}`))
	s := open(f, filepath.Join(f.TempDir(), "store"))
	s.db.NoSync = true
	f.Fuzz(func(t *testing.T, kind uint8, id uint32, value []byte) {
		buckets := [][]byte{bucketNodes, bucketKeyspaces, bucketSubRanges, bucketRetired,
			bucketMeta}
		bucket, key := buckets[kind%5], binary.BigEndian.AppendUint32(nil, id)
		if kind%5 == 4 {
			key = keyDirectory
		}
		err := s.db.Update(func(tx *bolt.Tx) error {
			for _, name := range buckets[:4] {
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

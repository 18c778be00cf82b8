// Package store keeps the directory in a bbolt file: one bucket per kind of record, keys are ids,
// values are JSON, so that "bbolt get" shows what a human needs at night. All changes of one
// command are one transaction, synced to disk before it returns.
//
// The file carries a schema version. An older one is brought up to the present one when the file is
// opened, in one transaction; one that this code does not know is refused, never guessed at.
//
//	1  nodes, keyspaces, sub-ranges that never changed, retired ids
//	2  plans; sub-ranges know since when each member belongs to them
package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// SchemaVersion is what this code writes. It reads all versions from 1.
const SchemaVersion = 2

// Errors of Open and Load.
var (
	ErrInUse   = errors.New("in use by another controller")
	ErrSchema  = errors.New("unknown schema version")
	ErrCorrupt = errors.New("store is damaged")
)

// Buckets, and the keys of the bucket of which each record is the only one.
var (
	bucketMeta      = []byte("meta")
	bucketNodes     = []byte("nodes")
	bucketKeyspaces = []byte("keyspaces")
	bucketSubRanges = []byte("sub-ranges")
	bucketRetired   = []byte("retired")
	bucketPlans     = []byte("plans")

	keySchema    = []byte("schema")
	keyTerm      = []byte("term")
	keyDirectory = []byte("directory")
)

// lockTimeout is how long Open waits for another process to let go of the file: as long as one that
// is being stopped may take.
const lockTimeout = 3 * time.Second

// Store is an open file.
type Store struct{ db *bolt.DB }

// Open opens the file, and makes it if there is none, with the cluster id that newID returns.
func Open(path string, newID func() string) (*Store, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("store %s: %w", path, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	s := &Store{db: db}
	if err := db.Update(func(tx *bolt.Tx) error { return prepare(tx, newID) }); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", path, err), db.Close())
	}
	return s, nil
}

// prepare makes an empty file a store, and checks the version of any other.
func prepare(tx *bolt.Tx, newID func() string) error {
	if meta := tx.Bucket(bucketMeta); meta != nil {
		return upgrade(tx, meta)
	}
	for _, name := range [][]byte{bucketMeta, bucketNodes, bucketKeyspaces, bucketSubRanges,
		bucketRetired, bucketPlans} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	if err := meta.Put(keySchema, number(SchemaVersion)); err != nil {
		return err
	}
	return put(meta, keyDirectory, directory.Meta{ClusterID: newID()})
}

// upgrade brings a file of an older version up to the present one.
func upgrade(tx *bolt.Tx, meta *bolt.Bucket) error {
	version := meta.Get(keySchema)
	if len(version) != 8 {
		return fmt.Errorf("%w: no schema version", ErrCorrupt)
	}
	switch v := binary.BigEndian.Uint64(version); v {
	case SchemaVersion:
		return nil
	case 1:
		if err := upgradeFrom1(tx); err != nil {
			return fmt.Errorf("from schema version 1: %w", err)
		}
		return meta.Put(keySchema, number(SchemaVersion))
	default:
		return fmt.Errorf("%w %d: this program reads versions 1 to %d", ErrSchema, v, SchemaVersion)
	}
}

// upgradeFrom1 adds what version 2 has more. In version 1 the members of a sub-range never changed,
// so all belong to it since its present epoch, the only one of this use of the id.
func upgradeFrom1(tx *bolt.Tx) error {
	if _, err := tx.CreateBucketIfNotExists(bucketPlans); err != nil {
		return err
	}
	var all []directory.SubRange
	if err := records(tx, bucketSubRanges, &all, subRangeKey); err != nil {
		return err
	}
	for _, s := range all {
		s.Since = nil
		for range s.Chain {
			s.Since = append(s.Since, s.Epoch)
		}
		if err := put(tx.Bucket(bucketSubRanges), subRangeKey(s), s); err != nil {
			return err
		}
	}
	return nil
}

// Close lets go of the file.
func (s *Store) Close() error { return s.db.Close() }

// NextTerm counts the runs of the controller, from 1: it makes P4Runtime election ids that grow.
func (s *Store) NextTerm() (term uint64, err error) {
	err = s.db.Update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if old := meta.Get(keyTerm); len(old) == 8 {
			term = binary.BigEndian.Uint64(old)
		}
		term++
		return meta.Put(keyTerm, number(term))
	})
	if err != nil {
		return 0, fmt.Errorf("store: next term: %w", err)
	}
	return term, nil
}

// Load returns everything that is stored. The directory checks whether it makes sense.
func (s *Store) Load() (snap directory.Snapshot, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		raw := tx.Bucket(bucketMeta).Get(keyDirectory)
		if err := json.Unmarshal(raw, &snap.Meta); err != nil {
			return fmt.Errorf("%w: meta: %v", ErrCorrupt, err)
		}
		return errors.Join(
			records(tx, bucketNodes, &snap.Nodes, nodeKey),
			records(tx, bucketKeyspaces, &snap.Keyspaces, keyspaceKey),
			records(tx, bucketSubRanges, &snap.SubRanges, subRangeKey),
			records(tx, bucketRetired, &snap.Retired, retiredKey),
			records(tx, bucketPlans, &snap.Plans, planKey),
		)
	})
	if err != nil {
		return directory.Snapshot{}, fmt.Errorf("store: %w", err)
	}
	return snap, nil
}

// records decodes the records of one bucket, in the order of their keys, which is that of their ids.
func records[T any](tx *bolt.Tx, bucket []byte, out *[]T, keyOf func(T) []byte) error {
	b := tx.Bucket(bucket)
	if b == nil {
		return fmt.Errorf("%w: no bucket %s", ErrCorrupt, bucket)
	}
	return b.ForEach(func(key, value []byte) error {
		var record T
		if err := json.Unmarshal(value, &record); err != nil {
			return fmt.Errorf("%w: %s %x: %v", ErrCorrupt, bucket, key, err)
		}
		if want := keyOf(record); string(key) != string(want) {
			return fmt.Errorf("%w: %s %x holds the record of %x", ErrCorrupt, bucket, key, want)
		}
		*out = append(*out, record)
		return nil
	})
}

// Commit stores the changes of one command. After an error nothing of them is stored.
func (s *Store) Commit(changes []directory.Change) error {
	if len(changes) == 0 {
		return nil
	}
	err := s.db.Update(func(tx *bolt.Tx) error {
		for _, c := range changes {
			if err := apply(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: commit of %d changes: %w", len(changes), err)
	}
	return nil
}

func apply(tx *bolt.Tx, c directory.Change) error {
	bucket, key, record := place(c)
	if bucket == nil {
		return errors.New("change of nothing")
	}
	if c.Delete {
		return tx.Bucket(bucket).Delete(key)
	}
	return put(tx.Bucket(bucket), key, record)
}

// place says where the record of a change is kept.
func place(c directory.Change) (bucket, key []byte, record any) {
	switch {
	case c.Meta != nil:
		return bucketMeta, keyDirectory, c.Meta
	case c.Node != nil:
		return bucketNodes, nodeKey(*c.Node), c.Node
	case c.Keyspace != nil:
		return bucketKeyspaces, keyspaceKey(*c.Keyspace), c.Keyspace
	case c.SubRange != nil:
		return bucketSubRanges, subRangeKey(*c.SubRange), c.SubRange
	case c.Retired != nil:
		return bucketRetired, retiredKey(*c.Retired), c.Retired
	case c.Plan != nil:
		return bucketPlans, planKey(*c.Plan), c.Plan
	}
	return nil, nil, nil
}

func put(b *bolt.Bucket, key []byte, record any) error {
	value, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return b.Put(key, value)
}

// Keys are ids, big-endian, so that records come in the order of their ids.
func nodeKey(r directory.Node) []byte         { return idKey(uint32(r.ID)) }
func keyspaceKey(r directory.Keyspace) []byte { return idKey(uint32(r.ID)) }
func subRangeKey(r directory.SubRange) []byte { return idKey(uint32(r.ID)) }
func retiredKey(r directory.Retired) []byte   { return idKey(uint32(r.ID)) }
func planKey(r directory.Plan) []byte         { return number(r.ID) }

func idKey(id uint32) []byte { return binary.BigEndian.AppendUint32(nil, id) }

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/turbokv/turbokv/controller/directory"
)

// txnOps is how many operations a transaction has at most: etcd's default limit of 128, less the
// one that clears the journal.
const txnOps = 100

// keyOf says under which name the record of a change is kept, and what is kept there.
func keyOf(c directory.Change) (name string, record any) {
	switch {
	case c.Meta != nil:
		return "meta/directory", c.Meta
	case c.Node != nil:
		return fmt.Sprintf("nodes/%08x", uint32(c.Node.ID)), c.Node
	case c.Keyspace != nil:
		return fmt.Sprintf("keyspaces/%08x", uint32(c.Keyspace.ID)), c.Keyspace
	case c.SubRange != nil:
		return fmt.Sprintf("sub-ranges/%08x", uint32(c.SubRange.ID)), c.SubRange
	case c.Retired != nil:
		return fmt.Sprintf("retired/%08x", uint32(c.Retired.ID)), c.Retired
	case c.Plan != nil:
		return fmt.Sprintf("plans/%016x", c.Plan.ID), c.Plan
	}
	return "", nil
}

func (s *Store) opOf(c directory.Change) (clientv3.Op, error) {
	name, record := keyOf(c)
	if name == "" {
		return clientv3.Op{}, errors.New("etcd: change of nothing")
	}
	if c.Delete {
		return clientv3.OpDelete(s.candidate.key(name)), nil
	}
	value, err := json.Marshal(record)
	return clientv3.OpPut(s.candidate.key(name), string(value)), err
}

// Commit stores the changes of one command. After ErrDeposed nothing of them is stored; after any
// other error all or nothing is, and the caller must not go on without loading again.
func (s *Store) Commit(changes []directory.Change) error {
	changes = lastOfEach(changes)
	if len(changes) > txnOps {
		return s.commitLarge(s.ctx, changes)
	}
	return s.apply(s.ctx, changes)
}

// lastOfEach drops changes that a later one of the same record overtakes: etcd refuses to change a
// key twice in a transaction.
func lastOfEach(changes []directory.Change) []directory.Change {
	seen := make(map[string]bool, len(changes))
	var out []directory.Change
	for _, c := range slices.Backward(changes) {
		if name, _ := keyOf(c); !seen[name] {
			seen[name] = true
			out = append(out, c)
		}
	}
	slices.Reverse(out)
	return out
}

func (s *Store) apply(ctx context.Context, changes []directory.Change, also ...clientv3.Op) error {
	ops := also
	for _, c := range changes {
		op, err := s.opOf(c)
		if err != nil {
			return err
		}
		ops = append(ops, op)
	}
	if len(ops) == 0 {
		return nil
	}
	return s.commit(ctx, ops...)
}

// commitLarge writes the journal, which is the moment at which the commit has happened, and then
// carries it out piece by piece.
func (s *Store) commitLarge(ctx context.Context, changes []directory.Change) error {
	journal, err := packJournal(changes)
	if err != nil {
		return err
	}
	if err := s.commit(ctx, clientv3.OpPut(s.candidate.key("journal"), string(journal))); err != nil {
		return err
	}
	return s.carryOut(ctx, changes)
}

func (s *Store) carryOut(ctx context.Context, changes []directory.Change) error {
	for len(changes) > txnOps {
		if err := s.apply(ctx, changes[:txnOps]); err != nil {
			return err
		}
		changes = changes[txnOps:]
	}
	return s.apply(ctx, changes, clientv3.OpDelete(s.candidate.key("journal")))
}

// finishJournal carries out what an earlier leader had committed and not finished.
func (s *Store) finishJournal(ctx context.Context) error {
	journal, found, err := s.get(ctx, "journal")
	if err != nil || !found {
		return err
	}
	changes, err := unpackJournal(journal)
	if err != nil {
		return err
	}
	return s.carryOut(ctx, changes)
}

// packJournal compresses, because etcd takes requests of at most 1.5 MiB.
func packJournal(changes []directory.Change) ([]byte, error) {
	plain, err := json.Marshal(changes)
	if err != nil {
		return nil, err
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return w.EncodeAll(plain, nil), w.Close()
}

// journalMax bounds what a damaged journal can make this process allocate, in bytes.
const journalMax = 256 << 20

func unpackJournal(packed []byte) (changes []directory.Change, err error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(journalMax))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	plain, err := r.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: journal: %v", ErrCorrupt, err)
	}
	if err := json.Unmarshal(plain, &changes); err != nil {
		return nil, fmt.Errorf("%w: journal: %v", ErrCorrupt, err)
	}
	return changes, nil
}

// Load returns everything that is stored. The directory checks whether it makes sense.
func (s *Store) Load() (snap directory.Snapshot, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, commitTimeout)
	defer cancel()
	r, err := s.candidate.client.Get(ctx, s.candidate.cfg.Prefix+"/", clientv3.WithPrefix())
	if err != nil {
		return snap, fmt.Errorf("etcd: load: %w", err)
	}
	for _, pair := range r.Kvs {
		name := strings.TrimPrefix(string(pair.Key), s.candidate.cfg.Prefix+"/")
		if err := take(&snap, name, pair.Value); err != nil {
			return directory.Snapshot{}, err
		}
	}
	return snap, nil
}

// take decodes one record into the snapshot. etcd returns keys in order, which is that of the ids.
func take(snap *directory.Snapshot, name string, value []byte) error {
	kind, _, _ := strings.Cut(name, "/")
	switch {
	case name == "meta/directory":
		return decode(name, value, &snap.Meta)
	case kind == "nodes":
		return decodeInto(name, value, &snap.Nodes)
	case kind == "keyspaces":
		return decodeInto(name, value, &snap.Keyspaces)
	case kind == "sub-ranges":
		return decodeInto(name, value, &snap.SubRanges)
	case kind == "retired":
		return decodeInto(name, value, &snap.Retired)
	case kind == "plans":
		return decodeInto(name, value, &snap.Plans)
	}
	return nil
}

func decodeInto[T any](name string, value []byte, out *[]T) error {
	var record T
	if err := decode(name, value, &record); err != nil {
		return err
	}
	*out = append(*out, record)
	return nil
}

func decode(name string, value []byte, record any) error {
	if err := json.Unmarshal(value, record); err != nil {
		return fmt.Errorf("%w: %s: %v", ErrCorrupt, name, err)
	}
	return nil
}

// Package pebble is a durable engine over Pebble, a log-structured merge tree: an update is
// appended to a write-ahead log and inserted into a table in memory; tables are written out
// sorted and merged in the background.
//
// Apply commits without waiting for the disk. Sync appends an empty record to the log and waits for
// its fsync, which covers everything appended before: one fsync for all batches since the last
// (group commit), beside further calls of Apply. Replay of the log after a crash stops at the first
// record that is not whole, so what is lost is always a suffix.
//
// Pebble reports trouble of its background work to a logger that is expected to end the process.
// Here such an error makes the engine fail for good instead: every later call returns it, nothing
// is acknowledged any more, and the node can report why.
package pebble

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/turbokv/turbokv/serverlib"
)

// Engine implements serverlib.Engine.
type Engine struct {
	db    *pebble.DB
	fault fault
}

var (
	_ serverlib.Engine = (*Engine)(nil)
	_ serverlib.Sized  = (*Engine)(nil)
)

// Open opens the engine in a directory, making it if needed. One process may have it open.
func Open(dir string, o Options) (*Engine, error) {
	e := &Engine{}
	db, err := openDB(dir, e.options(o))
	if err != nil {
		return nil, fmt.Errorf("pebble engine in %s: %w", dir, err)
	}
	e.db = db
	return e, nil
}

// openDB is pebble.Open in a goroutine of its own, because the logger ends the goroutine that
// meets a fatal error.
func openDB(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	err = guarded(func() error {
		db, err = pebble.Open(dir, o)
		return err
	})
	return db, err
}

// Get implements serverlib.Engine.
func (e *Engine) Get(key, dst []byte) ([]byte, bool, error) {
	if err := e.fault.get(); err != nil {
		return dst, false, err
	}
	value, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, fmt.Errorf("pebble get: %w", err)
	}
	dst = append(dst, value...)
	if err := closer.Close(); err != nil {
		return dst, false, fmt.Errorf("pebble get: %w", err)
	}
	return dst, true, nil
}

// Scan implements serverlib.Engine.
func (e *Engine) Scan(start, end []byte, yield func(key, value []byte) bool) (err error) {
	if err := e.fault.get(); err != nil {
		return err
	}
	if len(end) > 0 && bytes.Compare(start, end) >= 0 {
		return nil // Pebble insists on bounds in order
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: bound(start), UpperBound: bound(end)})
	if err != nil {
		return fmt.Errorf("pebble scan: %w", err)
	}
	defer func() {
		if cerr := it.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("pebble scan: %w", cerr)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("pebble scan: %w", err)
		}
		if !yield(it.Key(), value) {
			return nil
		}
	}
	return it.Error()
}

// bound returns nil, Pebble's word for no bound, for an empty key.
func bound(key []byte) []byte {
	if len(key) == 0 {
		return nil
	}
	return key
}

// Apply implements serverlib.Engine.
func (e *Engine) Apply(b *serverlib.Batch) (err error) {
	if err := e.fault.get(); err != nil {
		return err
	}
	defer e.recover(&err)
	batch := e.db.NewBatchWithSize(b.Size() + 16*b.Len() + 16)
	for i := range b.Len() {
		if err := e.add(batch, b, i); err != nil {
			return e.fault.set(fmt.Errorf("pebble apply: %w", err))
		}
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return e.fault.set(fmt.Errorf("pebble apply: %w", err))
	}
	return batch.Close()
}

// add appends operation i of b to batch.
func (e *Engine) add(batch *pebble.Batch, b *serverlib.Batch, i int) error {
	switch op := b.Op(i); op.Kind {
	case serverlib.OpPut:
		return batch.Set(op.Key, op.Value, nil)
	case serverlib.OpDelete:
		return batch.Delete(op.Key, nil)
	case serverlib.OpDeleteRange:
		return e.addDeleteRange(batch, b, i)
	default:
		return fmt.Errorf("operation kind %d: must be put, delete or delete range", op.Kind)
	}
}

// Sync implements serverlib.Engine.
func (e *Engine) Sync() (err error) {
	if err := e.fault.get(); err != nil {
		return err
	}
	defer e.recover(&err)
	// An empty record, because DB.Flush would write a table. Waiting for it apart from the commit
	// returns a failed fsync as an error, where a commit that waits calls it fatal.
	marker := e.db.NewBatch()
	if err := marker.LogData(nil, nil); err != nil {
		return e.fault.set(fmt.Errorf("pebble sync: %w", err))
	}
	if err := e.db.ApplyNoSyncWait(marker, pebble.Sync); err != nil {
		return e.fault.set(fmt.Errorf("pebble sync: %w", err))
	}
	if err := marker.SyncWait(); err != nil {
		return e.fault.set(fmt.Errorf("pebble sync: %w", err))
	}
	return marker.Close()
}

// Persistent implements serverlib.Engine.
func (e *Engine) Persistent() bool { return true }

// Size implements serverlib.Sized: live tables, and the log in front of them.
func (e *Engine) Size() int64 {
	m := e.db.Metrics()
	return int64(m.Table.Local.LiveSize + m.BlobFiles.Local.LiveSize + m.WAL.Size)
}

// Close implements serverlib.Engine. A failed engine releases what it can and returns its error.
func (e *Engine) Close() error {
	failed := e.Sync()
	if err := guarded(e.db.Close); failed == nil && err != nil {
		return fmt.Errorf("pebble close: %w", err)
	}
	return failed
}

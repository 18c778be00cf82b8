// Package bbolt is a durable engine over bbolt, a B+tree in one file. It is the choice where one
// file, few moving parts and no background work matter more than speed.
//
// A transaction of bbolt costs an fsync or two, so Apply only collects updates in an overlay in
// memory, and Sync writes the overlay into the file with one transaction:
//
//	reads    active overlay, then frozen overlay, then file
//	Apply    into the active overlay
//	Sync     active becomes frozen; frozen is written and fsynced; frozen is dropped
//
// A crash loses the overlays and nothing else, which is a suffix of the batches.
package bbolt

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/turbokv/turbokv/serverlib"
)

// lockTimeout is how long Open waits for another process to release the file.
const lockTimeout = time.Second

var bucketName = []byte("records")

// Engine implements serverlib.Engine. Keys must not be empty and at most 32,768 bytes long.
type Engine struct {
	db   *bbolt.DB
	path string

	syncing sync.Mutex // held by Sync, so that there is one frozen overlay at most

	mu     sync.Mutex // guards what follows; taken before, never within, a transaction
	active *overlay   // changed by Apply only
	frozen *overlay   // being written; nil if there is none
	failed error      // of the first transaction that was not committed
}

var (
	_ serverlib.Engine = (*Engine)(nil)
	_ serverlib.Sized  = (*Engine)(nil)
)

// Open opens the engine in a file, making it if needed. One process may have it open.
func Open(path string) (*Engine, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockTimeout,
		// The free list is found again by a walk at Open; not writing it makes commits smaller.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
	})
	if err != nil {
		if errors.Is(err, bolterrors.ErrTimeout) {
			err = fmt.Errorf("in use by another process: %w", err)
		}
		return nil, fmt.Errorf("bbolt engine in %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucketName)
		return err
	})
	if err != nil {
		_ = db.Close() // the first error is the one to report
		return nil, fmt.Errorf("bbolt engine in %s: %w", path, err)
	}
	return &Engine{db: db, path: path, active: newOverlay()}, nil
}

// overlays returns what lies above the file, newest first. It must be called before the file is
// read: an overlay that disappears afterwards is in the file.
func (e *Engine) overlays() (active, frozen *overlay, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.active, e.frozen, e.failed
}

// Get implements serverlib.Engine.
func (e *Engine) Get(key, dst []byte) (value []byte, ok bool, err error) {
	active, frozen, err := e.overlays()
	if err != nil {
		return dst, false, err
	}
	u, known := active.get(key)
	if !known {
		u, known = frozen.get(key)
	}
	if known {
		return append(dst, u.value...), !u.deleted, nil
	}
	err = e.db.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bucketName).Get(key); v != nil {
			dst, ok = append(dst, v...), true
		}
		return nil
	})
	return dst, ok, e.wrap("get", err)
}

// Scan implements serverlib.Engine.
func (e *Engine) Scan(start, end []byte, yield func(key, value []byte) bool) error {
	active, frozen, err := e.overlays()
	if err != nil {
		return err
	}
	return e.scan(active, frozen, start, end, yield)
}

func (e *Engine) scan(
	active, frozen *overlay, start, end []byte, yield func(key, value []byte) bool,
) error {
	err := e.db.View(func(tx *bbolt.Tx) error {
		merge([]source{
			active.from(start), frozen.from(start), fileFrom(tx.Bucket(bucketName), start),
		}, end, yield)
		return nil
	})
	return e.wrap("scan", err)
}

// Apply implements serverlib.Engine.
func (e *Engine) Apply(b *serverlib.Batch) error {
	// Held for the whole batch, so that Sync does not freeze a part of it.
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed != nil {
		return e.failed
	}
	for i := range b.Len() {
		switch op := b.Op(i); op.Kind {
		case serverlib.OpPut:
			e.active.put(op.Key, op.Value)
		case serverlib.OpDelete:
			e.active.delete(op.Key)
		case serverlib.OpDeleteRange:
			if err := e.deleteRange(op.Key, op.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteRange marks the records from start up to end as deleted, one by one. The caller holds mu.
func (e *Engine) deleteRange(start, end []byte) error {
	if bytes.Compare(start, end) >= 0 {
		return nil // to scan an empty end would mean no bound
	}
	var doomed [][]byte
	err := e.scan(e.active, e.frozen, start, end, func(key, _ []byte) bool {
		doomed = append(doomed, append([]byte(nil), key...))
		return true
	})
	if err != nil {
		e.failed = err // the batch is applied in part
		return err
	}
	for _, key := range doomed {
		e.active.delete(key)
	}
	return nil
}

// Sync implements serverlib.Engine.
func (e *Engine) Sync() error {
	e.syncing.Lock()
	defer e.syncing.Unlock()
	frozen, err := e.freeze()
	if frozen == nil || err != nil {
		return err
	}
	err = e.db.Update(func(tx *bbolt.Tx) error { return frozen.writeTo(tx.Bucket(bucketName)) })
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.failed = e.wrap("sync", err)
		return e.failed
	}
	e.frozen = nil
	return nil
}

// freeze starts a new active overlay and returns the former, nil if there is nothing to write.
func (e *Engine) freeze() (*overlay, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed != nil || e.active.empty() {
		return nil, e.failed
	}
	e.frozen, e.active = e.active, newOverlay()
	return e.frozen, nil
}

// Persistent implements serverlib.Engine.
func (e *Engine) Persistent() bool { return true }

// Size implements serverlib.Sized: the pages in use, without the updates that wait for a Sync.
func (e *Engine) Size() int64 {
	var size int64
	err := e.db.View(func(tx *bbolt.Tx) error {
		size = tx.Size()
		return nil
	})
	if err != nil {
		return 0 // closed
	}
	stats := e.db.Stats()
	free := int64(stats.FreePageN+stats.PendingPageN) * int64(e.db.Info().PageSize)
	return max(size-free, 0)
}

// Close implements serverlib.Engine. A failed engine releases its file and returns its error.
func (e *Engine) Close() error {
	failed := e.Sync()
	if err := e.db.Close(); failed == nil {
		return e.wrap("close", err)
	}
	return failed
}

// wrap says where an error of a transaction comes from.
func (e *Engine) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bbolt %s in %s: %w", what, e.path, err)
}

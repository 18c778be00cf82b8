// Package cached keeps the records that are read most in memory, in front of a durable engine whose
// reads cost microseconds. Reads of the head (conditions) and of the tail (what a record was
// before an update) hit the records that clients use, and those are few of many.
//
// The cache has two generations. A record that is read enters the young one; when that is full, it
// becomes the old one and the former old one is forgotten. A record that is read again while it
// is old becomes young again, so what is used stays, without a list to keep in order per read.
// A generation is an ordered engine in memory, so that deleting a range works on it too.
package cached

import (
	"fmt"

	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode/engine/memory"
)

// Engine puts a cache around another engine. Scan, Sync, Persistent and Close are the other's.
type Engine struct {
	serverlib.Engine
	young, old *memory.Engine
	limit      int64 // bytes of one generation
	stats      Stats
}

// Stats count the reads of a cache.
type Stats struct{ Hits, Misses uint64 }

var _ serverlib.Engine = (*Engine)(nil)

// New returns inner with a cache of about the given size in bytes, which comes in steps of 2 MiB.
// From now on inner must not be changed but through it.
func New(inner serverlib.Engine, bytes int64) *Engine {
	return &Engine{Engine: inner, young: memory.New(), old: memory.New(), limit: bytes / 2}
}

// Stats returns the counts so far.
func (e *Engine) Stats() Stats { return e.stats }

// Get implements serverlib.Engine.
func (e *Engine) Get(key, dst []byte) ([]byte, bool, error) {
	if value, ok, _ := e.young.Get(key, dst); ok {
		e.stats.Hits++
		return value, true, nil
	}
	value, ok, _ := e.old.Get(key, dst)
	if ok {
		e.stats.Hits++
	} else {
		e.stats.Misses++
		var err error
		if value, ok, err = e.Engine.Get(key, dst); !ok || err != nil {
			return value, ok, err
		}
	}
	return value, true, e.keep(key, value[len(dst):])
}

// keep makes a record young.
func (e *Engine) keep(key, value []byte) error {
	if e.young.Bytes() > e.limit {
		e.old, e.young = e.young, memory.New()
	}
	if err := e.young.Put(key, value); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return nil
}

// Apply implements serverlib.Engine. Records enter the cache by being read only: most of what a
// replica writes is never read again.
func (e *Engine) Apply(b *serverlib.Batch) error {
	if err := e.Engine.Apply(b); err != nil {
		return err
	}
	for i := range b.Len() {
		if err := e.follow(b.Op(i)); err != nil {
			return err
		}
	}
	return nil
}

// follow makes the cache agree with an operation of the engine.
func (e *Engine) follow(op serverlib.Op) error {
	switch op.Kind {
	case serverlib.OpPut:
		if e.young.Has(op.Key) || e.old.Has(op.Key) {
			return e.keep(op.Key, op.Value)
		}
	case serverlib.OpDelete:
		e.young.Delete(op.Key)
		e.old.Delete(op.Key)
	case serverlib.OpDeleteRange:
		e.young.DeleteRange(op.Key, op.Value)
		e.old.DeleteRange(op.Key, op.Value)
	}
	return nil
}

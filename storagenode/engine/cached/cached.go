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
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode/engine/memory"
)

// Engine puts a cache around another engine. Scan, Sync, Persistent and Close are the other's.
type Engine struct {
	serverlib.Engine
	young, old *memory.Engine
	limit      int64  // bytes of one generation
	value      []byte // reused by follow
	stats      Stats
}

// Stats count the reads of a cache.
type Stats struct{ Hits, Misses uint64 }

var (
	_ serverlib.Engine = (*Engine)(nil)
	_ serverlib.Sized  = (*Engine)(nil)
)

// New returns inner with a cache of about the given size in bytes, which comes in steps of 2 MiB.
// From now on inner must not be changed but through it.
func New(inner serverlib.Engine, bytes int64) *Engine {
	return &Engine{Engine: inner, young: memory.New(), old: memory.New(), limit: bytes / 2}
}

// Stats returns the counts so far.
func (e *Engine) Stats() Stats { return e.stats }

// Size implements serverlib.Sized with what the other engine says, 0 if it does not know.
func (e *Engine) Size() int64 {
	if sized, ok := e.Engine.(serverlib.Sized); ok {
		return sized.Size()
	}
	return 0
}

// What the cache knows of a record is its value and one of these bytes behind it. That a record is
// absent is worth knowing too: a replica looks for a record before it is first written.
const (
	absent  = 0
	present = 1
)

// Get implements serverlib.Engine.
func (e *Engine) Get(key, dst []byte) (value []byte, ok bool, err error) {
	value, known, _ := e.young.Get(key, dst)
	if known {
		e.stats.Hits++
		return unmark(value, dst)
	}
	if value, known, _ = e.old.Get(key, dst); known {
		e.stats.Hits++
	} else {
		e.stats.Misses++
		if value, ok, err = e.Engine.Get(key, dst); err != nil {
			return value, false, err
		}
		value = mark(value, ok)
	}
	e.keep(key, value[len(dst):])
	return unmark(value, dst)
}

func mark(value []byte, ok bool) []byte {
	if ok {
		return append(value, present)
	}
	return append(value, absent)
}

func unmark(value, dst []byte) ([]byte, bool, error) {
	last := len(value) - 1
	return value[:last], value[last] == present, nil
}

// keep makes what is known of a record young.
func (e *Engine) keep(key, marked []byte) {
	if e.young.Bytes() > e.limit {
		e.old, e.young = e.young, memory.New()
	}
	if e.young.Put(key, marked) != nil {
		// No room: knowing nothing is right, knowing what was true before is not.
		e.young.Delete(key)
		e.old.Delete(key)
	}
}

// Apply implements serverlib.Engine. Records enter the cache by being read only: most of what a
// replica writes is never read again.
func (e *Engine) Apply(b *serverlib.Batch) error {
	if err := e.Engine.Apply(b); err != nil {
		return err
	}
	for i := range b.Len() {
		e.follow(b.Op(i))
	}
	return nil
}

// follow makes the cache agree with an operation of the engine.
func (e *Engine) follow(op serverlib.Op) {
	switch op.Kind {
	case serverlib.OpPut:
		if e.young.Has(op.Key) || e.old.Has(op.Key) {
			e.value = append(append(e.value[:0], op.Value...), present)
			e.keep(op.Key, e.value)
		}
	case serverlib.OpDelete:
		e.young.Delete(op.Key)
		e.old.Delete(op.Key)
	case serverlib.OpDeleteRange:
		e.young.DeleteRange(op.Key, op.Value)
		e.old.DeleteRange(op.Key, op.Value)
	}
}

package memory

import (
	"bytes"
	"fmt"
	"hash/maphash"

	"github.com/turbokv/turbokv/serverlib"
)

// Engine is an ordered store in memory. Its zero value is not usable; New makes one.
type Engine struct {
	slabs  slabs
	hash   table
	tree   *tree
	seed   maphash.Seed
	doomed []ref // reused by DeleteRange
	failed error // why a batch was applied in part; no later one is accepted
}

var (
	_ serverlib.Engine = (*Engine)(nil)
	_ serverlib.Sized  = (*Engine)(nil)
)

// New returns an empty engine.
func New() *Engine {
	e := &Engine{slabs: newSlabs(), hash: newTable(), seed: maphash.MakeSeed()}
	e.tree = newTree(&e.slabs)
	return e
}

func (e *Engine) hashOf(key []byte) uint32 { return uint32(maphash.Bytes(e.seed, key)) }

// Len returns the number of records.
func (e *Engine) Len() int { return e.hash.used }

// Bytes returns the memory taken for records, in bytes; freed blocks count, the indexes do not.
func (e *Engine) Bytes() int64 { return e.slabs.bytes }

// Size implements serverlib.Sized: the memory of the records alone.
func (e *Engine) Size() int64 { return e.slabs.used }

// Has reports whether there is a record.
func (e *Engine) Has(key []byte) bool { return e.hash.find(e.hashOf(key), key, &e.slabs) >= 0 }

// Get implements serverlib.Engine.
func (e *Engine) Get(key, dst []byte) (value []byte, ok bool, err error) {
	at := e.hash.find(e.hashOf(key), key, &e.slabs)
	if at < 0 {
		return dst, false, nil
	}
	_, stored := e.slabs.record(e.hash.ref(at))
	return append(dst, stored...), true, nil
}

// Scan implements serverlib.Engine. Yield must not change the engine.
func (e *Engine) Scan(start, end []byte, yield func(key, value []byte) bool) error {
	e.tree.ascend(start, func(r ref) bool {
		key, value := e.slabs.record(r)
		if len(end) > 0 && bytes.Compare(key, end) >= 0 {
			return false
		}
		return yield(key, value)
	})
	return nil
}

// Apply implements serverlib.Engine. After an error it accepts no other batch, because this one may
// have been applied in part.
func (e *Engine) Apply(b *serverlib.Batch) error {
	if b.Size() > maxRecord {
		return fmt.Errorf("%w: batch of %d bytes, at most %d", ErrFull, b.Size(), maxRecord)
	}
	for i := 0; i < b.Len() && e.failed == nil; i++ {
		e.failed = e.apply(b.Op(i))
	}
	return e.failed
}

func (e *Engine) apply(op serverlib.Op) error {
	switch op.Kind {
	case serverlib.OpPut:
		return e.Put(op.Key, op.Value)
	case serverlib.OpDelete:
		e.Delete(op.Key)
	case serverlib.OpDeleteRange:
		e.DeleteRange(op.Key, op.Value)
	}
	return nil
}

// Put stores one record, outside any batch. Its only error is ErrFull.
func (e *Engine) Put(key, value []byte) error {
	hash := e.hashOf(key)
	if at := e.hash.find(hash, key, &e.slabs); at >= 0 {
		return e.replace(at, key, value)
	}
	r, err := e.slabs.alloc(recordUnits(key, value))
	if err != nil {
		return err
	}
	e.slabs.store(r, key, value)
	e.hash.insert(hash, r)
	e.tree.set(key, r)
	return nil
}

// replace gives the record at a position of the hash table another value.
func (e *Engine) replace(at int, key, value []byte) error {
	old := e.hash.ref(at)
	had, need := recordUnits(e.slabs.record(old)), recordUnits(key, value)
	if had == need {
		e.slabs.store(old, key, value)
		return nil
	}
	r, err := e.slabs.alloc(need)
	if err != nil {
		return err
	}
	e.slabs.store(r, key, value)
	e.hash.move(at, r)
	e.tree.set(key, r)
	e.slabs.release(old, had)
	return nil
}

// Delete removes one record if it is there.
func (e *Engine) Delete(key []byte) {
	at := e.hash.find(e.hashOf(key), key, &e.slabs)
	if at < 0 {
		return
	}
	r := e.hash.ref(at)
	e.tree.remove(key)
	e.hash.remove(at)
	e.slabs.release(r, recordUnits(e.slabs.record(r)))
}

// deleteStep bounds the memory of DeleteRange, in records.
const deleteStep = 1024

// DeleteRange removes all records with start <= key < end.
func (e *Engine) DeleteRange(start, end []byte) {
	for {
		e.doomed = e.doomed[:0]
		e.tree.ascend(start, func(r ref) bool {
			if bytes.Compare(e.slabs.key(r), end) >= 0 || len(e.doomed) == deleteStep {
				return false
			}
			e.doomed = append(e.doomed, r)
			return true
		})
		for _, r := range e.doomed {
			e.Delete(e.slabs.key(r))
		}
		if len(e.doomed) < deleteStep {
			return
		}
	}
}

// Sync implements serverlib.Engine; there is nothing to wait for.
func (e *Engine) Sync() error { return nil }

// Persistent implements serverlib.Engine.
func (e *Engine) Persistent() bool { return false }

// Close implements serverlib.Engine. The records are gone with it.
func (e *Engine) Close() error {
	e.slabs, e.hash = newSlabs(), newTable()
	e.tree = newTree(&e.slabs)
	return nil
}

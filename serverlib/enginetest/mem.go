package enginetest

import (
	"bytes"
	"fmt"
	"slices"
	"sort"

	"github.com/turbokv/turbokv/serverlib"
)

// Mem is an Engine over a simulated disk: what was applied since the last sync is lost by Crash,
// newest batches first, as the contract of Engine allows. It is the slow, obvious twin of the real
// engines: a sorted slice. The driver of a simulation completes syncs when it likes with SyncTo;
// Sync itself completes at once.
type Mem struct {
	records []record // ascending by key
	undo    [][]undo // per batch that is not durable, oldest first
	applied int      // batches applied since the engine was made or crashed
	broken  error    // what Apply and Sync return, nil while the disk is sound
}

type record struct{ key, value []byte }

// undo restores one key as it was before an operation.
type undo struct {
	key, value []byte
	had        bool
}

var _ serverlib.Engine = (*Mem)(nil)

// NewMem returns an empty engine.
func NewMem() *Mem { return &Mem{} }

// find returns the place of key, or where it would stand.
func (m *Mem) find(key []byte) (at int, ok bool) {
	at = sort.Search(len(m.records), func(i int) bool {
		return bytes.Compare(m.records[i].key, key) >= 0
	})
	return at, at < len(m.records) && bytes.Equal(m.records[at].key, key)
}

// Get implements serverlib.Engine.
func (m *Mem) Get(key, dst []byte) (value []byte, ok bool, err error) {
	at, ok := m.find(key)
	if !ok {
		return dst, false, nil
	}
	return append(dst, m.records[at].value...), true, nil
}

// Scan implements serverlib.Engine.
func (m *Mem) Scan(start, end []byte, yield func(key, value []byte) bool) error {
	at, _ := m.find(start)
	for _, r := range m.records[at:] {
		if len(end) > 0 && bytes.Compare(r.key, end) >= 0 || !yield(r.key, r.value) {
			break
		}
	}
	return nil
}

// Apply implements serverlib.Engine.
func (m *Mem) Apply(b *serverlib.Batch) error {
	if m.broken != nil {
		return m.broken
	}
	var back []undo
	for i := range b.Len() {
		back = m.apply(b.Op(i), back)
	}
	m.undo = append(m.undo, back)
	m.applied++
	return nil
}

func (m *Mem) apply(op serverlib.Op, back []undo) []undo {
	switch op.Kind {
	case serverlib.OpPut:
		return m.set(op.Key, op.Value, true, back)
	case serverlib.OpDelete:
		return m.set(op.Key, nil, false, back)
	case serverlib.OpDeleteRange:
		for {
			at, _ := m.find(op.Key)
			if at == len(m.records) || bytes.Compare(m.records[at].key, op.Value) >= 0 {
				return back
			}
			back = m.set(bytes.Clone(m.records[at].key), nil, false, back)
		}
	}
	panic(fmt.Sprintf("enginetest: operation %d", op.Kind))
}

// set stores or removes a key and adds to back what undoes it.
func (m *Mem) set(key, value []byte, present bool, back []undo) []undo {
	at, had := m.find(key)
	old := undo{key: bytes.Clone(key), had: had}
	if had {
		old.value = m.records[at].value
	}
	fresh := record{old.key, bytes.Clone(value)}
	switch {
	case present && had:
		m.records[at] = fresh
	case present:
		m.records = slices.Insert(m.records, at, fresh)
	case had:
		m.records = slices.Delete(m.records, at, at+1)
	}
	return append(back, old)
}

// Applied returns a mark for SyncTo: all batches applied so far.
func (m *Mem) Applied() int { return m.applied }

// SyncTo makes the batches up to a mark durable.
func (m *Mem) SyncTo(mark int) error {
	if m.broken != nil {
		return m.broken
	}
	if n := len(m.undo) - (m.applied - mark); n > 0 {
		m.undo = slices.Delete(m.undo, 0, n)
	}
	return nil
}

// Sync implements serverlib.Engine.
func (m *Mem) Sync() error { return m.SyncTo(m.applied) }

// Unsynced returns the number of batches that a crash may lose.
func (m *Mem) Unsynced() int { return len(m.undo) }

// Crash loses all but the keep oldest of the batches that are not durable, and makes these durable:
// the disk as a process finds it when it comes back.
func (m *Mem) Crash(keep int) {
	for len(m.undo) > keep {
		last := m.undo[len(m.undo)-1]
		m.undo = m.undo[:len(m.undo)-1]
		for _, u := range slices.Backward(last) {
			m.set(u.key, u.value, u.had, nil)
		}
	}
	m.undo, m.applied = nil, 0
}

// Break makes Apply and Sync return err from now on, as a failed disk does; nil repairs it.
func (m *Mem) Break(err error) { m.broken = err }

// Persistent implements serverlib.Engine.
func (m *Mem) Persistent() bool { return true }

// Close implements serverlib.Engine.
func (m *Mem) Close() error { return m.Sync() }

package port

import (
	"math/bits"
	"net"
	"sync"
	"sync/atomic"
)

// MaxMemCapacity bounds the frames that one direction of an in-memory cable holds; each takes 2
// KiB.
const MaxMemCapacity = 1 << 20

// Mem is one end of an in-memory cable.
type Mem struct {
	counters
	in, out *ring
}

// NewPair returns the two ends of a cable. Each direction holds capacity frames, rounded up to a
// power of two and limited to 1..MaxMemCapacity; frames beyond that are dropped and counted at
// the end that wrote them.
func NewPair(capacity int) (a, b *Mem) {
	capacity = max(1, min(capacity, MaxMemCapacity))
	x, y := newRing(capacity), newRing(capacity)
	return &Mem{in: x, out: y}, &Mem{in: y, out: x}
}

// ReadBatch implements [Port].
func (m *Mem) ReadBatch(bufs [][]byte) (int, error) {
	return m.in.read(bufs)
}

// WriteBatch implements [Port]. Frames for a closed peer are dropped.
func (m *Mem) WriteBatch(frames [][]byte) (int, error) {
	if m.in.closed.Load() {
		return 0, net.ErrClosed
	}
	n := m.out.write(frames)
	if lost := len(frames) - n; lost > 0 {
		m.txDrops.Add(uint64(lost))
	}
	return n, nil
}

// Close implements [Port]. The peer's end stays open, as a cable's other end does.
func (m *Mem) Close() error {
	m.in.close()
	return nil
}

// slot holds one frame. The padding keeps neighbouring frames out of the same cache set: with a
// stride of exactly 2 KiB all frame starts would compete for two sets of an L1 cache.
type slot struct {
	frame [MaxFrame]byte
	n     int
	_     [56]byte
}

// ring is a bounded queue of frames. Writers share one lock and the reader has another, so the two
// sides meet only at the two positions. A sleeping reader is woken once per batch.
type ring struct {
	slots []slot   // length is a power of two
	order []uint32 // which slot holds the frame at a position
	mask  uint64

	writers sync.Mutex
	tail    atomic.Uint64 // next position to fill; written under writers
	next    uint32        // next slot to fill
	_       [44]byte      // keeps the positions in different cache lines

	readers sync.Mutex
	head    atomic.Uint64 // next position to empty; written under readers
	_       [48]byte

	sleep    sync.Mutex
	wake     sync.Cond
	sleeping atomic.Bool
	closed   atomic.Bool
}

func newRing(capacity int) *ring {
	n := 1 << bits.Len(uint(capacity-1))
	r := &ring{slots: make([]slot, n), order: make([]uint32, n), mask: uint64(n - 1)}
	r.wake.L = &r.sleep
	return r
}

// write takes as many frames as there is room for and returns their number. Too long frames are
// skipped.
func (r *ring) write(frames [][]byte) int {
	if r.closed.Load() {
		return 0
	}
	r.writers.Lock()
	tail, head := r.tail.Load(), r.head.Load()
	if tail == head {
		// All slots are free. Starting over with the first keeps a ring that is seldom full within
		// the few slots that are still in a cache.
		r.next = 0
	}
	room := uint64(len(r.slots)) - (tail - head)
	n := 0
	for _, f := range frames {
		if uint64(n) == room {
			break
		}
		if len(f) > MaxFrame {
			continue
		}
		s := &r.slots[r.next]
		s.n = copy(s.frame[:], f)
		r.order[(tail+uint64(n))&r.mask] = r.next
		r.next = (r.next + 1) & uint32(r.mask)
		n++
	}
	r.tail.Store(tail + uint64(n))
	r.writers.Unlock()
	if n > 0 && r.sleeping.Load() {
		r.awaken()
	}
	return n
}

// read waits for frames and copies them out.
func (r *ring) read(bufs [][]byte) (int, error) {
	r.readers.Lock()
	defer r.readers.Unlock()
	head := r.head.Load()
	tail := r.tail.Load()
	for tail == head {
		if r.closed.Load() {
			return 0, net.ErrClosed
		}
		r.await(head)
		tail = r.tail.Load()
	}
	if r.closed.Load() {
		return 0, net.ErrClosed
	}
	n := min(len(bufs), int(tail-head))
	for i := range bufs[:n] {
		s := &r.slots[r.order[(head+uint64(i))&r.mask]]
		bufs[i] = append(bufs[i][:0], s.frame[:s.n]...)
	}
	r.head.Store(head + uint64(n))
	return n, nil
}

// await sleeps while the ring is empty and open. The order matters: the reader announces its
// sleep and then looks at tail, a writer moves tail and then looks at the announcement, so one
// sees the other.
func (r *ring) await(head uint64) {
	r.sleep.Lock()
	r.sleeping.Store(true)
	for r.tail.Load() == head && !r.closed.Load() {
		r.wake.Wait()
	}
	r.sleeping.Store(false)
	r.sleep.Unlock()
}

// awaken takes the lock so that it cannot fall between the reader's last look and its sleep.
func (r *ring) awaken() {
	r.sleep.Lock()
	r.wake.Signal()
	r.sleep.Unlock()
}

func (r *ring) close() {
	r.closed.Store(true)
	r.awaken()
}

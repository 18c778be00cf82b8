package port

import "sync/atomic"

// MaxFrame is the longest frame in bytes, without frame check sequence, that a port moves. It
// holds an Ethernet frame of 1500 bytes payload with room for headers that a pipeline adds.
const MaxFrame = 2048

// maxBatch bounds the frames moved by one system call; longer batches are cut.
const maxBatch = 64

// A Port is a place where frames enter and leave.
type Port interface {
	// ReadBatch blocks until at least one frame arrived and copies frames into bufs. The capacity
	// of each buffer must be at least MaxFrame; the length of bufs[i], i < n, is set to that of
	// its frame. The error is net.ErrClosed after Close. One reader at a time.
	ReadBatch(bufs [][]byte) (n int, err error)
	// WriteBatch copies the frames out and reports how many were taken; it never waits for room.
	// The others are dropped and counted, which is no error. Safe for concurrent use.
	WriteBatch(frames [][]byte) (n int, err error)
	// Close unblocks ReadBatch. Closing twice is harmless.
	Close() error
}

// A Queued port has several receive queues, each with a reader of its own. A flow stays on one queue,
// where its frames keep their order. ReadBatch reads the first queue.
type Queued interface {
	// Queues returns the number of queues, at least 1, which does not change.
	Queues() int
	// ReadQueue is ReadBatch for one queue: one reader of each at a time.
	ReadQueue(queue int, bufs [][]byte) (n int, err error)
}

// Queues returns how many readers p needs.
func Queues(p Port) int {
	if q, ok := p.(Queued); ok {
		return q.Queues()
	}
	return 1
}

// ReadQueue reads one queue of any port.
func ReadQueue(p Port, queue int, bufs [][]byte) (int, error) {
	if q, ok := p.(Queued); ok {
		return q.ReadQueue(queue, bufs)
	}
	return p.ReadBatch(bufs)
}

// Counters are frames that a port lost, since it was opened.
type Counters struct {
	RxDrops uint64 // arrived and lost: queue overrun, longer than MaxFrame, foreign sender
	TxDrops uint64 // refused by WriteBatch: no room, no peer, longer than MaxFrame
}

// A Counting port knows what it lost.
type Counting interface {
	Counters() Counters
}

// counters is the live form of Counters.
type counters struct {
	rxDrops, txDrops atomic.Uint64
}

// Counters returns the present losses.
func (c *counters) Counters() Counters {
	return Counters{RxDrops: c.rxDrops.Load(), TxDrops: c.txDrops.Load()}
}

// As finds the outermost of p and the ports that it wraps which is a T, such as [Counting]. A port
// that wraps another says so by a method Unwrap() Port.
func As[T any](p Port) (T, bool) {
	for {
		if t, ok := p.(T); ok {
			return t, true
		}
		w, ok := p.(interface{ Unwrap() Port })
		if !ok {
			var none T
			return none, false
		}
		p = w.Unwrap()
	}
}

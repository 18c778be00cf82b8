package clientlib

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Batch is a list of independent operations that are in flight together: cheaper than as many
// goroutines, because packets and wake-ups are shared. It is no transaction: the operations are
// executed in any order, and each has its own result. A Batch is not safe for concurrent use; one
// that is used again after Reset allocates nothing.
type Batch struct {
	client *Client
	calls  []*call // the first used are the batch's operations, the rest is kept memory
	used   int
	left   atomic.Int64  // calls that have not ended
	done   chan struct{} // one token when left becomes 0
}

// NewBatch returns an empty Batch.
func (c *Client) NewBatch() *Batch { return &Batch{client: c, done: make(chan struct{}, 1)} }

// Get adds a Get and returns its index. Here and below, arguments must not change before Do.
func (b *Batch) Get(key []byte) int { return b.add(b.client.request(wire.OpGet, key, nil)) }

// Put adds a Put and returns its index.
func (b *Batch) Put(key, value []byte, opts *PutOpts) int {
	return b.add(b.client.putRequest(key, value, opts))
}

// Delete adds a Delete and returns its index.
func (b *Batch) Delete(key []byte, opts *DeleteOpts) int {
	return b.add(b.client.deleteRequest(key, opts))
}

// CompareAndSwap adds a CompareAndSwap and returns its index.
func (b *Batch) CompareAndSwap(key []byte, expected kv.Version, value []byte) int {
	return b.add(b.client.casRequest(key, expected, value))
}

// Increment adds an Increment and returns its index.
func (b *Batch) Increment(key []byte, delta int64) int {
	return b.add(b.client.incrementRequest(key, delta))
}

// Len returns the number of operations.
func (b *Batch) Len() int { return b.used }

func (b *Batch) add(r session.Request) int {
	if b.used == len(b.calls) {
		b.calls = append(b.calls, &call{batch: b})
	}
	k := b.calls[b.used]
	k.client, k.request = b.client, r
	k.request.Tag = k
	k.result = Result{Value: k.result.Value[:0]}
	b.used++
	return b.used - 1
}

// Do executes the operations and returns when all have ended: nil if all succeeded, else the error
// of the first, by index, that did not. When ctx ends, the operations end with it. Do may be
// called once before the next Reset.
func (b *Batch) Do(ctx context.Context) error {
	if b.used == 0 {
		return nil
	}
	calls := b.calls[:b.used]
	b.left.Store(int64(b.used) + 1) // one for Do itself, which still looks at the calls
	now := b.client.driver.now()
	b.prepare(calls, b.client.deadline(ctx, now))
	b.client.driver.submitAll(ctx, now, calls)
	if b.left.Add(-1) > 0 {
		select {
		case <-b.done:
		case <-ctx.Done():
			b.client.driver.cancel(causeOf(ctx), calls...)
			<-b.done
		}
	}
	for _, k := range calls {
		if k.result.Err != nil {
			return k.result.Err
		}
	}
	return nil
}

// prepare completes the requests and fails those that cannot be sent.
func (b *Batch) prepare(calls []*call, deadline time.Duration) {
	for _, k := range calls {
		k.handle, k.request.Deadline = 0, deadline
		if err := check(&k.request); err != nil {
			k.fail(err)
			k.signal()
		}
	}
}

// Result returns how operation i, 0 to Len()-1, ended. Its Value is valid until Reset.
func (b *Batch) Result(i int) Result { return b.calls[:b.used][i].result }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() { b.used = 0 }

package clientlib

import (
	"context"

	"github.com/turbokv/turbokv/kv"
)

// Batch is a list of independent operations that are in flight together: cheaper than as many
// goroutines, because packets and wake-ups are shared. It is no transaction: the operations are
// executed in any order, and each has its own result. A Batch is not safe for concurrent use; one
// that is used again after Reset allocates nothing.
type Batch struct {
	client *Client
	calls  []*call
	used   int
}

// NewBatch returns an empty Batch.
func (c *Client) NewBatch() *Batch { return &Batch{client: c} }

// Get adds a Get and returns its index. Here and below, arguments are copied.
func (b *Batch) Get(key []byte) int { panic("next") }

// Put adds a Put and returns its index.
func (b *Batch) Put(key, value []byte, opts *PutOpts) int { panic("next") }

// Delete adds a Delete and returns its index.
func (b *Batch) Delete(key []byte, opts *DeleteOpts) int { panic("next") }

// CompareAndSwap adds a CompareAndSwap and returns its index.
func (b *Batch) CompareAndSwap(key []byte, expected kv.Version, value []byte) int { panic("next") }

// Increment adds an Increment and returns its index.
func (b *Batch) Increment(key []byte, delta int64) int { panic("next") }

// Len returns the number of operations.
func (b *Batch) Len() int { return b.used }

// Do executes the operations and returns when all have ended: nil if all succeeded, else the
// error of the first, by index, that did not.
func (b *Batch) Do(ctx context.Context) error { panic("next") }

// Result returns how operation i, 0 to Len()-1, ended. Its Value is valid until Reset.
func (b *Batch) Result(i int) Result { panic("next") }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() { panic("next") }

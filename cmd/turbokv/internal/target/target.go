// Package target makes a TurboKV client a store under test for the workload runner.
package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/antihax/optional"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/workload/runner"
)

// Target runs operations on a client.
type Target struct {
	client *clientlib.Client
}

// New returns a Target over a client, which it does not close.
func New(client *clientlib.Client) *Target { return &Target{client} }

// Get implements runner.Target.
func (t *Target) Get(ctx context.Context, key, dst []byte) ([]byte, error) {
	value, _, err := t.client.GetAppend(ctx, key, dst)
	return value, translate(err)
}

// Put implements runner.Target.
func (t *Target) Put(ctx context.Context, key, value []byte) error {
	_, err := t.client.Put(ctx, key, value, nil)
	return translate(err)
}

// Delete implements runner.Target.
func (t *Target) Delete(ctx context.Context, key []byte) error {
	return translate(t.client.Delete(ctx, key, nil))
}

// Scan implements runner.Target.
func (t *Target) Scan(ctx context.Context, start []byte, limit int) (n int, err error) {
	opts := &clientlib.ScanOpts{Limit: optional.NewInt32(int32(limit))}
	for _, err := range t.client.Scan(ctx, start, nil, opts) {
		if err != nil {
			return n, translate(err)
		}
		n++
	}
	return n, nil
}

// Increment implements runner.Target.
func (t *Target) Increment(ctx context.Context, key []byte, delta int64) error {
	_, err := t.client.Increment(ctx, key, delta)
	return translate(err)
}

// Retries counts requests that were sent again: unanswered ones and refused ones.
func (t *Target) Retries() uint64 {
	s := t.client.Stats()
	return s.Retransmitted + s.Refused
}

// translate adds the runner's meaning to an error of the client.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, clientlib.ErrNotFound):
		return runner.ErrNotFound
	case errors.Is(err, clientlib.ErrOutcomeUnknown):
		return fmt.Errorf("%w: %w", runner.ErrOutcomeUnknown, errors.Unwrap(err))
	case errors.Is(err, clientlib.ErrUnsupported):
		return fmt.Errorf("%w: %w", runner.ErrUnsupported, err)
	}
	return shorten(err)
}

// shorten drops the key of an operation's error, so that like errors are counted together.
func shorten(err error) error {
	if op := (*clientlib.OpError)(nil); errors.As(err, &op) {
		return fmt.Errorf("%v: %w", op.Op, op.Err)
	}
	return err
}

// NewBatch implements runner.Batcher.
func (t *Target) NewBatch() runner.Batch { return &batch{t.client.NewBatch()} }

// batch is a batch of the client.
type batch struct{ *clientlib.Batch }

// Get implements runner.Batch.
func (b *batch) Get(key []byte) { b.Batch.Get(key) }

// Put implements runner.Batch.
func (b *batch) Put(key, value []byte) { b.Batch.Put(key, value, nil) }

// Delete implements runner.Batch.
func (b *batch) Delete(key []byte) { b.Batch.Delete(key, nil) }

// Increment implements runner.Batch.
func (b *batch) Increment(key []byte, delta int64) { b.Batch.Increment(key, delta) }

// Do implements runner.Batch.
func (b *batch) Do(ctx context.Context) {
	_ = b.Batch.Do(ctx) // every request has its own error
}

// Result implements runner.Batch.
func (b *batch) Result(i int) (value []byte, took time.Duration, err error) {
	r := b.Batch.Result(i)
	return r.Value, r.Latency, translate(r.Err)
}

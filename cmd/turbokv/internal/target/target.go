// Package target makes a TurboKV client a store under test for the workload runner.
package target

import (
	"context"
	"errors"
	"fmt"

	"github.com/antihax/optional"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/workload/runner"
)

// Target runs operations on one or more clients of the same keyspace.
type Target struct {
	clients []*clientlib.Client
}

// New returns a Target that spreads operations over the clients by key. It does not close them.
func New(clients ...*clientlib.Client) *Target { return &Target{clients: clients} }

// client picks one by the last byte of the key, which differs most.
func (t *Target) client(key []byte) *clientlib.Client {
	if len(key) == 0 {
		return t.clients[0]
	}
	return t.clients[int(key[len(key)-1])%len(t.clients)]
}

// Get implements runner.Target.
func (t *Target) Get(ctx context.Context, key, dst []byte) ([]byte, error) {
	value, _, err := t.client(key).GetAppend(ctx, key, dst)
	return value, translate(err)
}

// Put implements runner.Target.
func (t *Target) Put(ctx context.Context, key, value []byte) error {
	_, err := t.client(key).Put(ctx, key, value, nil)
	return translate(err)
}

// Delete implements runner.Target.
func (t *Target) Delete(ctx context.Context, key []byte) error {
	return translate(t.client(key).Delete(ctx, key, nil))
}

// Scan implements runner.Target.
func (t *Target) Scan(ctx context.Context, start []byte, limit int) (n int, err error) {
	opts := &clientlib.ScanOpts{Limit: optional.NewInt32(int32(limit))}
	for _, err := range t.client(start).Scan(ctx, start, nil, opts) {
		if err != nil {
			return n, translate(err)
		}
		n++
	}
	return n, nil
}

// Increment implements runner.Target.
func (t *Target) Increment(ctx context.Context, key []byte, delta int64) error {
	_, err := t.client(key).Increment(ctx, key, delta)
	return translate(err)
}

// Retries counts requests that were sent again: unanswered ones and refused ones.
func (t *Target) Retries() (n uint64) {
	for _, c := range t.clients {
		s := c.Stats()
		n += s.Retransmitted + s.Refused
	}
	return n
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

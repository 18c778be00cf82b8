package clientlib

import (
	"context"
	"time"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Result is the end of one operation of a Future or a Batch.
type Result struct {
	// Value that a Get found.
	Value []byte
	// Version of the record after the operation.
	Version kv.Version
	// Number that an Increment left.
	Number int64
	// Latency from the start of the operation to its end.
	Latency time.Duration
	// Err is nil or an *OpError.
	Err error
}

// Future is an operation in flight. It ends by itself at the latest when its context's deadline or
// the Client's timeout has passed.
type Future struct{ call *call }

// Wait returns the result; its Value belongs to the caller. When ctx ends first, the operation
// ends with it. Wait may be called once.
func (f *Future) Wait(ctx context.Context) Result {
	call := f.call
	f.call = nil
	return call.client.await(ctx, call)
}

// StartGet is Get without waiting.
func (c *Client) StartGet(ctx context.Context, key []byte) *Future {
	return c.start(ctx, c.request(wire.OpGet, key, nil))
}

// StartPut is Put without waiting.
func (c *Client) StartPut(ctx context.Context, key, value []byte, opts *PutOpts) *Future {
	return c.start(ctx, c.putRequest(key, value, opts))
}

// StartDelete is Delete without waiting.
func (c *Client) StartDelete(ctx context.Context, key []byte, opts *DeleteOpts) *Future {
	return c.start(ctx, c.deleteRequest(key, opts))
}

// StartCompareAndSwap is CompareAndSwap without waiting.
func (c *Client) StartCompareAndSwap(
	ctx context.Context, key []byte, expected kv.Version, value []byte,
) *Future {
	return c.start(ctx, c.casRequest(key, expected, value))
}

// StartIncrement is Increment without waiting.
func (c *Client) StartIncrement(ctx context.Context, key []byte, delta int64) *Future {
	return c.start(ctx, c.incrementRequest(key, delta))
}

func (c *Client) start(ctx context.Context, r session.Request) *Future {
	call := c.newCall(r)
	c.submit(ctx, call)
	return &Future{call: call}
}

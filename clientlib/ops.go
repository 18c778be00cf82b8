package clientlib

import (
	"context"
	"fmt"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Record is a key with its value, as a read found it. The caller owns its slices.
type Record struct {
	Key, Value []byte
	// Version tells this state of the record from every other, for conditional writes.
	Version kv.Version
}

// Get returns the record under key. The error wraps ErrNotFound if there is none.
func (c *Client) Get(ctx context.Context, key []byte) (Record, error) {
	value, version, err := c.GetAppend(ctx, key, nil)
	if err != nil {
		return Record{}, err
	}
	return Record{Key: append([]byte(nil), key...), Value: value, Version: version}, nil
}

// GetAppend is Get for callers that count allocations: it appends the value to dst, which it
// returns unchanged with an error.
func (c *Client) GetAppend(ctx context.Context, key, dst []byte) ([]byte, kv.Version, error) {
	call := c.newCall(c.request(wire.OpGet, key, nil))
	call.result.Value = dst
	r := c.run(ctx, call)
	return r.Value, r.Version, r.Err
}

// Put stores value under key and returns the version of the new record.
func (c *Client) Put(ctx context.Context, key, value []byte, opts *PutOpts) (kv.Version, error) {
	r := c.run(ctx, c.newCall(c.putRequest(key, value, opts)))
	return r.Version, r.Err
}

// Delete removes the record under key. The error wraps ErrNotFound if there is none.
func (c *Client) Delete(ctx context.Context, key []byte, opts *DeleteOpts) error {
	return c.run(ctx, c.newCall(c.deleteRequest(key, opts))).Err
}

// CompareAndSwap stores value under key if the record has the expected version, 0 standing for no
// record, and returns the version of the new record. Otherwise the error wraps ErrVersionMismatch
// and is a *VersionMismatchError, which carries the current version.
func (c *Client) CompareAndSwap(
	ctx context.Context, key []byte, expected kv.Version, value []byte,
) (kv.Version, error) {
	r := c.run(ctx, c.newCall(c.casRequest(key, expected, value)))
	return r.Version, r.Err
}

// Increment adds delta to the record under key, an 8-byte big-endian integer of which an absent
// record holds 0, and returns the sum. The error wraps ErrNotANumber if the record is no integer.
func (c *Client) Increment(ctx context.Context, key []byte, delta int64) (int64, error) {
	r := c.run(ctx, c.newCall(c.incrementRequest(key, delta)))
	return r.Number, r.Err
}

// request describes an operation on one record of the keyspace.
func (c *Client) request(op wire.Op, key, value []byte) session.Request {
	return session.Request{
		Op: op, Keyspace: c.desc.ID, Partitioner: c.desc.Partitioner, Key: key, Value: value,
	}
}

func (c *Client) putRequest(key, value []byte, opts *PutOpts) session.Request {
	if opts != nil && opts.ExpectedVersion.IsSet() {
		return c.casRequest(key, kv.Version(opts.ExpectedVersion.Value()), value)
	}
	return c.request(wire.OpPut, key, value)
}

func (c *Client) casRequest(key []byte, expected kv.Version, value []byte) session.Request {
	r := c.request(wire.OpCAS, key, value)
	r.Version = expected
	return r
}

// deleteRequest marks a condition that cannot hold with the operation 0, which check refuses: on
// the wire version 0 would mean "any".
func (c *Client) deleteRequest(key []byte, opts *DeleteOpts) session.Request {
	r := c.request(wire.OpDelete, key, nil)
	if opts != nil && opts.ExpectedVersion.IsSet() {
		r.Version = kv.Version(opts.ExpectedVersion.Value())
		if r.Version == 0 {
			r.Op = 0
		}
	}
	return r
}

func (c *Client) incrementRequest(key []byte, delta int64) session.Request {
	return c.request(wire.OpIncrement, key, wire.AppendNumber(nil, delta))
}

// check says why a request on one record must not be sent, or returns nil.
func check(r *session.Request) error {
	switch {
	case r.Op == 0:
		return fmt.Errorf("%w: delete on condition of version 0, which no record has", ErrBadRequest)
	case len(r.Key) == 0:
		return fmt.Errorf("%w: empty key", ErrBadRequest)
	case len(r.Key) > wire.MaxKeySize:
		return fmt.Errorf("%w: key of %d bytes, at most %d", ErrTooLarge, len(r.Key), wire.MaxKeySize)
	case len(r.Key)+len(r.Value) > wire.MaxRecordSize:
		return fmt.Errorf("%w: key of %d and value of %d bytes, at most %d together",
			ErrTooLarge, len(r.Key), len(r.Value), wire.MaxRecordSize)
	}
	return nil
}

package clientlib

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// Client is a handle on one keyspace of a cluster. It is safe for concurrent use.
type Client struct {
	driver *driver
	desc   kv.Descriptor
	config Config // as completed by Dial
}

// Dial opens a session with the cluster and finds the keyspace. The error wraps ErrNoKeyspace if
// there is none of that name, and ErrUnavailable if nobody answers before ctx ends. The socket is
// closed whenever Dial fails.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	c, err := open(cfg)
	if err != nil {
		if cfg.Conn != nil {
			err = errors.Join(err, cfg.Conn.Close())
		}
		return nil, fmt.Errorf("dial: %w", err)
	}
	if cfg.Descriptor != nil {
		c.desc = *cfg.Descriptor
		return c, nil
	}
	found, err := c.Keyspace(ctx, cfg.Keyspace)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dial: %w", err), c.Close())
	}
	return found, nil
}

// open returns a Client of the system keyspace.
func open(cfg Config) (*Client, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	d, err := newDriver(cfg)
	if err != nil {
		return nil, err
	}
	return &Client{driver: d, desc: kv.SystemDescriptor, config: cfg}, nil
}

// Keyspace returns a Client of another keyspace over the same session. The error wraps
// ErrNoKeyspace if there is none of that name.
func (c *Client) Keyspace(ctx context.Context, name string) (*Client, error) {
	if name == kv.SystemDescriptor.Name {
		return c.of(kv.SystemDescriptor), nil
	}
	record, err := c.of(kv.SystemDescriptor).Get(ctx, []byte(name))
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, fmt.Errorf("keyspace %q: %w", name, ErrNoKeyspace)
	case err != nil:
		return nil, fmt.Errorf("keyspace %q: %w", name, err)
	}
	desc, err := kv.DecodeDescriptor(record.Value)
	if err != nil {
		return nil, fmt.Errorf("keyspace %q: %w", name, err)
	}
	return c.of(desc), nil
}

// of returns a Client of the described keyspace over the same session.
func (c *Client) of(desc kv.Descriptor) *Client {
	return &Client{driver: c.driver, desc: desc, config: c.config}
}

// Descriptor describes the keyspace of the Client.
func (c *Client) Descriptor() kv.Descriptor { return c.desc }

// Close ends the session, for all Clients that share it, and closes the socket. Operations in
// flight end with ErrUnavailable or ErrOutcomeUnknown, both wrapping ErrClosed.
func (c *Client) Close() error { return c.driver.close() }

// deadline returns when an operation that begins at now under ctx must end, on the session's clock.
func (c *Client) deadline(ctx context.Context, now time.Duration) time.Duration {
	if t, ok := ctx.Deadline(); ok {
		return c.driver.at(t)
	}
	return now + c.config.Timeout
}

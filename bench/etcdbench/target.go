package etcdbench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/turbokv/turbokv/workload/runner"
)

// requestTimeout bounds one request, as long as TurboKV's clients wait.
const requestTimeout = 10 * time.Second

// Target is etcd as a store under test.
type Target struct {
	clients []*clientv3.Client
	next    atomic.Uint64
	retries atomic.Uint64
}

// connections is the number of client connections: of 1, 8 and 32, few were fastest by far.
const connections = 4

// Dial waits until the cluster has a leader and connects to it, which is faster than spreading
// requests over the members.
func Dial(ctx context.Context, endpoints []string) (*Target, error) {
	leader, err := findLeader(ctx, endpoints)
	if err != nil {
		return nil, err
	}
	t := &Target{}
	for range connections {
		c, err := connect(ctx, leader)
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		t.clients = append(t.clients, c)
	}
	return t, nil
}

func connect(ctx context.Context, endpoints ...string) (*clientv3.Client, error) {
	c, err := clientv3.New(clientv3.Config{
		Context: ctx, Endpoints: endpoints, DialTimeout: requestTimeout, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("etcd client: %w", err)
	}
	return c, nil
}

// findLeader returns the client URL of the leader.
func findLeader(ctx context.Context, endpoints []string) (string, error) {
	c, err := connect(ctx, endpoints...)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Get(ctx, "ready"); err != nil { // is answered once there is a leader
		return "", fmt.Errorf("etcd is not ready: %w", err)
	}
	for _, e := range endpoints {
		status, err := c.Status(ctx, e)
		if err != nil {
			return "", fmt.Errorf("etcd status of %s: %w", e, err)
		}
		if status.Header.MemberId == status.Leader {
			return e, nil
		}
	}
	return "", fmt.Errorf("etcd: none of %v is the leader", endpoints)
}

// Close closes all connections.
func (t *Target) Close() error {
	var errs []error
	for _, c := range t.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// client spreads the requests over the connections.
func (t *Target) client() *clientv3.Client {
	return t.clients[t.next.Add(1)%uint64(len(t.clients))]
}

// Get reads linearizably.
func (t *Target) Get(ctx context.Context, key, dst []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := t.client().Get(ctx, string(key))
	if err != nil {
		return dst, err
	}
	if len(r.Kvs) == 0 {
		return dst, runner.ErrNotFound
	}
	return append(dst, r.Kvs[0].Value...), nil
}

// Put stores a record.
func (t *Target) Put(ctx context.Context, key, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := t.client().Put(ctx, string(key), string(value))
	return unknown(err)
}

// Delete removes a record.
func (t *Target) Delete(ctx context.Context, key []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := t.client().Delete(ctx, string(key))
	if err != nil {
		return unknown(err)
	}
	if r.Deleted == 0 {
		return runner.ErrNotFound
	}
	return nil
}

// Scan is a range read with a limit.
func (t *Target) Scan(ctx context.Context, start []byte, limit int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := t.client().Get(ctx, string(start), clientv3.WithFromKey(),
		clientv3.WithLimit(int64(limit)))
	if err != nil {
		return 0, err
	}
	return len(r.Kvs), nil
}

// Increment is the usual loop of read and conditional write.
func (t *Target) Increment(ctx context.Context, key []byte, delta int64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for {
		done, err := t.tryIncrement(ctx, string(key), delta)
		if done || err != nil {
			return unknown(err)
		}
		t.retries.Add(1)
	}
}

func (t *Target) tryIncrement(ctx context.Context, key string, delta int64) (bool, error) {
	c := t.client()
	r, err := c.Get(ctx, key)
	if err != nil {
		return false, err
	}
	value, revision := int64(0), int64(0)
	if len(r.Kvs) > 0 {
		revision = r.Kvs[0].ModRevision
		if value, err = strconv.ParseInt(string(r.Kvs[0].Value), 10, 64); err != nil {
			return false, fmt.Errorf("increment: %w", err)
		}
	}
	txn, err := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).
		Then(clientv3.OpPut(key, strconv.FormatInt(value+delta, 10))).Commit()
	return err == nil && txn.Succeeded, err
}

// Retries counts conflicting increments; the etcd client does not tell its own.
func (t *Target) Retries() uint64 { return t.retries.Load() }

// unknown marks a failed write: etcd's client does not say whether it was ever sent.
func unknown(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", runner.ErrOutcomeUnknown, err)
}

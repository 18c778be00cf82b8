package clientlib

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/transport"
)

// submit hands a call that began at now to the session. It blocks while the queue is full.
func (d *driver) submit(ctx context.Context, now time.Duration, k *call) {
	d.mu.Lock()
	d.submitLocked(ctx, now, k)
	d.flush()
	d.mu.Unlock()
}

// submitAll is submit for many calls, under one lock as long as the queue has room.
func (d *driver) submitAll(ctx context.Context, now time.Duration, calls []*call) {
	d.mu.Lock()
	for _, k := range calls {
		if k.result.Err == nil {
			d.submitLocked(ctx, now, k)
		}
		if len(d.out.Packets) >= transport.BatchSize {
			d.flush()
		}
	}
	d.flush()
	d.mu.Unlock()
}

// submitLocked releases the lock while it waits for room in the queue.
func (d *driver) submitLocked(ctx context.Context, now time.Duration, k *call) {
	for !d.trySubmit(now, k) {
		d.flush()
		if d.session.Room() { // it has released the lock
			continue
		}
		d.waiting = true
		full := d.full
		d.mu.Unlock()
		err := d.awaitRoom(ctx, full, k.request.Deadline)
		d.mu.Lock()
		if err != nil {
			k.fail(err)
			k.signal()
			return
		}
	}
}

// trySubmit returns false if the queue is full. A call that cannot be done any more ends at once.
func (d *driver) trySubmit(now time.Duration, k *call) bool {
	if d.closed {
		k.fail(d.closedError())
		k.signal()
		return true
	}
	h, ok := d.session.Submit(d.advance(now), &k.request, d.out)
	if !ok {
		return false
	}
	k.handle = h
	if len(d.out.Completions) > 0 { // deadlines have passed
		signalAll(d.settle(nil))
	}
	if d.asleep {
		d.asleep = false
		d.alarm <- struct{}{}
	}
	return true
}

func (d *driver) closedError() error {
	if d.err != nil {
		return errors.Join(ErrClosed, d.err)
	}
	return ErrClosed
}

// awaitRoom returns nil when the queue may have room.
func (d *driver) awaitRoom(ctx context.Context, full chan struct{}, deadline time.Duration) error {
	timer := time.NewTimer(deadline - d.now())
	defer timer.Stop()
	select {
	case <-full:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w: too many requests wait", ErrUnavailable, ctx.Err())
	case <-timer.C:
		return fmt.Errorf("%w: %w: too many requests wait", ErrUnavailable, context.DeadlineExceeded)
	}
}

// cancel ends those calls that have not ended yet.
func (d *driver) cancel(why session.Cause, calls ...*call) {
	d.mu.Lock()
	now := d.advance(d.now())
	for _, k := range calls {
		d.session.Cancel(now, k.handle, why, d.out)
	}
	ended := d.settle(nil)
	d.flush()
	d.mu.Unlock()
	signalAll(ended)
}

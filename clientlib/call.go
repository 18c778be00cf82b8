package clientlib

import (
	"bytes"
	"context"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/wire"
)

// call is one request between the goroutine that wants it and the driver. The goroutine owns it
// before submit and after done; in between the driver does.
type call struct {
	client  *Client
	request session.Request
	handle  session.Handle
	done    chan struct{} // one token when the call has ended
	batch   *Batch        // gets the token of its last call instead, if set
	result  Result        // Value is appended to what it holds
	page    page          // of a scan
}

// newCall returns a call of the driver's pool.
func (c *Client) newCall(r session.Request) *call {
	k, ok := c.driver.calls.Get().(*call)
	if !ok {
		k = &call{done: make(chan struct{}, 1)}
	}
	k.client, k.request = c, r
	k.request.Tag = k
	return k
}

// free gives a call that has ended back to the pool.
func (d *driver) free(k *call) {
	*k = call{done: k.done}
	d.calls.Put(k)
}

// run executes a call and frees it.
func (c *Client) run(ctx context.Context, k *call) Result {
	c.submit(ctx, k)
	return c.await(ctx, k)
}

// submit starts a call. It blocks while the queue is full.
func (c *Client) submit(ctx context.Context, k *call) {
	if err := check(&k.request); err != nil {
		k.fail(err)
		k.signal()
		return
	}
	now := c.driver.now()
	k.request.Deadline = c.deadline(ctx, now)
	c.driver.submit(ctx, now, k)
}

// await returns the result of a submitted call and frees it.
func (c *Client) await(ctx context.Context, k *call) Result {
	c.driver.wait(ctx, k)
	r := k.result
	c.driver.free(k)
	return r
}

// wait returns when the call has ended; when ctx ends first, it ends the call.
func (d *driver) wait(ctx context.Context, k *call) {
	if ctx.Done() == nil {
		<-k.done
		return
	}
	select {
	case <-k.done:
	case <-ctx.Done():
		d.cancel(causeOf(ctx), k)
		<-k.done
	}
}

func causeOf(ctx context.Context) session.Cause {
	if ctx.Err() == context.DeadlineExceeded {
		return session.ByDeadline
	}
	return session.ByCancel
}

// end takes over what the session says about the end of the call.
func (k *call) end(c *session.Completion) {
	k.result.Latency = c.Elapsed
	if observe := k.client.config.Observe; observe != nil {
		observe(Observation{Op: c.Op, Outcome: c.Outcome, Latency: c.Elapsed})
	}
	if err := errorOf(c); err != nil {
		k.request.Key = c.Key // the caller's slice may have other content by now
		k.fail(err)
		return
	}
	k.result.Version = c.Version
	switch c.Op {
	case wire.OpGet:
		k.result.Value = append(k.result.Value, c.Value...)
	case wire.OpIncrement:
		k.result.Number, _ = wire.Number(c.Value)
	case wire.OpScan:
		k.page.take(c.Page)
	}
}

// fail makes err the result. The key of the request must still be what it was at the start.
func (k *call) fail(err error) {
	op := k.request.Op
	if op == 0 {
		op = wire.OpDelete // see deleteRequest
	}
	k.result.Err = &OpError{
		Op: op, Keyspace: k.client.desc.Name, Key: bytes.Clone(k.request.Key), Err: err,
	}
}

// signal tells whoever waits that the call has ended. A channel with room never blocks.
func (k *call) signal() {
	if k.batch == nil {
		k.done <- struct{}{}
	} else if k.batch.left.Add(-1) == 0 {
		k.batch.done <- struct{}{}
	}
}

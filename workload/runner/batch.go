package runner

import (
	"context"
	"time"

	"github.com/turbokv/turbokv/workload"
)

// Batcher is a Target that can have many requests of one goroutine in flight.
type Batcher interface {
	Target
	// NewBatch returns an empty batch, for one goroutine.
	NewBatch() Batch
}

// Batch is a list of requests that are sent together. Arguments must not change before Do returns.
type Batch interface {
	Get(key []byte)
	Put(key, value []byte)
	Delete(key []byte)
	Increment(key []byte, delta int64)
	// Do executes the requests and returns when all have ended.
	Do(ctx context.Context)
	// Result returns how request i of the last Do ended, counted from 0, and how long it took.
	// The value is that of a Get.
	Result(i int) (value []byte, took time.Duration, err error)
	// Reset empties the batch.
	Reset()
}

// batchClient keeps up to Config.InFlight requests in flight: it fills a batch, executes it,
// enters the results, and begins again. A ReadModifyWrite takes part in two batches, the second
// time as a write. Scans do not fit into a batch and are executed between batches.
type batchClient struct {
	*client
	batch Batch
	slots []*slot
}

// slot is one operation on its way.
type slot struct {
	op      workload.Op
	value   []byte
	write   workload.Write
	began   time.Time // of the first batch that it was in
	writing bool      // the write of a ReadModifyWrite is still to be done
	used    bool
}

func newBatchClient(c *client, b Batch) *batchClient {
	s := make([]*slot, c.InFlight)
	for i := range s {
		s[i] = new(slot)
	}
	return &batchClient{client: c, batch: b, slots: s}
}

func (c *batchClient) loop(ctx context.Context) {
	for more := true; ; {
		more = more && ctx.Err() == nil && c.fill(ctx)
		c.batch.Reset()
		queued := 0
		for _, s := range c.slots {
			if s.used {
				c.enqueue(s)
				queued++
			}
		}
		if queued == 0 {
			return
		}
		c.execute(ctx)
	}
}

// fill draws operations for the empty slots and reports whether there are more to come.
func (c *batchClient) fill(ctx context.Context) bool {
	for _, s := range c.slots {
		for !s.used {
			if !c.take() || !c.source.Next(&s.op) {
				return false
			}
			if s.op.Kind == workload.Scan {
				c.perform(ctx, &s.op)
				continue
			}
			s.used, s.writing, s.began = true, false, time.Time{}
		}
	}
	return true
}

// enqueue adds the request of a slot to the batch.
func (c *batchClient) enqueue(s *slot) {
	switch {
	case s.op.Kind == workload.Read || s.op.Kind == workload.ReadModifyWrite && !s.writing:
		c.batch.Get(s.op.Key)
	case s.op.Kind == workload.Increment:
		c.batch.Increment(s.op.Key, s.op.Delta)
	case s.op.Kind == workload.Delete:
		s.write = c.beginWrite(&s.op, true)
		c.batch.Delete(s.op.Key)
	default:
		s.write = c.beginWrite(&s.op, false)
		s.value = c.Records.Value(s.value[:0], s.op.Record, s.write.Version, s.op.Size)
		c.batch.Put(s.op.Key, s.value)
	}
}

// execute sends the batch and enters what came of it.
func (c *batchClient) execute(ctx context.Context) {
	start := time.Now()
	c.batch.Do(ctx)
	i := 0
	for _, s := range c.slots {
		if !s.used {
			continue
		}
		value, took, err := c.batch.Result(i)
		i++
		if s.began.IsZero() {
			s.began = start
		}
		c.enter(s, value, start.Sub(s.began)+took, err)
	}
}

// enter finishes a slot, or turns a ReadModifyWrite to its second half.
func (c *batchClient) enter(s *slot, value []byte, took time.Duration, err error) {
	switch {
	case s.op.Kind == workload.ReadModifyWrite && !s.writing && err == nil:
		s.writing = true
		return
	case s.op.Kind == workload.Read:
		c.check(&s.op, value, err)
	case s.op.Kind == workload.Increment:
		c.endIncrement(&s.op, err)
	case s.op.Kind != workload.ReadModifyWrite || s.writing:
		c.endWrite(s.write, err)
	}
	s.used = false
	c.finish(&s.op, took, 0, err)
}

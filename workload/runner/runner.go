package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turbokv/turbokv/workload"
)

// Config says what to run and for how long.
type Config struct {
	Name    string // names the run in its report
	Clients int    // clients, at least 1; each has a goroutine
	// InFlight is the number of requests that a client has in flight; 0 stands for 1. More than one
	// needs a Target that is a Batcher.
	InFlight int
	// Source makes the operations of one client, numbered from 0.
	Source  func(client int) (workload.Source, error)
	Records workload.Records // makes the values that are written
	// Count stops the run after that many operations, Duration after that time, whichever comes
	// first; zero means no such limit. A run also ends when all sources have.
	Count    uint64
	Duration time.Duration
	// Ledger, if set, is told of every write, so that Verify can check them.
	Ledger *workload.Ledger
	// Check, if set, is given the answer of every Read; many clients call it at once.
	Check func(op *workload.Op, value []byte, found bool)
	// Progress, if set, is called a few times a second with the operations done so far.
	Progress func(done uint64, elapsed time.Duration)
}

func (c Config) validate() error {
	switch {
	case c.Clients < 1:
		return fmt.Errorf("run %s: %d clients: need at least 1", c.Name, c.Clients)
	case c.InFlight < 0:
		return fmt.Errorf("run %s: %d requests in flight: need at least 1", c.Name, c.InFlight)
	case c.Source == nil:
		return fmt.Errorf("run %s: no source of operations", c.Name)
	case c.Duration < 0:
		return fmt.Errorf("run %s: duration %v is negative", c.Name, c.Duration)
	}
	return nil
}

// progressEvery is how often Progress is called: quick to the eye, no load.
const progressEvery = 100 * time.Millisecond

// clientsPerRecorder trades memory (some 200 KB a recorder and kind) against contention.
const clientsPerRecorder = 16

// run is the state of one Run.
type run struct {
	Config
	target  Target
	batcher Batcher // needed if InFlight > 1
	stopped atomic.Bool
	begun   atomic.Uint64 // operations taken from Count
	done    atomic.Uint64
	records []recorder
}

// Run drives the target until the configured end or until ctx is done, waits for what is in
// flight, and reports. Failed operations are counted, not returned: the error is about the
// configuration, or is ctx's.
func Run(ctx context.Context, target Target, c Config) (Report, error) {
	if err := c.validate(); err != nil {
		return Report{}, err
	}
	batcher, ok := target.(Batcher)
	if c.InFlight > 1 && !ok {
		return Report{}, fmt.Errorf("run %s: %d requests in flight a client: %w", c.Name, c.InFlight,
			ErrUnsupported)
	}
	sources := make([]workload.Source, c.Clients)
	for i := range sources {
		var err error
		if sources[i], err = c.Source(i); err != nil {
			return Report{}, fmt.Errorf("run %s: %w", c.Name, err)
		}
	}
	r := &run{Config: c, target: target, batcher: batcher}
	r.records = make([]recorder, (c.Clients+clientsPerRecorder-1)/clientsPerRecorder)
	retries := target.Retries()
	start := time.Now()
	r.drive(ctx, sources)
	elapsed := time.Since(start)
	var all recorder
	for i := range r.records {
		all.merge(&r.records[i])
	}
	return newReport(c, &all, elapsed, target.Retries()-retries), ctx.Err()
}

// drive runs all clients to their end.
func (r *run) drive(ctx context.Context, sources []workload.Source) {
	var clients, reporter sync.WaitGroup
	if r.Duration > 0 {
		timer := time.AfterFunc(r.Duration, func() { r.stopped.Store(true) })
		defer timer.Stop()
	}
	finished := make(chan struct{})
	if r.Progress != nil {
		reporter.Go(func() { r.reportProgress(finished) })
	}
	for i, s := range sources {
		c := &client{run: r, source: s, recorder: &r.records[i/clientsPerRecorder]}
		if r.InFlight > 1 {
			b := newBatchClient(c, r.batcher.NewBatch())
			clients.Go(func() { b.loop(ctx) })
			continue
		}
		clients.Go(func() { c.loop(ctx) })
	}
	clients.Wait()
	close(finished)
	reporter.Wait()
}

func (r *run) reportProgress(finished <-chan struct{}) {
	start := time.Now()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-finished:
			r.Progress(r.done.Load(), time.Since(start))
			return
		case <-tick.C:
			r.Progress(r.done.Load(), time.Since(start))
		}
	}
}

// take claims one operation of Count.
func (r *run) take() bool {
	if r.stopped.Load() {
		return false
	}
	return r.Count == 0 || r.begun.Add(1) <= r.Count
}

// client has one request in flight at a time.
type client struct {
	*run
	source   workload.Source
	recorder *recorder
	op       workload.Op
	value    []byte
	read     []byte
}

func (c *client) loop(ctx context.Context) {
	for ctx.Err() == nil && c.take() && c.source.Next(&c.op) {
		c.perform(ctx, &c.op)
	}
}

// perform runs one operation from begin to end.
func (c *client) perform(ctx context.Context, op *workload.Op) {
	start := time.Now()
	returned, err := c.do(ctx, op)
	c.finish(op, time.Since(start), returned, err)
}

// finish enters an operation that has ended.
func (c *client) finish(op *workload.Op, took time.Duration, returned int, err error) {
	c.recorder.record(op.Kind, took, returned, err)
	c.source.Done(op)
	c.done.Add(1)
}

// do runs one operation and enters writes into the ledger.
func (c *client) do(ctx context.Context, op *workload.Op) (returned int, err error) {
	switch op.Kind {
	case workload.Read:
		c.read, err = c.target.Get(ctx, op.Key, c.read[:0])
		c.check(op, c.read, err)
		return 0, err
	case workload.Update, workload.Insert:
		return 0, c.put(ctx, op)
	case workload.ReadModifyWrite:
		if c.read, err = c.target.Get(ctx, op.Key, c.read[:0]); err != nil {
			return 0, err
		}
		return 0, c.put(ctx, op)
	case workload.Scan:
		return c.target.Scan(ctx, op.Key, op.Limit)
	case workload.Delete:
		return 0, c.remove(ctx, op)
	case workload.Increment:
		return 0, c.increment(ctx, op)
	}
	return 0, fmt.Errorf("%v: %w", op.Kind, ErrUnsupported)
}

func (c *client) put(ctx context.Context, op *workload.Op) error {
	w := c.beginWrite(op, false)
	c.value = c.Records.Value(c.value[:0], op.Record, w.Version, op.Size)
	err := c.target.Put(ctx, op.Key, c.value)
	c.endWrite(w, err)
	return err
}

func (c *client) remove(ctx context.Context, op *workload.Op) error {
	w := c.beginWrite(op, true)
	err := c.target.Delete(ctx, op.Key)
	c.endWrite(w, err)
	return err
}

func (c *client) increment(ctx context.Context, op *workload.Op) error {
	err := c.target.Increment(ctx, op.Key, op.Delta)
	c.endIncrement(op, err)
	return err
}

// beginWrite and the two after it keep the ledger, if there is one.
func (c *client) beginWrite(op *workload.Op, isDelete bool) (w workload.Write) {
	if c.Ledger != nil {
		w = c.Ledger.Begin(op.Record, op.Size, isDelete)
	}
	return w
}

func (c *client) endWrite(w workload.Write, err error) {
	if c.Ledger != nil {
		c.Ledger.End(w, outcome(err))
	}
}

func (c *client) endIncrement(op *workload.Op, err error) {
	if c.Ledger != nil {
		c.Ledger.Add(op.Record, op.Delta, outcome(err))
	}
}

// check shows the answer of a Read to whoever wants to see it.
func (c *client) check(op *workload.Op, value []byte, err error) {
	if c.Check != nil && (err == nil || errors.Is(err, ErrNotFound)) {
		c.Check(op, value, err == nil)
	}
}

// outcome translates the error of a write. A delete that found nothing took effect as well: the
// record is absent.
func outcome(err error) workload.Outcome {
	switch {
	case err == nil || errors.Is(err, ErrNotFound):
		return workload.Acknowledged
	case errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, context.Canceled):
		return workload.Unknown
	}
	return workload.Failed
}

// Package outage measures, on a store that is disturbed while it serves, for how long each part of
// the key space gave no answer. For every part one probe reads and another one writes, one request
// after the other; the longest time between two answers is the outage. A client's own repetitions
// are part of what is measured: it is what an application sees.
//
// The writes are increments of a counter per part, so that at the end the counters tell whether
// every acknowledged increment happened, and happened once.
package outage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Store is what is probed.
type Store interface {
	// Read reads a record, which is there.
	Read(ctx context.Context, key []byte) error
	// Increment adds 1 to a counter and returns its new value.
	Increment(ctx context.Context, key []byte) (int64, error)
}

// Part is a part of the key space, and the key in it by which it is probed.
type Part struct {
	Name string
	Key  []byte
}

// Gap is the longest time without an answer that a part had in a window.
type Gap struct {
	Part        string
	Read, Write time.Duration
}

// The pause between two requests of a probe: short against the outages of interest, long enough
// that the probes are no load.
const pause = 2 * time.Millisecond

// requestMax bounds one request. Longer outages are still measured: the probe goes on.
const requestMax = 20 * time.Second

// Watch is a set of probes at work.
type Watch struct {
	store  Store
	probes []*probe
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

// probe is what is known of one part.
type probe struct {
	part        Part
	read, write line

	mu      sync.Mutex
	acked   int64 // increments
	unknown int64 // increments of which the outcome is not known
	last    int64 // the largest value that an increment returned
	err     error // the first that should not have happened
}

// line is the sequence of answers to one kind of request.
type line struct {
	mu      sync.Mutex
	last    time.Time // of the last answer
	longest time.Duration
}

func (l *line) answered(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest = max(l.longest, now.Sub(l.last))
	l.last = now
}

// reset begins a window and returns the longest gap of the one before, up to now.
func (l *line) reset(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	longest := max(l.longest, now.Sub(l.last))
	l.longest, l.last = 0, now
	return longest
}

// Start creates the counters and sets a reader and a writer to work on every part.
func Start(ctx context.Context, store Store, parts []Part) (*Watch, error) {
	w := &Watch{store: store}
	for _, p := range parts {
		first, err := store.Increment(ctx, p.Key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		w.probes = append(w.probes, &probe{part: p, acked: first, last: first})
	}
	ctx, w.stop = context.WithCancel(ctx)
	w.Window()
	for _, p := range w.probes {
		w.ended.Go(func() { w.loop(ctx, &p.read, p.readOnce) })
		w.ended.Go(func() { w.loop(ctx, &p.write, p.writeOnce) })
	}
	return w, nil
}

// loop sends one request after the other until ctx is done.
func (w *Watch) loop(ctx context.Context, l *line, once func(context.Context, Store) bool) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if once(ctx, w.store) {
			l.answered(time.Now())
		}
	}
}

func (p *probe) readOnce(ctx context.Context, s Store) bool {
	ctx, cancel := context.WithTimeout(ctx, requestMax)
	defer cancel()
	err := s.Read(ctx, p.part.Key)
	if err != nil && ctx.Err() == nil {
		p.fail(fmt.Errorf("read %s: %w", p.part.Name, err))
	}
	return err == nil
}

// writeOnce is not cut off by the end of the watch, so that no outcome is unknown without need.
func (p *probe) writeOnce(ctx context.Context, s Store) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestMax)
	defer cancel()
	n, err := s.Increment(ctx, p.part.Key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.unknown++
		return false
	}
	p.acked++
	if n <= p.last && p.err == nil {
		p.err = fmt.Errorf("%s: the counter is %d after %d: an increment is lost", p.part.Name, n,
			p.last)
	}
	p.last = max(p.last, n)
	return true
}

func (p *probe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// Window returns the longest gap of every part since the last call, and begins anew.
func (w *Watch) Window() []Gap {
	now := time.Now()
	gaps := make([]Gap, len(w.probes))
	for i, p := range w.probes {
		gaps[i] = Gap{p.part.Name, p.read.reset(now), p.write.reset(now)}
	}
	return gaps
}

// Verdict is what the counters tell at the end.
type Verdict struct {
	Acknowledged int64 // increments
	Unknown      int64 // increments without a known outcome
	Lost         int64 // acknowledged increments that did not happen
	Surplus      int64 // increments that happened more than once, or were never asked for
}

// Stop ends the probes and reads the counters back.
func (w *Watch) Stop(ctx context.Context) (v Verdict, err error) {
	w.stop()
	w.ended.Wait()
	var errs []error
	for _, p := range w.probes {
		errs = append(errs, p.err)
		n, err := w.store.Increment(ctx, p.part.Key)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: last increment: %w", p.part.Name, err))
			continue
		}
		v.Acknowledged += p.acked
		v.Unknown += p.unknown
		v.Lost += max(0, p.acked+1-n)
		v.Surplus += max(0, n-p.acked-p.unknown-1)
	}
	return v, errors.Join(errs...)
}

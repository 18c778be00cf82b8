package turbokvtest

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Sweep plays the runs of many seeds, several at a time.
type Sweep struct {
	First   uint64 // seed
	Seeds   uint64 // how many
	Workers int    // runs at a time; 0 stands for one per processor
	// Ended is called after every run, by one goroutine at a time; it may be nil. It returns false
	// to end the sweep early.
	Ended func(done uint64, f *Failure) bool
}

// Failure is a run that broke a promise.
type Failure struct {
	Seed    uint64
	Options Options
	Err     error  `json:"-"`
	Why     string // its text
}

// Result is what a sweep has found.
type Result struct {
	Seeds    uint64 // played
	Stats    Stats  // of all runs together
	Failures []Failure
	Elapsed  time.Duration
}

// Play runs one seed. A panic anywhere in it is a failure as well.
func Play(o Options) (s Stats, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	c, err := New(o)
	if err != nil {
		return s, err
	}
	err = c.Run()
	return c.Stats(), err
}

// Run plays all seeds, or as many as it gets to before ctx is done.
func (s Sweep) Run(ctx context.Context) Result {
	began := time.Now()
	var out Result
	var mu sync.Mutex
	var workers sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seeds := make(chan uint64)
	for range cmp.Or(s.Workers, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for seed := range seeds {
				o := Draw(seed)
				stats, err := Play(o)
				mu.Lock()
				if !s.ended(&out, o, stats, err) {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	for i := uint64(0); i < s.Seeds && ctx.Err() == nil; i++ {
		select {
		case seeds <- s.First + i:
		case <-ctx.Done():
		}
	}
	close(seeds)
	workers.Wait()
	slices.SortFunc(out.Failures, func(a, b Failure) int { return cmp.Compare(a.Seed, b.Seed) })
	out.Elapsed = time.Since(began)
	return out
}

// ended adds a run to the result, and reports whether to go on.
func (s Sweep) ended(out *Result, o Options, stats Stats, err error) bool {
	out.Seeds++
	out.Stats.Add(stats)
	var f *Failure
	if err != nil {
		f = &Failure{Seed: o.Seed, Options: o, Err: err, Why: err.Error()}
		out.Failures = append(out.Failures, *f)
	}
	return s.Ended == nil || s.Ended(out.Seeds, f)
}

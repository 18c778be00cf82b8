// Package watch follows one cluster for those who show it to people and machines: the web page and the
// metrics. A Watcher asks the admin service for the status every second, follows its events over
// restarts of the controller and changes of leaders, and remembers some of both.
//
// What it shows is at most an interval old, however many look at it, and costs the controller one
// status a second.
package watch

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/antihax/optional"

	"github.com/turbokv/turbokv/controller/admin"
)

// Source is what is watched: an *admin.Client.
type Source interface {
	Status(ctx context.Context) (admin.Status, error)
	Events(ctx context.Context, opts *admin.EventsOpts) iter.Seq2[admin.Event, error]
}

// Config says what to watch and how much to remember. Source is required.
type Config struct {
	Source Source
	// Interval is the time between two looks; 0 stands for 1 s, as often as load is counted.
	Interval time.Duration
	// Samples is how many looks at the load are remembered; 0 stands for 300, five minutes.
	Samples int
	// Events is how many events are remembered; 0 stands for 500.
	Events int
}

func (c Config) withDefaults() Config {
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.Samples == 0 {
		c.Samples = 300
	}
	if c.Events == 0 {
		c.Events = 500
	}
	return c
}

// Look is one look at the cluster.
type Look struct {
	Number uint64       // counts looks, from 1
	At     time.Time    // by the watcher's clock
	Status admin.Status // the last one that is known; zero before the first
	Err    error        // why there is none of this moment; nil when all is well
}

// Event is an event with a number that also grows over changes of leaders, from 1.
type Event struct {
	Number uint64
	admin.Event
}

// Tally counts the events of a kind.
type Tally struct{ Kind, Severity string }

// Watcher watches a cluster while Run runs. It is safe for concurrent use.
type Watcher struct {
	cfg Config

	mu      sync.Mutex
	look    Look
	samples []Sample // oldest first
	events  []Event  // oldest first
	told    uint64   // events so far
	tallies map[Tally]uint64
	news    chan struct{} // closed and replaced with every look and event
}

// New returns a Watcher that has seen nothing yet.
func New(cfg Config) *Watcher {
	return &Watcher{
		cfg: cfg.withDefaults(), tallies: make(map[Tally]uint64), news: make(chan struct{}),
		look: Look{Err: errNotYet},
	}
}

var errNotYet = errors.New("the controller has not been asked yet")

// Run watches until ctx is done.
func (w *Watcher) Run(ctx context.Context) {
	var parts sync.WaitGroup
	parts.Go(func() { w.lookOn(ctx) })
	parts.Go(func() { w.follow(ctx) })
	parts.Wait()
}

// lookOn asks for the status again and again.
func (w *Watcher) lookOn(ctx context.Context) {
	tick := time.NewTicker(w.cfg.Interval)
	defer tick.Stop()
	for {
		s, err := w.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		w.saw(time.Now(), s, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// patience is how long an answer may take before the controller counts as away.
const patience = 3 * time.Second

func (w *Watcher) ask(ctx context.Context) (admin.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return w.cfg.Source.Status(ctx)
}

// saw takes in one look.
func (w *Watcher) saw(now time.Time, s admin.Status, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look.Number, w.look.At, w.look.Err = w.look.Number+1, now, err
	if err == nil {
		w.look.Status = s
		w.samples = keep(append(w.samples, w.sampleOf(now, s)), w.cfg.Samples)
	}
	w.tell()
}

// keep drops what is oldest beyond n.
func keep[T any](all []T, n int) []T {
	if over := len(all) - n; over > 0 {
		return append(all[:0:0], all[over:]...)
	}
	return all
}

// tell wakes whoever waits for news.
func (w *Watcher) tell() {
	close(w.news)
	w.news = make(chan struct{})
}

// follow takes in events, from one controller after the other.
func (w *Watcher) follow(ctx context.Context) {
	var last, term uint64
	for ctx.Err() == nil {
		// A controller counts its events from 1, so what was known of another one means nothing.
		s, err := w.ask(ctx)
		if err == nil && s.Term != term {
			last, term = 0, s.Term
		}
		if err == nil {
			opts := &admin.EventsOpts{
				After: optional.NewUint64(last), Follow: optional.NewBool(true),
			}
			for e, err := range w.cfg.Source.Events(ctx, opts) {
				if err != nil {
					break
				}
				last = e.ID
				w.heard(e)
			}
		}
		select {
		case <-time.After(w.cfg.Interval):
		case <-ctx.Done():
		}
	}
}

// heard takes in one event.
func (w *Watcher) heard(e admin.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told++
	w.events = keep(append(w.events, Event{w.told, e}), w.cfg.Events)
	w.tallies[Tally{e.Kind, e.Severity}]++
	w.tell()
}

// Last returns the last look, and a channel that is closed when there is a newer one or an event.
func (w *Watcher) Last() (Look, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.look, w.news
}

// Events returns the events with higher numbers that are remembered, oldest first.
func (w *Watcher) Events(after uint64) []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range w.events {
		if e.Number > after {
			return w.events[i:len(w.events):len(w.events)]
		}
	}
	return nil
}

// Tallies counts all events that the watcher has heard of.
func (w *Watcher) Tallies() map[Tally]uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[Tally]uint64, len(w.tallies))
	for t, n := range w.tallies {
		out[t] = n
	}
	return out
}

// Samples returns the looks at the load that are remembered, oldest first.
func (w *Watcher) Samples() []Sample {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.samples[:len(w.samples):len(w.samples)]
}

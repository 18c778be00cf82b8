package watch_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/watch"
	"github.com/turbokv/turbokv/kv"
)

// source is a controller that a test plays.
type source struct {
	mu     sync.Mutex
	status admin.Status
	err    error
	events []admin.Event
	ended  chan struct{} // streams end when it is closed; nil: they do not
}

func (s *source) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *source) Status(context.Context) (admin.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.err
}

func (s *source) Events(
	ctx context.Context, o *admin.EventsOpts,
) iter.Seq2[admin.Event, error] {
	return func(yield func(admin.Event, error) bool) {
		s.mu.Lock()
		events, ended := s.events, s.ended
		s.mu.Unlock()
		for _, e := range events {
			if e.ID > o.After.Value() && !yield(e, nil) {
				return
			}
		}
		select {
		case <-ended:
		case <-ctx.Done():
		}
		yield(admin.Event{}, errors.New("the stream has ended"))
	}
}

// run runs a watcher in a bubble of virtual time.
func run(t *testing.T, cfg watch.Config, f func(*watch.Watcher)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := watch.New(cfg)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.Run(ctx) })
		f(w)
		stop()
		running.Wait()
	})
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func subRange(id kv.SubRangeID, first byte, reads float64) admin.SubRange {
	return admin.SubRange{ID: id, Keyspace: 1, ReadRate: reads,
		Interval: kv.Interval{First: kv.IndexKey{first}}}
}

func TestLooksGoOnWhileTheControllerIsAway(t *testing.T) {
	s := &source{status: admin.Status{ClusterID: "c", Term: 1}}
	run(t, watch.Config{Source: s}, func(w *watch.Watcher) {
		if look, _ := w.Last(); look.Number == 0 && look.Err == nil {
			t.Error("a look that nobody has taken is taken for one")
		}
		pass(2500 * time.Millisecond)
		look, news := w.Last()
		if look.Number != 3 || look.Err != nil || look.Status.ClusterID != "c" {
			t.Fatalf("after 2.5 s: %+v", look)
		}
		s.change(func() { s.err = admin.ErrUnavailable })
		pass(time.Second)
		select {
		case <-news:
		default:
			t.Error("nobody was told of the next look")
		}
		if look, _ = w.Last(); !errors.Is(look.Err, admin.ErrUnavailable) || look.Status.ClusterID != "c" {
			t.Errorf("while away: %+v; want the error, and what was known before", look)
		}
		if n := len(w.Samples()); n != 3 {
			t.Errorf("%d samples, want those of the 3 looks that saw something", n)
		}
	})
}

func TestSamplesShareACutUntilASplit(t *testing.T) {
	s := &source{status: admin.Status{SubRanges: []admin.SubRange{
		subRange(3, 0x80, 7), subRange(2, 0, 5),
	}}}
	run(t, watch.Config{Source: s, Samples: 3}, func(w *watch.Watcher) {
		pass(1500 * time.Millisecond)
		s.change(func() {
			s.status.SubRanges = []admin.SubRange{
				subRange(2, 0, 5), subRange(3, 0x80, 3), subRange(4, 0xc0, 4),
			}
		})
		pass(3 * time.Second)
		all := w.Samples()
		if len(all) != 3 {
			t.Fatalf("%d samples, want the last 3", len(all))
		}
		before := watch.Load{}
		for i, sample := range all {
			l := sample.Keyspaces[0]
			if i > 0 && l.Cut != before.Cut {
				t.Errorf("sample %d has a cut of its own", i)
			}
			if len(l.Cut.First) != 3 || l.Reads[2] != 4 || l.Cut.IDs[1] != 3 {
				t.Errorf("sample %d: %+v of %+v", i, l, l.Cut)
			}
			before = l
		}
	})
}

// Another controller counts its events from 1 again.
func TestEventsAreFollowedOverAChangeOfLeaders(t *testing.T) {
	s := &source{status: admin.Status{Term: 1}}
	s.events = []admin.Event{{ID: 1, Kind: "node joined"}, {ID: 2, Kind: "node joined"}}
	run(t, watch.Config{Source: s, Events: 3}, func(w *watch.Watcher) {
		s.change(func() { s.ended = make(chan struct{}) }) // of this bubble
		pass(10 * time.Millisecond)
		if n := len(w.Events(0)); n != 2 {
			t.Fatalf("%d events, want 2", n)
		}
		restart := func(term uint64, events ...admin.Event) {
			s.change(func() {
				close(s.ended)
				s.ended, s.status.Term, s.events = make(chan struct{}), term, events
			})
			pass(2 * time.Second)
		}
		// The stream breaks, the controller is the same: nothing is told twice.
		restart(1, append(s.events, admin.Event{ID: 3, Kind: "node failed", Severity: "alarm"})...)
		if got := w.Events(2); len(got) != 1 || got[0].Number != 3 || got[0].Kind != "node failed" {
			t.Fatalf("after a break: %+v", got)
		}
		restart(2, admin.Event{ID: 1, Kind: "controller leads"})
		got := w.Events(0)
		if len(got) != 3 || got[2].Number != 4 || got[2].Kind != "controller leads" {
			t.Fatalf("after a change of leaders: %+v", got)
		}
		if n := w.Tallies()[watch.Tally{Kind: "node joined"}]; n != 2 {
			t.Errorf("%d nodes joined, want 2 although events are forgotten", n)
		}
	})
}

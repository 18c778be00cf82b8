package controller_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/antihax/optional"
	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/kv"
)

// writer counts up a number of keys, and remembers what was acknowledged.
type writer struct {
	t      *testing.T
	client *clientlib.Client
	name   string
	stop   chan struct{}
	done   sync.WaitGroup

	mu     sync.Mutex
	acked  map[string]uint64
	gap    time.Duration // the longest between two acknowledgements of a worker
	writes int
}

// write begins to write and goes on until the writer is stopped.
func (r *rig) write(c *clientlib.Client) *writer { return r.writeAs("", 8, c) }

// writeAs is write under a name, for one of several writers. Workers write disjoint keys, each one after
// the other.
func (r *rig) writeAs(name string, workers int, c *clientlib.Client) *writer {
	w := &writer{t: r.t, client: c, stop: make(chan struct{}), acked: make(map[string]uint64), name: name}
	for i := range workers {
		w.done.Go(func() { w.work(r.t.Context(), i) })
	}
	return w
}

func (w *writer) work(ctx context.Context, id int) {
	last := time.Now()
	for i := 0; ; i++ {
		select {
		case <-w.stop:
			return
		default:
		}
		key := fmt.Sprintf("%c%d-%d%s", 'a'+i%25, id, i%100, w.name)
		n, err := w.client.Increment(ctx, []byte(key), 1)
		if errors.Is(err, clientlib.ErrOutcomeUnknown) {
			w.t.Errorf("%s: %v", key, err)
			return
		}
		if err != nil {
			w.t.Errorf("%s: %v", key, err)
			return
		}
		w.mu.Lock()
		w.acked[key], w.gap = uint64(n), max(w.gap, time.Since(last))
		w.writes++
		w.mu.Unlock()
		last = time.Now()
	}
}

// verify stops the writer and reads everything back.
func (w *writer) verify(ctx context.Context) {
	w.t.Helper()
	close(w.stop)
	w.done.Wait()
	for key, want := range w.acked {
		got, err := w.client.Increment(ctx, []byte(key), 0)
		if err != nil || uint64(got) != want {
			w.t.Fatalf("%s: %d, %v; %d was acknowledged", key, got, err, want)
		}
	}
	w.t.Logf("%d writes of %d keys, longest gap %v", w.writes, len(w.acked), w.gap)
}

// whole reports whether every sub-range has all its members, the switches follow and nothing is
// going on.
func whole(s admin.Status) bool {
	for _, sr := range s.SubRanges {
		if sr.State != string(core.Serving) {
			return false
		}
	}
	for _, sw := range s.Switches {
		if !sw.Primary || !sw.Synced {
			return false
		}
	}
	return len(s.Plans) == 0 && len(s.SubRanges) > 0
}

// stopNode ends a node without a word to anybody, as far as others can tell.
func (r *rig) stopNode(i int) *time.Time {
	r.t.Helper()
	at := time.Now()
	if err := r.nodes[i].Close(); err != nil {
		r.t.Fatal(err)
	}
	r.unplug(uint16(i + 1))
	return &at
}

func TestADeadNodeIsEvictedAndRepairedUnderLoad(t *testing.T) {
	r := newCluster(t, 4)
	r.create(usersKey)
	w := r.write(r.client(20, "users"))
	r.until("all reported", whole)
	dead := r.nodes[1].ID()
	at := r.stopNode(1)
	r.await("evicted", func(e controller.Event) bool {
		return e.Kind == core.MemberEvicted && e.Node == dead
	})
	if took := time.Since(*at); took > time.Second {
		t.Errorf("evicted after %v", took)
	} else {
		t.Logf("evicted after %v", took)
	}
	s := r.until("repaired", whole)
	t.Logf("repaired after %v", time.Since(*at))
	for _, sr := range s.SubRanges {
		if sr.Chain.Position(dead) >= 0 || len(sr.Chain) != 3 {
			t.Errorf("%v: %v", sr.ID, sr.Chain)
		}
	}
	w.verify(r.context())
}

// finished waits until no plan is in progress, and all is well.
func (r *rig) finished() admin.Status { return r.until("no plans", whole) }

// subRanges returns the sub-ranges of the only keyspace but the system's, in order.
func subRanges(s admin.Status) (out []admin.SubRange) {
	for _, sr := range s.SubRanges {
		if sr.Keyspace != kv.SystemKeyspace {
			out = append(out, sr)
		}
	}
	slices.SortFunc(out, func(a, b admin.SubRange) int {
		return a.Interval.First.Compare(b.Interval.First)
	})
	return out
}

func TestDrainMoveSplitAndMergeUnderLoad(t *testing.T) {
	r := newCluster(t, 5)
	r.create(usersKey)
	w := r.write(r.client(20, "users"))
	s := r.until("all reported", whole)
	ctx := r.context()

	first := subRanges(s)[0]
	from := optional.NewUint32(uint32(first.Chain.Head()))
	if _, err := r.admin.Move(ctx, first.ID, &admin.MoveOpts{From: from}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.admin.Move(ctx, first.ID, &admin.MoveOpts{From: from}); !errors.Is(err, admin.ErrNotReady) {
		t.Fatalf("a second plan for one sub-range: %v", err)
	}
	s = r.finished()
	if now := subRanges(s)[0]; now.Chain.Position(first.Chain.Head()) >= 0 || len(now.Chain) != 3 {
		t.Fatalf("%v became %v", first.Chain, now.Chain)
	}
	if _, err := r.admin.Split(ctx, subRanges(s)[3].ID, nil); err != nil {
		t.Fatal(err)
	}
	s = r.finished()
	if n := len(subRanges(s)); n != 9 {
		t.Fatalf("%d sub-ranges after a split of one of 8", n)
	}
	for n := 9; n > 6; n-- {
		if _, err := r.admin.Merge(ctx, subRanges(s)[3].ID); err != nil {
			t.Fatal(err)
		}
		if s = r.finished(); len(subRanges(s)) != n-1 {
			t.Fatalf("%d sub-ranges, want %d; events %v", len(subRanges(s)), n-1, r.events)
		}
	}
	drained := r.nodes[0].ID()
	if err := r.admin.Drain(ctx, drained); err != nil {
		t.Fatal(err)
	}
	r.await("drained", func(e controller.Event) bool {
		return e.Kind == core.NodeDrained && e.Node == drained
	})
	s = r.finished()
	if n := s.Nodes[0]; n.State != "drained" || n.Replicas != 0 {
		t.Fatalf("%+v", n)
	}
	w.verify(r.context())
}

// TestTheControllerDiesInTheMiddleOfPlans halts it as soon as a plan of each kind has begun.
func TestTheControllerDiesInTheMiddleOfPlans(t *testing.T) {
	r := newCluster(t, 4)
	r.create(usersKey)
	w := r.write(r.client(20, "users"))
	ctx := r.context()
	for name, begin := range map[string]func(admin.SubRange, admin.SubRange) (admin.Plan, error){
		"move": func(a, _ admin.SubRange) (admin.Plan, error) {
			return r.admin.Move(ctx, a.ID, &admin.MoveOpts{From: optional.NewUint32(uint32(a.Chain.Tail()))})
		},
		"split": func(a, _ admin.SubRange) (admin.Plan, error) { return r.admin.Split(ctx, a.ID, nil) },
		"merge": func(a, _ admin.SubRange) (admin.Plan, error) { return r.admin.Merge(ctx, a.ID) },
		"drain": func(a, _ admin.SubRange) (admin.Plan, error) {
			return admin.Plan{}, r.admin.Drain(ctx, a.Chain.Head())
		},
	} {
		s := r.until("at rest before "+name, whole)
		for _, n := range s.Nodes {
			if err := r.admin.Admit(ctx, n.ID); err != nil {
				t.Fatal(err)
			}
		}
		all := subRanges(s)
		if _, err := begin(all[1], all[2]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.halt()
		r.start(4)
		if name == "drain" {
			r.until("drained", func(s admin.Status) bool {
				return whole(s) && slices.ContainsFunc(s.Nodes, func(n admin.Node) bool {
					return n.State == "drained"
				})
			})
		}
	}
	r.finished()
	w.verify(r.context())
}

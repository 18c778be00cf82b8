package controller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/topology"
)

// inRack starts a client in a rack.
func (r *tree) inRack(rack string) *clientlib.Client {
	r.t.Helper()
	return r.client(r.hostsOf(rack, topology.Client)[0], "users")
}

// TestEveryRackReadsWhatAnyHasWritten writes in one rack, reads in another and scans in a third.
func TestEveryRackReadsWhatAnyHasWritten(t *testing.T) {
	r := newTreeCluster(t, "spine-leaf:2x3x2")
	r.create(usersKey)
	ctx := r.context()
	const keys = 100
	writes, reads, scans := r.inRack("s1"), r.inRack("s2"), r.inRack("s3")
	for i := range keys {
		if _, err := writes.Put(ctx, fmt.Appendf(nil, "%c-%d", i*2, i), fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keys {
		got, err := reads.Get(ctx, fmt.Appendf(nil, "%c-%d", i*2, i))
		if err != nil || string(got.Value) != fmt.Sprint(i) {
			t.Fatalf("key %d: %q, %v", i, got.Value, err)
		}
	}
	n := 0
	for record, err := range scans.Scan(ctx, nil, nil, nil) {
		if err != nil || string(record.Value) != fmt.Sprint(n) {
			t.Fatalf("record %d: %q, %v", n, record.Value, err)
		}
		n++
	}
	if n != keys {
		t.Fatalf("the scan has %d records, want %d", n, keys)
	}
}

// perRack is the number of workers in each rack: a switch under the race detector is slow, and a request
// crosses many.
const perRack = 2

// writers write in all racks.
func (r *tree) writers() (out []*writer) {
	for _, rack := range []string{"s1", "s2", "s3"} {
		out = append(out, r.writeAs(rack, perRack, r.inRack(rack)))
	}
	return out
}

// progress waits until every worker has written again, twice: what it has begun before does not count.
func (r *tree) progress(writers []*writer) {
	r.t.Helper()
	ctx := r.context()
	for _, w := range writers {
		w.mu.Lock()
		want := w.writes + 2*perRack
		w.mu.Unlock()
		for done := false; !done; time.Sleep(time.Millisecond) {
			w.mu.Lock()
			done = w.writes >= want
			w.mu.Unlock()
			if ctx.Err() != nil {
				r.t.Fatalf("writer %s stands still; problems %q", w.name, r.status().Problems)
			}
		}
	}
}

func (r *tree) awaitLink(kind controller.EventKind, text string) {
	r.t.Helper()
	r.await(text, func(e controller.Event) bool { return e.Kind == kind && strings.Contains(e.Text, text) })
}

// TestATreeSurvivesItsLosses loses a cable with and without a word, the spines and the switch of
// a rack, one after the other, while clients in all racks write.
func TestATreeSurvivesItsLosses(t *testing.T) {
	r := newTreeCluster(t, "spine-leaf:2x3x2")
	r.create(usersKey)
	writers := r.writers()
	r.progress(writers)

	pulled, cut := r.linkOf("s1", "s4"), r.linkOf("s2", "s5")
	r.pull(pulled)
	r.awaitLink(controller.LinkDown, "s1-p4 to s4-p1")
	r.progress(writers)
	r.push(pulled)
	r.awaitLink(controller.LinkUp, "s1-p4 to s4-p1")
	r.cords[cut].setCut(true)
	r.awaitLink(controller.LinkDown, "s2-p5 to s5-p2")
	r.progress(writers)
	r.cords[cut].setCut(false)
	r.awaitLink(controller.LinkUp, "s2-p5 to s5-p2")

	for _, name := range []string{"s4", "s5", "s3"} { // each spine carries the controller once
		addr := r.killSwitch(name)
		r.await(name+" lost", func(e controller.Event) bool {
			return e.Kind == controller.SwitchLost && e.Switch == name
		})
		if name != "s3" { // where a rack has no switch nobody writes
			r.progress(writers)
		}
		r.startSwitch(name, addr)
		r.until(name+" is back", func(s admin.Status) bool {
			for _, sw := range s.Switches {
				if sw.Name == name {
					return sw.Primary && sw.Synced && sw.PipelinePushes == 2
				}
			}
			return false
		})
		r.progress(writers)
	}

	for _, w := range writers {
		w.verify(r.context())
	}
}

// TestATreeRepairsWhatANodeHeld loses a node while clients in all racks write.
func TestATreeRepairsWhatANodeHeld(t *testing.T) {
	r := newTreeCluster(t, "spine-leaf:2x3x2")
	r.create(usersKey)
	writers := r.writers()
	r.progress(writers)
	dead := r.stopNode(r.hostsOf("s2", topology.Node)[0])
	r.await("evicted", func(e controller.Event) bool {
		return e.Kind == core.MemberEvicted && e.Node == dead
	})
	r.until("repaired", func(s admin.Status) bool {
		for _, sr := range s.SubRanges {
			if sr.Chain.Position(dead) >= 0 {
				return false
			}
		}
		return whole(s)
	})
	for _, w := range writers {
		w.verify(r.context())
	}
}

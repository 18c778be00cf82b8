package controller_test

import (
	"fmt"
	"strings"; "time"
	"testing"

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

// TestATreeSurvivesItsLosses loses a cable, a spine, a rack's switch and a node, one after the other,
// while clients in all racks write. All come back but the node.
func TestATreeSurvivesItsLosses(t *testing.T) {
	r := newTreeCluster(t, "spine-leaf:2x3x2")
	r.create(usersKey)
	began := time.Now(); var writers []*writer
	for _, rack := range []string{"s1", "s2", "s3"} {
		writers = append(writers, r.write(r.inRack(rack), rack))
	}
	r.finished(); r.mark(writers, began, "finished")

	cable := r.linkOf("s1", "s4")
	r.pull(cable)
	r.await("link down", func(e controller.Event) bool {
		return e.Kind == controller.LinkDown && strings.Contains(e.String(), "s1-p4")
	})
	r.finished(); r.mark(writers, began, "finished")
	r.push(cable)
	r.awaitKind(controller.LinkUp)

	for _, name := range []string{"s4", "s3"} {
		addr := r.killSwitch(name)
		r.await(name+" lost", func(e controller.Event) bool {
			return e.Kind == controller.SwitchLost && e.Switch == name
		})
		r.startSwitch(name, addr)
		r.finished(); r.mark(writers, began, "finished "+name)
	}

	dead := r.stopNode(r.hostsOf("s2", topology.Node)[0])
	r.await("evicted", func(e controller.Event) bool {
		return e.Kind == core.MemberEvicted && e.Node == dead
	})
	s := r.until("repaired", func(s admin.Status) bool {
		for _, sr := range s.SubRanges {
			if sr.Chain.Position(dead) >= 0 {
				return false
			}
		}
		return whole(s)
	})
	if len(s.Switches) != 5 {
		t.Errorf("%d switches", len(s.Switches))
	}
	for _, w := range writers {
		w.verify(r.context())
	}
}

package serverlib_test

import (
	"testing"

	"github.com/turbokv/turbokv/kv"
)

// TestNobodyHearsOfAnAssignmentThatMayBeLost: a member says nothing in an epoch before its
// assignment is on the disk, and speaks as soon as it is. A crash before takes it back to the epoch
// that it had spoken in.
func TestNobodyHearsOfAnAssignmentThatMayBeLost(t *testing.T) {
	n := newNode(nodeID(1))
	if err := n.boot(); err != nil {
		t.Fatal(err)
	}
	configure := func(a kv.Assignment) {
		t.Helper()
		if err := n.server.Configure(0, a); err != nil {
			t.Fatal(err)
		}
		if said := n.flush(0); len(said) > 0 || !n.syncing {
			t.Fatalf("%v: said %v before the sync, which runs: %v", a.Epoch, said, n.syncing)
		}
	}
	heard := func(to int) bool {
		said := n.flush(0)
		return len(said) == 1 && said[0].to == newNode(nodeID(to)).addr()
	}
	a := assignment(1, kv.DurabilitySync, chainOf(1, 2))
	configure(a)
	n.finishSync(0)
	if !heard(2) {
		t.Fatal("silent after the sync")
	}

	a = next(a)
	a.Chain = chainOf(1, 3)
	configure(a)
	n.crash(0)
	if err := n.boot(); err != nil {
		t.Fatal(err)
	}
	if !heard(2) {
		t.Fatal("silent in the old epoch")
	}

	// A later assignment is not covered by a sync that runs already.
	configure(a)
	b := next(a)
	b.Chain = chainOf(1, 4)
	if err := n.server.Configure(0, b); err != nil {
		t.Fatal(err)
	}
	n.finishSync(0)
	if said := n.flush(0); len(said) > 0 || !n.syncing {
		t.Fatalf("said %v before the second sync, which runs: %v", said, n.syncing)
	}
	n.finishSync(0)
	if !heard(4) {
		t.Fatal("silent after the second sync")
	}
}

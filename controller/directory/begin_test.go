package directory

import (
	"errors"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

// TestASubRangeBeginsAgainOnlyWhileItIsBeingCreated: the new epoch carries Create, and nothing that has
// been created ever gets one.
func TestASubRangeBeginsAgainOnlyWhileItIsBeingCreated(t *testing.T) {
	d := newDirectory(t, 1)
	e, err := d.Hello(helloOf(0, true))
	if err != nil {
		t.Fatal(err)
	}
	first := e.Sends[0].Assign
	e, err = d.BeginAgain(first.SubRange)
	if err != nil {
		t.Fatal(err)
	}
	again := e.Sends[0].Assign
	if again == nil || !again.Create || again.Epoch != first.Epoch+1 {
		t.Fatalf("sent %+v, want the next epoch with create", again)
	}
	d.Acknowledged([]Ack{{Node: e.Sends[0].To, SubRange: first.SubRange, Epoch: first.Epoch}})
	if s, _ := d.SubRange(first.SubRange); s.Created {
		t.Fatal("created by an answer to the epoch before")
	}
	d.Acknowledged([]Ack{{Node: e.Sends[0].To, SubRange: first.SubRange, Epoch: again.Epoch}})
	if s, _ := d.SubRange(first.SubRange); !s.Created {
		t.Fatal("not created")
	}
	if _, err := d.BeginAgain(first.SubRange); !errors.Is(err, ErrNotFit) {
		t.Fatalf("begins again after it was created: %v", err)
	}
	if _, err := d.BeginAgain(kv.SubRangeID(77)); !errors.Is(err, ErrNotFound) {
		t.Fatalf("begins without existing: %v", err)
	}
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
}

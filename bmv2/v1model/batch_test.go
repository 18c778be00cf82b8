package v1model_test

import (
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// A packet in the middle of a batch neither waits for its end nor sees a part of it. It is processed
// by the goroutine that makes the batch, so it would wait for ever for a lock that the batch holds.
func TestPacketsDoNotWaitForBatches(t *testing.T) {
	var w *v1model.Worker
	passed := 0
	sw := newSwitch(t, "tables", v1model.Config{Yield: func() {
		if out := process(w, 0, frame(0, 1, 1)); len(out) != 1 || out[0].port != 1 {
			t.Errorf("in the middle of a batch: %v, want port 1", out)
		}
		passed++
	}})
	w = sw.NewWorker()
	must(t, sw.Insert(exact(1, 1, 1)))
	ops := []v1model.Op{{Type: v1model.OpModify, Entity: exact(1, 1, 2)}}
	for i := range byte(100) {
		ops = append(ops, v1model.Op{Type: v1model.OpInsert, Entity: small(i, i+1, 3)})
	}
	if errs := sw.Update(ops); errs != nil {
		t.Fatal(errs)
	}
	if passed < 5 {
		t.Errorf("%d packets in the middle of a batch of %d", passed, len(ops))
	}
	if out := process(w, 0, frame(0, 1, 1)); len(out) != 1 || out[0].port != 2 {
		t.Errorf("after the batch: %v, want port 2", out)
	}
}

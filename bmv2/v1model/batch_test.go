package v1model_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
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

// Workers look tables up that a controller fills and empties: what a packet finds is never half
// changed. The race detector watches.
func TestPacketsWhileTablesChange(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	var group sync.WaitGroup
	var done atomic.Bool
	for range 2 {
		w := sw.NewWorker()
		group.Go(func() {
			for !done.Load() {
				out := process(w, 0, frame(4, 1, 5))
				if len(out) > 1 || len(out) == 1 && (out[0].port < 1 || out[0].port > 3) {
					t.Errorf("out %v, want one of the ports 1 to 3, or none", out)
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(1, 8))
	for range 150 {
		var ops []v1model.Op
		for range 1 + r.IntN(40) {
			low := byte(r.IntN(40))
			e := small(low, low+byte(r.IntN(20)), 1+byte(r.IntN(3)))
			ops = append(ops, v1model.Op{Type: v1model.OpType(1 + r.IntN(3)), Entity: e})
		}
		sw.Update(ops) // some fail: what they are about is there already, or not there
	}
	done.Store(true)
	group.Wait()
}

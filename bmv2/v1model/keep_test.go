package v1model

import (
	"os"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

// What a frame of thousands of copies took is not kept, and neither are workers that were closed.
func TestLittleIsKept(t *testing.T) {
	data, err := os.ReadFile("../testdata/copies.json")
	if err != nil {
		t.Fatal(err)
	}
	program, err := bmv2.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	sw, err := NewSwitch(program, Config{})
	if err != nil {
		t.Fatal(err)
	}
	const copies = 4000
	replicas := make([]Replica, copies)
	for i := range replicas {
		replicas[i] = Replica{Port: 1, Instance: uint16(i)}
	}
	session := &CloneSession{ID: 5, Replicas: replicas}
	if errs := sw.Update([]Op{{Type: OpInsert, Entity: session}}); errs != nil {
		t.Fatal(errs)
	}
	w := sw.NewWorker()
	sent := 0
	w.Process(0, []byte{1, 0, 0, 0}, func(uint16, []byte) { sent++ })
	if sent != copies+1 {
		t.Fatalf("%d frames left", sent)
	}
	kept := len(w.free)
	for _, j := range append(w.queue[:cap(w.queue)], w.clones[:cap(w.clones)]...) {
		if j != nil {
			kept++
		}
	}
	if kept > maxFree {
		t.Errorf("%d copies are kept", kept)
	}
	before := sw.Stats()
	w.Close()
	if after := sw.Stats(); len(sw.workers) != 0 || after != before || after.Cloned != copies {
		t.Errorf("%d workers, %+v, before %+v", len(sw.workers), after, before)
	}
}

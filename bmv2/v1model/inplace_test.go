package v1model_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// TestInPlaceIsTheSame sends random frames through programs that copy, cut and grow them, with and
// without the right to overwrite them, and looks again at what is said to stay when all is done.
func TestInPlaceIsTheSame(t *testing.T) {
	for _, program := range []string{"tables", "copies", "parsing"} {
		t.Run(program, func(t *testing.T) {
			seeds, stayed := seedFrames(t, program), 0
			a, b := inPlaceSwitch(t, program), inPlaceSwitch(t, program)
			r := rand.New(rand.NewPCG(3, 3))
			for range 5000 {
				f := mutate(r, seeds[r.IntN(len(seeds))])
				port := uint16(r.IntN(8))
				want := process(a, port, f)
				got, stays := processInPlace(b, port, bytes.Clone(f))
				if !slices.Equal(got, want) {
					t.Fatalf("frame %x on port %d: in place %x, else %x", f, port, got, want)
				}
				stayed += stays
			}
			if stayed == 0 {
				t.Error("no frame was made in place")
			}
		})
	}
}

// inPlaceSwitch has sessions and groups, and always draws the same numbers.
func inPlaceSwitch(t *testing.T, program string) *v1model.Worker {
	t.Helper()
	draw := rand.New(rand.NewPCG(4, 4))
	sw := newSwitch(t, program, v1model.Config{MaxPasses: 20, Rand: draw.Uint64})
	replicas := []v1model.Replica{{Port: 2, Instance: 1}, {Port: 3, Instance: 2}}
	if errs := sw.Update([]v1model.Op{
		{Type: v1model.OpInsert, Entity: &v1model.CloneSession{ID: 5, MaxBytes: 30, Replicas: replicas}},
		{Type: v1model.OpInsert, Entity: &v1model.MulticastGroup{ID: 3, Replicas: replicas}},
	}); errs != nil {
		t.Fatal(errs)
	}
	return sw.NewWorker()
}

// processInPlace returns what left, and how many frames of it stayed.
func processInPlace(w *v1model.Worker, port uint16, frame []byte) (out []sent, stayed int) {
	kept := map[int][]byte{}
	w.ProcessInPlace(port, frame, func(port uint16, frame []byte) {
		if w.Stays() {
			kept[len(out)] = frame
		}
		out = append(out, sent{port, string(frame)})
	})
	for i, frame := range kept {
		out[i].frame = string(frame)
	}
	return out, len(kept)
}

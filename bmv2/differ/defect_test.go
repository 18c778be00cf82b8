package differ

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// twin is a second built-in switch in the place of simple_switch_grpc, perhaps with a defect.
type twin struct {
	*builtin
	defect func(in Frame, out []Frame) []Frame
}

func (t *twin) inject(ctx context.Context, frames []Frame) ([][]Frame, error) {
	out, err := t.builtin.inject(ctx, frames)
	for i := range out {
		out[i] = t.defect(frames[i], out[i])
	}
	return out, err
}

func twinFuzzer(t *testing.T, defect func(Frame, []Frame) []Frame) *Fuzzer {
	t.Helper()
	z := NewFuzzer(Options{Seed: 1, Cases: 4})
	z.open = func(context.Context) (device, error) {
		b, err := newBuiltin(newVariant(rand.New(rand.NewPCG(5, 6)), clean))
		return &twin{b, defect}, err
	}
	t.Cleanup(z.Close)
	return z
}

func TestTwinsAreAlike(t *testing.T) {
	z := twinFuzzer(t, func(_ Frame, out []Frame) []Frame { return out })
	for _, name := range []string{"tables", "copies", "stateful"} {
		s := load(t, filepath.Join("..", "testdata", name+".json"))
		found, err := z.Run(t.Context(), s)
		if err != nil || len(found) > 0 {
			t.Errorf("%s: %v, error %v", name, found, err)
		}
	}
	if z.Stats.Frames < 500 || z.Stats.Unsure > 0 {
		t.Errorf("%v", z.Stats)
	}
}

// A defect is found, and the difference has no more frames and entries than it takes.
func TestDefectsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		defect func(Frame, []Frame) []Frame
		kind   string
	}{
		"last byte": {func(_ Frame, out []Frame) []Frame {
			for i, f := range out {
				b := bytes.Clone(f.Bytes)
				b[len(b)-1] ^= 1
				out[i].Bytes = b
			}
			return out
		}, "frame"},
		"lost": {func(in Frame, out []Frame) []Frame {
			if len(in.Bytes) > 40 {
				return nil
			}
			return out
		}, "frame"},
		"order": {func(_ Frame, out []Frame) []Frame {
			if len(out) > 1 && out[0].Port == out[1].Port {
				out[0], out[1] = out[1], out[0]
			}
			return out
		}, "order"},
	} {
		t.Run(name, func(t *testing.T) {
			z := twinFuzzer(t, c.defect)
			program := "tables"
			if c.kind == "order" {
				program = "corners" // its clones leave by the port of the packet in few cases
				z.opt.Cases = 100
			}
			found, err := z.Run(t.Context(), load(t, filepath.Join("..", "testdata", program+".json")))
			if err != nil || len(found) == 0 {
				t.Fatalf("found %v, error %v", found, err)
			}
			for _, d := range found {
				if d.Kind != c.kind || len(d.Case.Frames) != 1 || len(d.Case.Updates) > 2 {
					t.Errorf("%v", d)
				}
			}
		})
	}
}

// Frames take every way through a parser.
func TestFramesReachAllStates(t *testing.T) {
	s := load(t, filepath.Join("..", "testdata", "parsing.json"))
	sw, err := v1model.NewSwitch(s.Program, v1model.Config{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	stop, err := sw.Watch(v1model.Filter{}, func(trace *v1model.Trace) {
		for _, state := range trace.Passes[0].Parser {
			seen[state.Name] = true
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	w := sw.NewWorker()
	for seed := range uint64(10) {
		for _, f := range s.newCase(rand.New(rand.NewPCG(seed, 0)), 4, 100).Frames {
			w.Process(f.Port, f.Bytes, func(uint16, []byte) {})
		}
	}
	for _, state := range s.Program.Parsers[0].States {
		if !seen[state.Name] {
			t.Errorf("no frame reached state %q", state.Name)
		}
	}
}

// The seed decides all inputs.
func TestCasesRepeat(t *testing.T) {
	s := load(t, filepath.Join("..", "testdata", "stateful.json"))
	make := func(seed uint64) string {
		return Difference{Case: s.newCase(rand.New(rand.NewPCG(seed, 0)), 4, 30)}.String()
	}
	if make(1) != make(1) {
		t.Error("the same seed made two cases")
	}
	if make(1) == make(2) {
		t.Error("two seeds made the same case")
	}
}

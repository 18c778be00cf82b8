package link

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// twin remembers the exact time at which every frame was sent and counts them anew for each
// question.
type twin struct {
	spec   Spec
	chance func() float64
	ends   []*big.Rat // nanoseconds
}

func (w *twin) Send(now time.Duration, size int) (time.Duration, Fate) {
	present := big.NewRat(int64(now), 1)
	end := present
	if w.spec.Rate > 0 {
		waiting := 0
		start := present
		for _, e := range w.ends {
			if e.Cmp(present) > 0 {
				waiting++
			}
			if e.Cmp(start) > 0 {
				start = e
			}
		}
		if waiting >= w.spec.Queue {
			return 0, Dropped
		}
		takes := new(big.Rat).SetFrac(big.NewInt(int64(size)*8*int64(time.Second)),
			new(big.Int).SetUint64(w.spec.Rate))
		end = new(big.Rat).Add(start, takes)
		w.ends = append(w.ends, end)
	}
	if w.spec.Loss > 0 && w.chance() < w.spec.Loss {
		return 0, Lost
	}
	up, rest := new(big.Int).QuoRem(end.Num(), end.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		up.Add(up, big.NewInt(1))
	}
	return time.Duration(up.Int64()) + w.spec.Delay, Arrives
}

func (w *twin) backlog(now time.Duration) (frames int) {
	for _, e := range w.ends {
		if e.Cmp(big.NewRat(int64(now), 1)) > 0 {
			frames++
		}
	}
	return frames
}

func TestWireAgreesWithSlowTwin(t *testing.T) {
	fates := map[Fate]int{}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		spec := Spec{
			Delay: time.Duration(r.IntN(3)) * time.Millisecond,
			Loss:  []float64{0, 0, 0.2, 1}[r.IntN(4)],
			Rate:  []uint64{0, 7, 9600, 1e6 + 3, 3e7, 1e10}[r.IntN(6)],
			Queue: 1 + r.IntN(20),
		}
		fast := NewWire(spec, rand.New(rand.NewPCG(seed, 2)).Float64)
		slow := &twin{spec: spec, chance: rand.New(rand.NewPCG(seed, 2)).Float64}
		now, latest := time.Duration(0), time.Duration(0)
		pause := int64(1)
		if spec.Rate > 0 {
			pause = 16000*int64(time.Second)/int64(spec.Rate) + 1 // that of 2000 bytes
		}
		for i := range 200 {
			if r.IntN(3) > 0 {
				now += time.Duration(r.Int64N(pause))
			}
			size := r.IntN(2001)
			at, fate := fast.Send(now, size)
			wantAt, want := slow.Send(now, size)
			if frames, wait := fast.Backlog(now); frames != slow.backlog(now) || (frames > 0) != (wait > 0) {
				t.Fatalf("seed %d, %+v, frame %d at %v: %d frames wait for %v, want %d", seed, spec, i, now,
					frames, wait, slow.backlog(now))
			}
			if at != wantAt || fate != want {
				t.Fatalf("seed %d, %+v, frame %d at %v: %v, fate %d, want %v, fate %d",
					seed, spec, i, now, at, fate, wantAt, want)
			}
			fates[fate]++
			if fate == Arrives && at < latest {
				t.Fatalf("seed %d, frame %d arrives at %v, before another at %v", seed, i, at, latest)
			}
			latest = max(latest, at)
		}
	}
	if len(fates) != 3 {
		t.Errorf("only these fates were met: %v", fates)
	}
}

// TestWireKeepsItsRate sends frames that take a fraction of a nanosecond longer than a whole number:
// the fractions must add up.
func TestWireKeepsItsRate(t *testing.T) {
	w := NewWire(Spec{Rate: 3e9, Queue: 10}, nil)
	var at time.Duration
	for range 30000 {
		var fate Fate
		if at, fate = w.Send(max(0, at-1), 125); fate != Arrives {
			t.Fatalf("fate %d", fate)
		}
	}
	if want := 10 * time.Millisecond; at != want { // 30000 * 1000 bit at 3 Gbit/s
		t.Errorf("the last frame arrives at %v, want %v", at, want)
	}
}

func TestPerfectWireIsNoWire(t *testing.T) {
	if !(Spec{Queue: 3, Both: true}).Perfect() || (Spec{Loss: 0.1}).Perfect() ||
		(Spec{Delay: 1}).Instant() || !(Spec{Loss: 1}).Instant() {
		t.Error("perfect and instant links are not told apart from others")
	}
	w := NewWire(Spec{}, nil)
	if at, fate := w.Send(5, 1500); at != 5 || fate != Arrives {
		t.Errorf("arrives at %v, fate %d", at, fate)
	}
}

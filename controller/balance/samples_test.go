package balance

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

func TestCutsAreNearTheMedianAndCheap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		i := kv.Interval{First: hashed(r.IntN(1e6)), Last: hashed(r.IntN(1e6))}
		if i.Last.Less(i.First) {
			i.First, i.Last = i.Last, i.First
		}
		var samples []kv.IndexKey
		for n := range 5000 {
			if k := hashed(n); i.Contains(k) && len(samples) < SamplesKept {
				samples = append(samples, k)
			}
		}
		cut, err := FindCut(i, samples)
		if len(samples) < samplesNeeded {
			if !errors.Is(err, ErrFewSamples) {
				t.Fatalf("%d samples: %+v, %v", len(samples), cut, err)
			}
			continue
		}
		if err != nil || !i.Contains(cut.At) || cut.At == i.First || cut.Share < 0.3 || cut.Share > 0.7 {
			t.Fatalf("%v: %+v, %v", i, cut, err)
		}
		above := 0
		for _, k := range samples {
			if !k.Less(cut.At) {
				above++
			}
		}
		if got := float64(above) / float64(len(samples)); got < cut.Share-0.01 || got > cut.Share+0.01 {
			t.Fatalf("share %v of the samples, said %v", got, cut.Share)
		}
		if more := cut.Prefixes - len(i.Cover()); more > 20 {
			t.Fatalf("%v: the cut at %v costs %d prefixes", i, cut.At, more)
		}
	}
}

func TestOneKeyCannotBeCut(t *testing.T) {
	samples := slices.Repeat([]kv.IndexKey{hashed(7)}, 40)
	for range 2 {
		if cut, err := FindCut(kv.FullInterval, samples); !errors.Is(err, ErrOneKey) {
			t.Fatalf("%+v, %v", cut, err)
		}
		samples = append(samples, hashed(1), hashed(2), hashed(3)) // a few others do not help
	}
}

func TestMiddleIsCheap(t *testing.T) {
	for _, i := range append(kv.EvenSplit(64), kv.FullInterval) {
		if c, ok := Middle(i); !ok || c.Prefixes != 2 {
			t.Fatalf("%v: %+v", i, c)
		}
	}
	next, _ := kv.MinIndexKey.Next()
	if c, ok := Middle(kv.Interval{First: kv.MinIndexKey, Last: next}); !ok || c.At != next {
		t.Fatalf("%+v", c)
	}
	if _, ok := Middle(kv.Interval{First: next, Last: next}); ok {
		t.Fatal("one key has no middle")
	}
}

func TestRoundestLiesBetween(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		a, b := hashed(r.IntN(1e6)), hashed(r.IntN(1e6))
		if r.IntN(2) == 0 {
			copy(b[:r.IntN(16)], a[:])
		}
		if b.Less(a) {
			a, b = b, a
		}
		if k := roundest(a, b); a != b && (!a.Less(k) || b.Less(k)) {
			t.Fatalf("%v is not in (%v, %v]", k, a, b)
		}
	}
}

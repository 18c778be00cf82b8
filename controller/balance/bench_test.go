package balance

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// large is a cluster of 100 nodes and 10,000 sub-ranges of which the first are hot.
func large() Input {
	r := rand.New(rand.NewPCG(1, 1))
	in := Input{Limits: Limits{FreeIDs: 1000, FreePrefixes: 1000}}
	for i := range 100 {
		in.Nodes = append(in.Nodes, Node{ID: kv.NodeID(i + 1), Alive: true, Capacity: 1})
	}
	weight := zipf(0.9)
	for i, interval := range kv.EvenSplit(10000) {
		s := SubRange{
			ID: kv.SubRangeID(i + 1), Interval: interval, Bytes: 1 << 20,
			Reads: 1e6 * weight(i), Writes: 1e5 * weight(i),
		}
		for _, n := range r.Perm(100)[:3] {
			s.Chain = append(s.Chain, kv.NodeID(n+1))
		}
		for range SamplesKept {
			s.Samples = append(s.Samples, interval.First)
		}
		in.SubRanges = append(in.SubRanges, s)
	}
	return in
}

func BenchmarkPropose(b *testing.B) {
	in := large()
	b.Run("level", func(b *testing.B) {
		bal, _ := New(Config{High: 1000})
		for b.Loop() {
			in.Now += time.Second
			if len(bal.Propose(in)) > 0 {
				b.Fatal("nothing to do")
			}
		}
	})
	b.Run("four actions", func(b *testing.B) {
		for b.Loop() {
			bal, _ := New(Config{Hold: time.Nanosecond})
			bal.Propose(in)
			in.Now += time.Minute
			if len(bal.Propose(in)) != 4 {
				b.Fatal("want four")
			}
		}
	})
}

func BenchmarkPick(b *testing.B) {
	in := large()
	t, id := NewTargets(Config{}, in), 0
	for b.Loop() {
		id = id%len(in.SubRanges) + 1
		if _, _, ok := t.Pick(kv.SubRangeID(id), in.SubRanges[id-1].Chain[0]); !ok {
			t = NewTargets(Config{}, in)
		}
	}
}

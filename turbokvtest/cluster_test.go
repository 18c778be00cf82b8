package turbokvtest

import (
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run this seed only")
	seeds   = flag.Uint64("seeds", 60, "how many seeds to run")
	first   = flag.Uint64("first-seed", 1, "the first of them")
)

// drawOptions lets the seed choose the shape of the cluster and its faults.
func drawOptions(seed uint64) Options {
	r := rand.New(rand.NewPCG(seed, 0x6f707473))
	o := Options{
		Seed: seed, Nodes: 3 + r.IntN(4), Clients: 1 + r.IntN(5), SubRanges: 1 << r.IntN(4),
		Durability: kv.Durability(1 + r.IntN(2)), Partitioner: kv.Partitioner(1 + r.IntN(2)),
		Faults: Faults{
			Loss: r.Float64() * 0.2, Repeat: r.Float64() * 0.2, Reorder: r.Float64() * 0.2,
			Corrupt: r.Float64() * 0.02,
		},
		ControllerRestarts: r.IntN(3),
		// Fewer keys than 4 make histories that are too long to judge.
		Work: Workload{Keys: 4 + r.IntN(14), InFlight: 1 + r.IntN(8)},
	}
	o.Replication = 1 + r.IntN(min(o.Nodes, 4))
	if o.Durability == kv.DurabilitySync {
		o.Restarts = r.IntN(8)
	}
	return o
}

func runSeed(t *testing.T, o Options) *Cluster {
	t.Helper()
	c, err := New(o)
	if err == nil {
		err = c.Run()
	}
	if err != nil {
		t.Fatalf("%+v:\n%v\nreplay: go test ./turbokvtest -run TestRandomRuns -seed %d", o, err, o.Seed)
	}
	return c
}

// TestRandomRuns plays whole clusters under loss, repetition, reordering and corruption of up to
// 20 %, with crashes and restarts, and judges what the clients saw.
func TestRandomRuns(t *testing.T) {
	if *oneSeed != 0 {
		runSeed(t, drawOptions(*oneSeed))
		return
	}
	var operations, unknown, crashes int
	for seed := *first; seed < *first+*seeds; seed++ {
		o := drawOptions(seed)
		c := runSeed(t, o)
		crashes += o.Restarts
		for _, cl := range c.clients {
			operations += cl.done
			unknown += cl.unknown
		}
	}
	t.Logf("%d seeds: %d operations, %d of unknown outcome, %d crashes planned",
		*seeds, operations, unknown, crashes)
	if unknown*10 > operations {
		t.Errorf("%d of %d outcomes unknown: the runs test too little", unknown, operations)
	}
}

// TestARunDependsOnItsSeedAlone repeats a run and compares the traffic.
func TestARunDependsOnItsSeedAlone(t *testing.T) {
	a, b := runSeed(t, drawOptions(7)), runSeed(t, drawOptions(7))
	if a.net.frames != b.net.frames || a.events.now != b.events.now {
		t.Fatalf("%d frames until %v, then %d until %v", a.net.frames, a.events.now, b.net.frames, b.events.now)
	}
}

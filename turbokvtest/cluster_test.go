package turbokvtest

import (
	"flag"
	"testing"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run this seed only, and say what happens")
	seeds   = flag.Uint64("seeds", 80, "how many seeds to run")
	first   = flag.Uint64("first-seed", 1, "the first of them")
)

func runSeed(t *testing.T, o Options) *Cluster {
	t.Helper()
	c, err := New(o)
	if err == nil {
		err = c.Run()
	}
	if err != nil {
		t.Fatalf("%v:\n%v\nreplay: go test ./turbokvtest -run TestRandomRuns -v -seed %d", o, err, o.Seed)
	}
	return c
}

// TestRandomRuns plays whole clusters in which everything goes wrong that may, and judges what the
// clients saw and what is left.
func TestRandomRuns(t *testing.T) {
	if *oneSeed != 0 {
		o := Draw(*oneSeed)
		o.Verbose = func(line string) { t.Log(line) }
		runSeed(t, o)
		return
	}
	var sum Stats
	for seed := *first; seed < *first+*seeds; seed++ {
		sum.Add(runSeed(t, Draw(seed)).Stats())
	}
	t.Logf("%d seeds: %+v", *seeds, sum)
	if sum.Unknown*5 > sum.Operations {
		t.Errorf("%d of %d outcomes unknown: the runs test too little", sum.Unknown, sum.Operations)
	}
}

// TestARunDependsOnItsSeedAlone repeats a run and compares the traffic.
func TestARunDependsOnItsSeedAlone(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		a, b := runSeed(t, Draw(seed)).Stats(), runSeed(t, Draw(seed)).Stats()
		if a != b {
			t.Fatalf("seed %d: %+v, then %+v", seed, a, b)
		}
	}
}

package serverlib_test

import (
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// TestRandomReshapeSync splits and merges a sub-range of durability sync under everything that
// TestRandomSync does, with crashes between a fork or a merge and the sync that makes it last.
func TestRandomReshapeSync(t *testing.T) { runReshapeSeeds(t, kv.DurabilitySync) }

// TestRandomReshapeMemory does so with durability memory, where a crash costs the replicas.
func TestRandomReshapeMemory(t *testing.T) { runReshapeSeeds(t, kv.DurabilityMemory) }

func runReshapeSeeds(t *testing.T, d kv.Durability) {
	if *seedFlag != 0 {
		runReshapeSeed(t, *seedFlag, d)
		return
	}
	operations, splits, merges := 0, 0, 0
	for seed := range uint64(*seedsFlag) {
		h := runReshapeSeed(t, seed+1, d)
		operations += len(h.s.history.operations)
		splits += h.splits
		merges += h.merges
	}
	t.Logf("%d seeds, %d operations, %d splits, %d merges", *seedsFlag, operations, splits, merges)
	if splits < *seedsFlag/2 || merges < *seedsFlag/4 {
		t.Errorf("%d splits and %d merges in %d seeds are too few", splits, merges, *seedsFlag)
	}
}

// runReshapeSeed is runSeed with splits and merges.
func runReshapeSeed(t *testing.T, seed uint64, d kv.Durability) *shape {
	s := newSim(t, seed, d)
	h := newShape(s)
	never := func() bool { return false }
	h.breakThings()
	s.run(400*time.Millisecond, never)
	s.resting = true
	s.run(3*time.Second, h.settled)
	s.restartAtRest()
	s.run(s.now+100*time.Millisecond, never)
	s.quiet = true
	s.run(s.now+10*time.Second, h.settled)
	s.checkAgreement()
	h.checkEnd()
	return h
}

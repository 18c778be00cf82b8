package serverlib_test

import (
	"flag"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run the randomised tests with this seed only")
	seedsFlag = flag.Int("seeds", 150, "number of seeds of the randomised tests")
)

// TestRandomSync runs chains of durability sync under loss, duplication, reordering, crashes that
// lose what was not synced, and changes of the chain.
func TestRandomSync(t *testing.T) { runSeeds(t, kv.DurabilitySync) }

// TestRandomMemory runs chains of durability memory, where a crash costs the replica.
func TestRandomMemory(t *testing.T) { runSeeds(t, kv.DurabilityMemory) }

func runSeeds(t *testing.T, d kv.Durability) {
	if *seedFlag != 0 {
		runSeed(t, *seedFlag, d)
		return
	}
	operations := 0
	for seed := range uint64(*seedsFlag) {
		operations += runSeed(t, seed+1, d)
	}
	t.Logf("%d seeds, %d operations", *seedsFlag, operations)
}

// runSeed breaks things for 0.4 s, restarts members when the clients have their replies, and then
// gives the cluster 10 s of a perfect network to come to rest.
func runSeed(t *testing.T, seed uint64, d kv.Durability) (operations int) {
	s := newSim(t, seed, d)
	never := func() bool { return false }
	s.breakThings()
	s.run(400*time.Millisecond, never)
	s.resting = true
	s.run(3*time.Second, func() bool { return s.answered() && s.next == nil })
	s.restartAtRest()
	s.run(s.now+100*time.Millisecond, never)
	s.quiet = true
	s.run(s.now+10*time.Second, s.settled)
	s.checkAgreement()
	s.checkEnd()
	return len(s.history.operations)
}

package serverlib_test

import (
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// TestRandomJoinSync evicts members, adds learners and promotes them (I6) under everything that
// TestRandomSync does.
func TestRandomJoinSync(t *testing.T) { runJoinSeeds(t, kv.DurabilitySync) }

// TestRandomJoinMemory does so with durability memory, where a crash costs the replica.
func TestRandomJoinMemory(t *testing.T) { runJoinSeeds(t, kv.DurabilityMemory) }

func runJoinSeeds(t *testing.T, d kv.Durability) {
	if *seedFlag != 0 {
		runJoinSeed(t, *seedFlag, d)
		return
	}
	operations, done := 0, map[string]int{}
	for seed := range uint64(*seedsFlag) {
		h := runJoinSeed(t, seed+1, d)
		operations += len(h.s.history.operations)
		for what, n := range h.done {
			done[what] += n
		}
	}
	t.Logf("%d seeds, %d operations, %v", *seedsFlag, operations, done)
	for _, what := range []string{"learn", "promote", "replace", "evict"} {
		if done[what] < *seedsFlag/4 {
			t.Errorf("%d times %s in %d seeds is too little", done[what], what, *seedsFlag)
		}
	}
}

// runJoinSeed is runSeed with a roster.
func runJoinSeed(t *testing.T, seed uint64, d kv.Durability) *roster {
	s := newSim(t, seed, d)
	h := newRoster(s)
	never := func() bool { return false }
	h.breakThings()
	h.control()
	s.run(400*time.Millisecond, never)
	s.resting = true
	s.run(3*time.Second, func() bool { return s.answered() && s.next == nil })
	s.restartAtRest()
	s.run(s.now+100*time.Millisecond, never)
	s.quiet = true
	s.run(s.now+10*time.Second, s.settled)
	s.checkAgreement()
	s.checkEnd()
	return h
}

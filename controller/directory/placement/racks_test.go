package placement

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

// inRacks returns nodes in racks of the given sizes, and the rack of each.
func inRacks(sizes ...int) (nodes []kv.NodeID, rack func(kv.NodeID) int) {
	of := make(map[kv.NodeID]int)
	for r, size := range sizes {
		for range size {
			n := kv.NodeID(0x0a000001 + len(nodes))
			nodes, of[n] = append(nodes, n), r
		}
	}
	return nodes, func(n kv.NodeID) int { return of[n] }
}

// distinct counts the racks of some nodes.
func distinct(c []kv.NodeID, rack func(kv.NodeID) int) int {
	seen := make(map[int]bool)
	for _, n := range c {
		seen[rack(n)] = true
	}
	return len(seen)
}

// checkSpread checks rules 1 and 3.
func checkSpread(t *testing.T, chains []kv.Chain, nodes []kv.NodeID, rack func(kv.NodeID) int,
	replication int,
) {
	t.Helper()
	runs, racks := 0, distinct(nodes, rack)
	for i, c := range chains {
		checkChain(t, c, nodes, replication)
		if distinct(c, rack) != min(racks, replication) {
			t.Fatalf("chain %v is in %d of %d racks", c, distinct(c, rack), racks)
		}
		if racks > 1 && replication > 1 && rack(c.Head()) == rack(c.Tail()) {
			t.Fatalf("head and tail of %v are in one rack", c)
		}
		if i == 0 || rack(chains[i-1].Head()) != rack(c.Head()) {
			runs++
		}
	}
	if runs > racks {
		t.Fatalf("%d runs of homes in %d racks", runs, racks)
	}
}

// squares is what levelling replicas lowers.
func squares(nodes []kv.NodeID, loads Loads) (sum int) {
	for _, n := range nodes {
		sum += loads[n].Replicas * loads[n].Replicas
	}
	return sum
}

// TestRacksAreSpreadLevelAndContiguous places keyspaces one after the other over equal racks.
func TestRacksAreSpreadLevelAndContiguous(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		sizes := slices.Repeat([]int{1 + r.IntN(6)}, 2+r.IntN(5))
		nodes, rack := inRacks(sizes...)
		loads := Loads{}
		for k := range 1 + r.IntN(4) {
			replication := 1 + r.IntN(min(len(nodes), kv.MaxChain))
			chains, err := Place(nodes, rack, loads, 1+r.IntN(100), replication)
			if err != nil {
				t.Fatal(err)
			}
			checkSpread(t, chains, nodes, rack, replication)
			for _, c := range chains {
				loads.Add(c)
			}
			checkLevel(t, nodes, loads, min(k+1, 2))
		}
	}
}

// checkLevel: what a keyspace leaves uneven between racks another one cannot even out if all its chains
// are in all racks.
func checkLevel(t *testing.T, nodes []kv.NodeID, loads Loads, limit int) {
	t.Helper()
	for what, of := range map[string]func(Load) int{
		"replicas": func(l Load) int { return l.Replicas },
		"heads":    func(l Load) int { return l.Heads },
		"tails":    func(l Load) int { return l.Tails },
	} {
		if got := spread(nodes, loads, of); got > limit && (what == "replicas" || got > 3) {
			t.Fatalf("%d nodes: %s differ by %d: %v", len(nodes), what, got, loads)
		}
	}
}

// TestUnevenRacksAreAsLevelAsTheirSpreadAllows compares with the best of all placements that keep rule 1.
func TestUnevenRacksAreAsLevelAsTheirSpreadAllows(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 400 {
		sizes := make([]int, 2+r.IntN(2))
		for i := range sizes {
			sizes[i] = 1 + r.IntN(3)
		}
		nodes, rack := inRacks(sizes...)
		loads := Loads{}
		for _, n := range nodes {
			loads[n] = Load{Replicas: r.IntN(3)}
		}
		replication, count := 1+r.IntN(min(len(nodes), 4)), 1+r.IntN(4)
		chains, err := Place(nodes, rack, loads, count, replication)
		if err != nil {
			t.Fatal(err)
		}
		checkSpread(t, chains, nodes, rack, replication)
		best := bruteForce(nodes, rack, loads, count, replication)
		for _, c := range chains {
			loads.Add(c)
		}
		if got := squares(nodes, loads); got != best {
			t.Errorf("racks of %v, %d chains of %d: %v: squares %d, the best %d", sizes, count,
				replication, chains, got, best)
		}
	}
}

// bruteForce returns the least sum of squares of replicas of all placements that keep rule 1.
func bruteForce(nodes []kv.NodeID, rack func(kv.NodeID) int, loads Loads, count, replication int) int {
	sets := subsets(nodes, replication)
	want := min(replication, distinct(nodes, rack))
	sets = slices.DeleteFunc(sets, func(c []kv.NodeID) bool { return distinct(c, rack) < want })
	total := Loads{}
	for n, l := range loads {
		total[n] = l
	}
	best := -1
	var try func(left, from int)
	try = func(left, from int) {
		if left == 0 {
			if s := squares(nodes, total); best < 0 || s < best {
				best = s
			}
			return
		}
		for i := from; i < len(sets); i++ {
			total.Add(sets[i])
			try(left-1, i)
			total.Remove(sets[i])
		}
	}
	try(count, 0)
	return best
}

func subsets(nodes []kv.NodeID, size int) (out [][]kv.NodeID) {
	if size == 0 {
		return [][]kv.NodeID{nil}
	}
	for i := range nodes {
		for _, rest := range subsets(nodes[i+1:], size-1) {
			out = append(out, append([]kv.NodeID{nodes[i]}, rest...))
		}
	}
	return out
}

func TestOneRackIsPlacedAsIfThereWereNone(t *testing.T) {
	nodes := someNodes(7)
	for _, rack := range []func(kv.NodeID) int{oneRack, func(kv.NodeID) int { return 5 }} {
		chains, err := Place(nodes, rack, nil, 3, 3)
		const want = "[[10.0.0.6 10.0.0.1 10.0.0.5] [10.0.0.3 10.0.0.7 10.0.0.4] [10.0.0.1 10.0.0.2 10.0.0.7]]"
		if got := fmt.Sprint(chains); err != nil || got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

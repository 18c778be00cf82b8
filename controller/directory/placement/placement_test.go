package placement

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

func someNodes(n int) []kv.NodeID {
	nodes := make([]kv.NodeID, n)
	for i := range nodes {
		nodes[i] = kv.NodeID(0x0a000001 + i)
	}
	return nodes
}

func oneRack(kv.NodeID) int { return 0 }

// spread returns the difference between the most and the least of one count.
func spread(nodes []kv.NodeID, loads Loads, of func(Load) int) int {
	low, high := of(loads[nodes[0]]), of(loads[nodes[0]])
	for _, n := range nodes {
		low, high = min(low, of(loads[n])), max(high, of(loads[n]))
	}
	return high - low
}

func TestPlaceLevelsReplicasHeadsAndTails(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		nodes := someNodes(1 + r.IntN(20))
		loads := Loads{}
		for range 1 + r.IntN(4) { // keyspaces of one cluster, one after the other
			replication := 1 + r.IntN(min(len(nodes), kv.MaxChain))
			chains, err := Place(nodes, oneRack, loads, 1+r.IntN(100), replication)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range chains {
				checkChain(t, c, nodes, replication)
				loads.Add(c)
			}
		}
		for what, of := range map[string]func(Load) int{
			"replicas": func(l Load) int { return l.Replicas },
			"heads":    func(l Load) int { return l.Heads },
			"tails":    func(l Load) int { return l.Tails },
		} {
			limit := 3 // small against the tens of chains that each node is in
			if what == "replicas" {
				limit = 1
			}
			if got := spread(nodes, loads, of); got > limit {
				t.Fatalf("%d nodes: %s differ by %d: %v", len(nodes), what, got, loads)
			}
		}
	}
}

func checkChain(t *testing.T, c kv.Chain, nodes []kv.NodeID, replication int) {
	t.Helper()
	seen := map[kv.NodeID]bool{}
	for _, n := range c {
		known := n >= nodes[0] && n <= nodes[len(nodes)-1]
		if seen[n] || !known {
			t.Fatalf("chain %v", c)
		}
		seen[n] = true
	}
	if len(c) != replication {
		t.Fatalf("chain %v: want %d members", c, replication)
	}
}

func TestPlaceIsDeterministicAndIgnoresTheOrderOfNodes(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	nodes := someNodes(7)
	want, err := Place(nodes, oneRack, nil, 50, 3)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		if got, _ := Place(nodes, oneRack, Loads{}, 50, 3); !reflect.DeepEqual(got, want) {
			t.Fatalf("order %v gives other chains", nodes)
		}
	}
}

func TestPlaceScattersThePartnersOfANode(t *testing.T) {
	nodes := someNodes(10)
	chains, err := Place(nodes, oneRack, nil, 100, 3)
	if err != nil {
		t.Fatal(err)
	}
	partners := map[kv.NodeID]bool{}
	for _, c := range chains {
		if c.Position(nodes[0]) >= 0 {
			for _, n := range c {
				partners[n] = true
			}
		}
	}
	if len(partners) < 9 {
		t.Fatalf("node shares data with %d of 9 others", len(partners)-1)
	}
}

func TestPlaceFillsANewNodeFirst(t *testing.T) {
	nodes := someNodes(4)
	loads := Loads{}
	for _, n := range nodes[:3] {
		loads[n] = Load{Replicas: 10, Heads: 3, Tails: 3}
	}
	chains, err := Place(nodes, oneRack, loads, 8, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chains {
		if c.Head() != nodes[3] {
			t.Fatalf("%v: the empty node is %v", c, nodes[3])
		}
	}
}

func TestPlaceRefusesTheImpossible(t *testing.T) {
	for _, replication := range []int{-1, 0, 3, kv.MaxChain + 1} {
		if c, err := Place(someNodes(2), oneRack, nil, 1, replication); err == nil {
			t.Errorf("replication %d on 2 nodes: %v", replication, c)
		}
	}
}

// Package placement chooses the chains of new sub-ranges. It is a pure function of the nodes, of
// their racks and of what they carry already, so the same directory always gives the same chains, in
// the controller, in tests and in the simulator.
//
// The rules, each as far as those before it allow:
//
//  1. Head and tail are in different racks, and the members in as many racks as there can be: a rack
//     that is lost with its switch takes as little as possible.
//  2. Replicas per node are level, because they cost memory and disk. Where racks are uneven the first
//     rule gives the nodes of small ones more.
//  3. The heads of consecutive sub-ranges are in one rack, each rack having one run, because the rack
//     of the head is where requests are resolved: switches above need few aggregates.
//  4. Heads and tails per node are level, because heads order all writes and tails answer all reads.
//
// Ties are broken by a hash, which scatters the partners of a node over the whole cluster: when it
// fails, everybody has a small part of its data, and repair runs everywhere at once.
package placement

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// Load counts what one node carries.
type Load struct {
	Replicas int // sub-ranges that the node is a member of
	Heads    int // of these, how many it orders the updates of
	Tails    int // of these, how many it answers the reads of
}

// Loads maps nodes to what they carry; absent nodes carry nothing.
type Loads map[kv.NodeID]Load

// Add counts one more chain.
func (l Loads) Add(c kv.Chain) { l.count(c, 1) }

// Remove is the inverse of Add.
func (l Loads) Remove(c kv.Chain) { l.count(c, -1) }

func (l Loads) count(c kv.Chain, by int) {
	for i, n := range c {
		load := l[n]
		load.Replicas += by
		if i == 0 {
			load.Heads += by
		}
		if i == len(c)-1 {
			load.Tails += by
		}
		l[n] = load
	}
}

// Place returns n chains of the given length over the nodes, in the order of their sub-ranges along the
// key line, levelling together with what the nodes carry already. rack tells where a node is; racks that
// are near each other in the network should have near numbers. Place does not change loads. It is an
// error to ask for more replicas than there are nodes.
func Place(nodes []kv.NodeID, rack func(kv.NodeID) int, loads Loads, n, replication int,
) ([]kv.Chain, error) {
	if replication < 1 || replication > kv.MaxChain {
		return nil, fmt.Errorf("replication %d: must be 1 to %d", replication, kv.MaxChain)
	}
	if len(nodes) < replication {
		return nil, fmt.Errorf("replication %d needs as many nodes: there are %d",
			replication, len(nodes))
	}
	total := make(Loads, len(nodes))
	racks := make(map[kv.NodeID]int, len(nodes))
	for _, node := range nodes {
		total[node], racks[node] = loads[node], rack(node)
	}
	order := slices.Sorted(slices.Values(nodes))
	for _, node := range order {
		if racks[node] != racks[order[0]] {
			return placeOverRacks(order, racks, total, n, replication), nil
		}
	}
	return placeInOne(order, total, n, replication), nil
}

// placeInOne places chains in one rack.
func placeInOne(order []kv.NodeID, total Loads, n, replication int) []kv.Chain {
	chains := make([]kv.Chain, n)
	for i := range chains {
		members := leastLoaded(order, total, replication, uint64(i))
		chains[i] = arrange(members, total, uint64(i))
		total.Add(chains[i])
	}
	level(chains, total)
	return chains
}

// leastLoaded returns the nodes with the fewest replicas; among equals those with the fewest ends.
func leastLoaded(nodes []kv.NodeID, loads Loads, want int, salt uint64) []kv.NodeID {
	byLoad := slices.Clone(nodes)
	slices.SortFunc(byLoad, func(a, b kv.NodeID) int {
		la, lb := loads[a], loads[b]
		return cmp.Or(
			cmp.Compare(la.Replicas, lb.Replicas),
			cmp.Compare(la.Heads+la.Tails, lb.Heads+lb.Tails),
			cmp.Compare(scatter(a, salt), scatter(b, salt)),
			cmp.Compare(a, b),
		)
	})
	return byLoad[:want]
}

// arrange orders the members of one chain: the one with the fewest heads first, and of the others
// the one with the fewest tails last.
func arrange(members []kv.NodeID, loads Loads, salt uint64) kv.Chain {
	c := kv.Chain(members)
	take := func(from []kv.NodeID, ends func(Load) int) int {
		best := 0
		for i := range from {
			a, b := from[i], from[best]
			if cmp.Or(
				cmp.Compare(ends(loads[a]), ends(loads[b])),
				cmp.Compare(scatter(a, salt), scatter(b, salt)),
			) < 0 {
				best = i
			}
		}
		return best
	}
	head := take(c, func(l Load) int { return l.Heads })
	c[0], c[head] = c[head], c[0]
	if len(c) > 1 {
		tail := 1 + take(c[1:], func(l Load) int { return l.Tails })
		c[len(c)-1], c[tail] = c[tail], c[len(c)-1]
	}
	return c
}

// level exchanges places within chains for as long as that evens out heads and tails. Each exchange
// lowers the sum of squares of both counts, so it ends.
func level(chains []kv.Chain, loads Loads) {
	for changed := true; changed; {
		changed = false
		for _, c := range chains {
			for i := range c {
				for j := i + 1; j < len(c); j++ {
					changed = exchange(c, i, j, loads) || changed
				}
			}
		}
	}
}

// exchange swaps two members if that lowers the imbalance of the ends, and reports whether it did.
func exchange(c kv.Chain, i, j int, loads Loads) bool {
	a, b := c[i], c[j]
	before := imbalance(loads[a]) + imbalance(loads[b])
	loads.Remove(c)
	c[i], c[j] = b, a
	loads.Add(c)
	if imbalance(loads[a])+imbalance(loads[b]) < before {
		return true
	}
	loads.Remove(c)
	c[i], c[j] = a, b
	loads.Add(c)
	return false
}

func imbalance(l Load) int { return l.Heads*l.Heads + l.Tails*l.Tails }

// scatter mixes a node and a salt into a number that looks random (the finisher of SplitMix64).
func scatter(n kv.NodeID, salt uint64) uint64 {
	x := uint64(n) + 0x9e3779b97f4a7c15*(salt+1)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

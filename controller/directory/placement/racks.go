package placement

import (
	"cmp"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// rackPlan is a placement over several racks.
type rackPlan struct {
	nodes  []kv.NodeID       // ascending
	rack   map[kv.NodeID]int // of each
	total  Loads             // with what has been placed
	racks  []int             // that have nodes, ascending
	spread int               // how many racks a chain is in
	homes  []int             // rack of each head
	chains []kv.Chain
}

// placeOverRacks places chains when the nodes are in more than one rack. Heads come first, in runs
// along the key line, then tails, then the others, each time one chain of every run in turn, so that
// those that are chosen last find the racks as level as those that are chosen first.
func placeOverRacks(nodes []kv.NodeID, rack map[kv.NodeID]int, total Loads, n, replication int,
) []kv.Chain {
	p := &rackPlan{nodes: nodes, rack: rack, total: total, chains: make([]kv.Chain, n)}
	for _, node := range nodes {
		if !slices.Contains(p.racks, rack[node]) {
			p.racks = append(p.racks, rack[node])
		}
	}
	slices.Sort(p.racks)
	p.spread = min(replication, len(p.racks))
	p.homes = p.runs(n, replication)
	order := p.interleaved()
	for _, i := range order {
		p.chains[i] = make(kv.Chain, replication)
		p.put(i, 0)
	}
	for at := replication - 1; at > 0; at-- {
		for _, i := range order {
			p.put(i, at)
		}
	}
	p.level()
	return p.chains
}

// runs gives every chain the rack of its head: contiguous runs along the key line, as long as levels the
// ends of chains best if both are never in the same rack.
func (p *rackPlan) runs(n, replication int) (homes []int) {
	ends := make(Loads, len(p.nodes))
	for _, node := range p.nodes {
		ends[node] = p.total[node]
	}
	heads := make(map[int]int)
	for i := range uint64(n) {
		head := p.pick(ends, i, func(kv.NodeID) bool { return true }, func(l Load) int {
			if replication == 1 {
				return l.Replicas
			}
			return l.Heads
		})
		chain := kv.Chain{head}
		if replication > 1 {
			chain = p.ends(ends, i)
		}
		heads[p.rack[chain.Head()]]++
		ends.Add(chain)
	}
	for _, r := range p.racks {
		homes = append(homes, slices.Repeat([]int{r}, heads[r])...)
	}
	return homes
}

// ends returns a head and a tail of different racks that level both best.
func (p *rackPlan) ends(loads Loads, salt uint64) kv.Chain {
	heads, tails := func(l Load) int { return l.Heads }, func(l Load) int { return l.Tails }
	notIn := func(n kv.NodeID) func(kv.NodeID) bool {
		return func(o kv.NodeID) bool { return p.rack[o] != p.rack[n] }
	}
	anywhere := func(kv.NodeID) bool { return true }
	head := p.pick(loads, salt, anywhere, heads)
	tail := p.pick(loads, salt, anywhere, tails)
	a := kv.Chain{head, p.pick(loads, salt, notIn(head), tails)}
	b := kv.Chain{p.pick(loads, salt, notIn(tail), heads), tail}
	if loads[b.Head()].Heads+loads[b.Tail()].Tails < loads[a.Head()].Heads+loads[a.Tail()].Tails {
		return b
	}
	return a
}

// pick returns the best of some nodes: with the least of one count, then of replicas, then by chance.
func (p *rackPlan) pick(loads Loads, salt uint64, fit func(kv.NodeID) bool, of func(Load) int,
) (best kv.NodeID) {
	for _, n := range p.nodes {
		if fit(n) && (best == 0 || cmp.Or(
			cmp.Compare(of(loads[n]), of(loads[best])),
			cmp.Compare(loads[n].Replicas, loads[best].Replicas),
			cmp.Compare(scatter(n, salt), scatter(best, salt)),
		) < 0) {
			best = n
		}
	}
	return best
}

// interleaved returns the chains in the order in which they are placed.
func (p *rackPlan) interleaved() []int {
	order := make([]int, len(p.homes))
	place := make([]int, len(p.homes)) // within its run
	for i := range order {
		order[i] = i
		if i > 0 && p.homes[i] == p.homes[i-1] {
			place[i] = place[i-1] + 1
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(place[a], place[b]), cmp.Compare(a, b))
	})
	return order
}

// put chooses the member at a place of a chain whose head, and then tail, are chosen first.
func (p *rackPlan) put(i, at int) {
	c := p.chains[i]
	best := p.pick(p.total, uint64(i), func(n kv.NodeID) bool { return p.may(i, at, n) },
		func(l Load) int { return l.Replicas })
	c[at] = best
	load := p.total[best]
	load.Replicas++
	if at == 0 {
		load.Heads++
	}
	if at == len(c)-1 {
		load.Tails++
	}
	p.total[best] = load
}

// may reports whether a node can be put into a place of a chain; the others may still be empty.
func (p *rackPlan) may(i, at int, n kv.NodeID) bool {
	c := p.chains[i]
	if c.Position(n) >= 0 || at == 0 && p.rack[n] != p.homes[i] {
		return false
	}
	if last := len(c) - 1; last > 0 && at == last && p.rack[n] == p.homes[i] {
		return false
	}
	others, empty, elsewhere := p.around(c, at, n)
	if elsewhere {
		others++
	}
	return others+empty >= p.spread
}

// around counts the racks of a chain's other places, and those that are empty, and tells whether a node
// would bring another rack.
func (p *rackPlan) around(c kv.Chain, at int, n kv.NodeID) (racks, empty int, elsewhere bool) {
	elsewhere = true
	for x, o := range c {
		switch {
		case x == at:
		case o == 0:
			empty++
		default:
			elsewhere = elsewhere && p.rack[o] != p.rack[n]
			if !slices.ContainsFunc(c[:x], func(q kv.NodeID) bool {
				return q != 0 && c.Position(q) != at && p.rack[q] == p.rack[o]
			}) {
				racks++
			}
		}
	}
	return racks, empty, elsewhere
}

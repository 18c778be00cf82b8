package placement

import (
	"cmp"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// level replaces members for as long as that evens out replicas, then lets them change places for as
// long as that evens out heads and tails. Each step lowers the sum of squares of what it is about and
// leaves what came before as it is, so it ends.
func (p *rackPlan) level() {
	for p.relay() {
	}
	for changed := true; changed; {
		changed = false
		holds := p.holders()
		for i, c := range p.chains {
			for at := range c {
				for other := at + 1; other < len(c); other++ {
					changed = p.mayExchange(i, at, other) && exchange(c, at, other, p.total) || changed
				}
			}
			changed = p.trade(i, 0, holds) || changed
			changed = p.trade(i, len(c)-1, holds) || changed
		}
	}
}

// mayExchange reports whether two members may change places: the head stays in its rack, and the tail
// out of it.
func (p *rackPlan) mayExchange(i, at, other int) bool {
	c := p.chains[i]
	if at == 0 && p.rack[c[other]] != p.homes[i] {
		return false
	}
	return other != len(c)-1 || p.rack[c[at]] != p.homes[i]
}

// holders returns the chains that each node is in.
func (p *rackPlan) holders() map[kv.NodeID][]int {
	out := make(map[kv.NodeID][]int, len(p.nodes))
	for i, c := range p.chains {
		for _, n := range c {
			out[n] = append(out[n], i)
		}
	}
	return out
}

// trade lets a head or a tail and a node that has the fewest of these take each other's places in two
// chains, so that both have as many replicas as before, if that evens out heads and tails.
func (p *rackPlan) trade(i, at int, holds map[kv.NodeID][]int) bool {
	count := func(l Load) int { return l.Heads }
	if at > 0 {
		count = func(l Load) int { return l.Tails }
	}
	a := p.chains[i][at]
	b := p.pick(p.total, uint64(i), func(n kv.NodeID) bool {
		return count(p.total[n])+1 < count(p.total[a]) && p.may(i, at, n)
	}, count)
	if b == 0 {
		return false
	}
	for _, j := range holds[b] {
		y := p.chains[j].Position(b)
		if y >= 0 && p.may(j, y, a) && p.swap(i, at, j, y) {
			return true
		}
	}
	return false
}

// swap lets two members of two chains change places if that evens out heads and tails.
func (p *rackPlan) swap(i, x, j, y int) bool {
	a, b := p.chains[i][x], p.chains[j][y]
	before := imbalance(p.total[a]) + imbalance(p.total[b])
	p.set(i, x, b)
	p.set(j, y, a)
	if imbalance(p.total[a])+imbalance(p.total[b]) < before {
		return true
	}
	p.set(i, x, a)
	p.set(j, y, b)
	return false
}

// set replaces a member.
func (p *rackPlan) set(i, at int, n kv.NodeID) {
	p.total.Remove(p.chains[i])
	p.chains[i][at] = n
	p.total.Add(p.chains[i])
}

// step is one replacement: at a place of a chain, a node takes over from another.
type step struct {
	chain, at int
	from      kv.NodeID
}

// relayMost bounds the search for replacements, in pairs of a place and a node: a second or so. Beyond
// it, what the first choice has left uneven stays so; that is little.
const relayMost = 20_000_000

// relay takes one replica off a node for another that has at least two less, perhaps by way of others
// each of which takes one over and gives one away, and reports whether that was possible. It is the
// shortest augmenting path (Edmonds and Karp) of each node that has too much.
func (p *rackPlan) relay() bool {
	if len(p.chains) == 0 || len(p.chains)*len(p.chains[0])*len(p.nodes) > relayMost {
		return false
	}
	holds := p.holders()
	byLoad := slices.SortedFunc(slices.Values(p.nodes), func(a, b kv.NodeID) int {
		return cmp.Or(-cmp.Compare(p.total[a].Replicas, p.total[b].Replicas), cmp.Compare(a, b))
	})
	closed := make(map[kv.NodeID]bool) // nothing better can be reached from these
	for _, from := range byLoad {
		if closed[from] {
			continue
		}
		reached, to := p.search(from, holds)
		if to != 0 && p.pass(reached, from, to) {
			return true
		}
		for n := range reached {
			closed[n] = true
		}
	}
	return false
}

// search looks breadth first for a node to which a replica can be handed on, and returns how each node was
// reached.
func (p *rackPlan) search(from kv.NodeID, holds map[kv.NodeID][]int,
) (reached map[kv.NodeID]step, to kv.NodeID) {
	reached = map[kv.NodeID]step{from: {}}
	queue := []kv.NodeID{from}
	for len(queue) > 0 && len(reached) < len(p.nodes) {
		n := queue[0]
		queue = queue[1:]
		for _, i := range holds[n] {
			at := p.chains[i].Position(n)
			for _, o := range p.nodes {
				if _, known := reached[o]; known || !p.may(i, at, o) {
					continue
				}
				reached[o] = step{chain: i, at: at, from: n}
				if p.total[o].Replicas+1 < p.total[from].Replicas {
					return reached, o
				}
				queue = append(queue, o)
			}
		}
	}
	return reached, 0
}

// pass carries out the replacements that lead to a node, unless one is in the way of another.
func (p *rackPlan) pass(reached map[kv.NodeID]step, from, to kv.NodeID) bool {
	var done []step
	for to != from {
		s := reached[to]
		if p.chains[s.chain][s.at] != s.from || !p.may(s.chain, s.at, to) {
			for _, s := range slices.Backward(done) {
				p.set(s.chain, s.at, s.from)
			}
			return false
		}
		p.set(s.chain, s.at, to)
		done = append(done, s)
		to = s.from
	}
	return true
}

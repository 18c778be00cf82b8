package balance

import "github.com/turbokv/turbokv/kv"

// A rack is a switch and the nodes that are attached to it: they are lost together. A chain is spread
// well when it is in as many racks as it can be, with head and tail in different ones (see package
// placement). No action makes that worse; repairs, drains and Spread make it better.

// racksOf counts the racks of some hosts.
func (m *model) racksOf(chain []int) (count int) {
	for i, h := range chain {
		if h != none && !m.rackIn(chain[:i], h) {
			count++
		}
	}
	return count
}

// rackIn reports whether one of some hosts is in the rack of another.
func (m *model) rackIn(chain []int, h int) bool {
	for _, o := range chain {
		if o != none && m.hosts[o].Rack == m.hosts[h].Rack {
			return true
		}
	}
	return false
}

// flaws says how badly a chain is spread, 0 being as good as any of its length can be: each rack more
// that it could be in counts 2, head and tail in one rack although it is in several 1.
func (m *model) flaws(chain []int) int {
	racks := m.racksOf(chain)
	flaws := 2 * (min(len(chain), m.racks) - racks)
	if racks > 1 && m.sameRack(chain[0], chain[len(chain)-1]) {
		flaws++
	}
	return max(flaws, 0)
}

func (m *model) sameRack(a, b int) bool {
	return a != none && b != none && m.hosts[a].Rack == m.hosts[b].Rack
}

// home returns the rack at which requests for a chain are resolved: that of the first member that is not
// in the tail's (directory.HomeOf).
func (m *model) home(chain []int) string {
	tail := chain[len(chain)-1]
	for _, h := range chain {
		if h != none && tail != none && !m.sameRack(h, tail) {
			return m.hosts[h].Rack
		}
	}
	if tail == none {
		return ""
	}
	return m.hosts[tail].Rack
}

// rackCost is what a new chain costs because of racks; ok is false if it would be spread worse. That
// another rack becomes the home has a price: runs of sub-ranges with one home are few rows in the switches
// above.
func (s *search) rackCost(p *part, chain []int) (cost float64, ok bool) {
	if s.m.racks < 2 {
		return 0, true
	}
	if s.m.flaws(chain) > s.m.flaws(p.chain) {
		return 0, false
	}
	if s.m.home(chain) != s.m.home(p.chain) {
		cost = s.b.cfg.HomeCost
	}
	return cost, true
}

// Spread returns the next change that spreads a sub-range better over racks, if one is possible: another
// rack for a member that shares its rack, or a member of another rack as the head. The tail stays
// where it can, and the home, too. Nodes in not get nothing.
func (t *Targets) Spread(id kv.SubRangeID, not ...kv.NodeID) (c Change, why string, ok bool) {
	i, known := t.m.byID[id]
	if !known {
		return c, "", false
	}
	p := &t.m.parts[i]
	if t.m.racks < 2 || len(p.chain) < 2 || t.m.flaws(p.chain) == 0 {
		return c, "", false
	}
	if from := t.doubled(p.chain); from != none {
		if to := t.elsewhere(i, from, not); to != none {
			return t.spreadTo(p, from, to), "its members are in fewer racks than they could be", true
		}
	}
	if t.m.racksOf(p.chain) < 2 || !t.m.sameRack(p.chain[0], p.chain[len(p.chain)-1]) {
		return c, "", false
	}
	return Change{Kind: Reorder, SubRange: p.ID, Chain: t.m.ids(t.m.apart(p.chain))},
		"head and tail are in one rack", true
}

// doubled returns the busiest member that shares its rack with another one; the head only if there is no
// other, so that the home stays.
func (t *Targets) doubled(chain []int) int {
	best := none
	for at, h := range chain {
		others := append(append([]int(nil), chain[:at]...), chain[at+1:]...)
		if h == none || !t.m.rackIn(others, h) {
			continue
		}
		if best == none || best == chain[0] || t.m.ratio(h) > t.m.ratio(best) {
			best = h
		}
	}
	return best
}

// elsewhere returns the best host in a rack that a part is not in, to take over from another.
func (t *Targets) elsewhere(i, from int, not []kv.NodeID) int {
	best := none
	for h := range t.m.hosts {
		if t.usable(i, h, not) && !t.m.rackIn(t.m.parts[i].chain, h) &&
			(best == none || t.better(i, h, best)) {
			best = h
		}
	}
	return best
}

// spreadTo is a move of a member into another rack, with head and tail apart.
func (t *Targets) spreadTo(p *part, from, to int) Change {
	c := Change{Kind: Move, SubRange: p.ID, From: t.m.hosts[from].ID, To: t.m.hosts[to].ID}
	chain := make([]int, len(p.chain))
	for at, h := range p.chain {
		if chain[at] = h; h == from {
			chain[at] = to
		}
	}
	if t.m.sameRack(chain[0], chain[len(chain)-1]) {
		chain = t.m.apart(chain)
	}
	c.Chain = t.m.ids(chain)
	t.m.rechain(t.m.byID[p.ID], chain)
	t.m.hosts[to].joins++
	t.m.level()
	return c
}

// apart returns a chain in another order, with the first member that is not in the tail's rack as its
// head: the home and the tail stay the same.
func (m *model) apart(chain []int) []int {
	out := append([]int(nil), chain...)
	for at, h := range chain {
		if h != none && !m.sameRack(h, chain[len(chain)-1]) {
			copy(out[1:at+1], chain[:at])
			out[0] = h
			break
		}
	}
	return out
}

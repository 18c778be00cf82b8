package balance

import (
	"cmp"
	"fmt"

	"github.com/turbokv/turbokv/kv"
)

// Targets chooses nodes that take over replicas: after a failure, or for a drain. What it has chosen
// counts for the next choice, so many repairs spread over the cluster.
type Targets struct{ m *model }

// NewTargets looks at the cluster. Running plans count as done.
func NewTargets(cfg Config, in Input) *Targets {
	return &Targets{newModel(cfg.withDefaults(), in)}
}

// Pick chooses the node that should become a member of a sub-range, other than its members and those
// in not; ok is false if no node can. A node in leave gives up its place; 0 if nobody does.
func (t *Targets) Pick(id kv.SubRangeID, leave kv.NodeID, not ...kv.NodeID) (to kv.NodeID,
	why string, ok bool,
) {
	i, known := t.m.byID[id]
	if !known {
		return 0, "", false
	}
	best := none
	for h := range t.m.hosts {
		if t.usable(i, h, not) && (best == none || t.better(i, h, best)) {
			best = h
		}
	}
	if best = t.spread(i, leave, not, best); best == none {
		return 0, "", false
	}
	n := &t.m.hosts[best]
	why = fmt.Sprintf("%v has %d replicas and %.2f of the average load", n.ID, n.replicas,
		t.m.ratio(best))
	t.book(i, best, leave)
	return n.ID, why, true
}

// spread returns the best host of those that spread a part best over racks: another rack first, then, for
// the new tail, one that is not the head's.
func (t *Targets) spread(i int, leave kv.NodeID, not []kv.NodeID, best int) int {
	if best == none || t.m.racks < 2 {
		return best
	}
	chain := t.without(i, leave)
	flaws := func(h int) int { return t.m.flaws(append(chain[:len(chain):len(chain)], h)) }
	for h := range t.m.hosts {
		if t.usable(i, h, not) && cmp.Or(cmp.Compare(flaws(h), flaws(best)),
			t.compare(i, h, best)) < 0 {
			best = h
		}
	}
	return best
}

func (t *Targets) usable(i, h int, not []kv.NodeID) bool {
	n := &t.m.hosts[h]
	if !n.fit {
		return false
	}
	for _, o := range not {
		if o == n.ID {
			return false
		}
	}
	for _, o := range t.m.parts[i].chain {
		if o == h {
			return false
		}
	}
	return true
}

// better compares two hosts: load and replicas per capacity, then bytes, then chance, which is the
// same every time for the same sub-range and node but scatters different sub-ranges.
func (t *Targets) better(i, a, b int) bool { return t.compare(i, a, b) < 0 }

func (t *Targets) compare(i, a, b int) int {
	id := t.m.parts[i].ID
	return cmp.Or(
		cmp.Compare(t.score(a), t.score(b)),
		cmp.Compare(t.m.hosts[a].bytes, t.m.hosts[b].bytes),
		cmp.Compare(scatter(t.m.hosts[a].ID, id), scatter(t.m.hosts[b].ID, id)),
	)
}

// score levels load and replicas alike: requests keep a node busy, replicas fill it. Replicas that
// are being brought count a little more, so that repairs run everywhere at once.
func (t *Targets) score(h int) float64 {
	n, mean := &t.m.hosts[h], 0.0
	for i := range t.m.hosts {
		mean += float64(t.m.hosts[i].replicas)
	}
	mean = max(mean/float64(len(t.m.hosts)), 1)
	return t.m.ratio(h) + float64(n.replicas)/(n.capacity*mean) + float64(n.joins)/(4*n.capacity)
}

// book counts a choice.
func (t *Targets) book(i, h int, leave kv.NodeID) {
	t.m.rechain(i, append(t.without(i, leave), h))
	t.m.hosts[h].joins++
	t.m.level()
}

// without returns the members of a part but one.
func (t *Targets) without(i int, leave kv.NodeID) []int {
	p := &t.m.parts[i]
	chain := make([]int, 0, len(p.chain)+1)
	for _, o := range p.chain {
		if o == none || t.m.hosts[o].ID != leave {
			chain = append(chain, o)
		}
	}
	return chain
}

// RepairTarget picks the node for one repair or drain; see Targets for many.
func RepairTarget(cfg Config, in Input, id kv.SubRangeID, leave kv.NodeID) (to kv.NodeID,
	why string, ok bool,
) {
	return NewTargets(cfg, in).Pick(id, leave)
}

// scatter mixes a node and a sub-range into a number that looks random (the finisher of SplitMix64).
func scatter(n kv.NodeID, s kv.SubRangeID) uint64 {
	x := uint64(n) + 0x9e3779b97f4a7c15*(uint64(s)+1)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

package balance

import (
	"cmp"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// search is one run through the possible actions.
type search struct {
	b        *Balancer
	in       Input
	m        *model
	ids      int // sub-ranges that can still be created
	prefixes int // entries of the partition table that can still be used
	targets  []int
	chain    []int   // scratch
	shifts   []shift // scratch
}

// targetsTried is how many of the least busy hosts are considered for a move: more than the other
// members of a chain can be, and the best are among the first.
const targetsTried = kv.MaxChain + 4

// action is a candidate.
type action struct {
	part  int
	kind  Kind
	from  int // hosts, of a move
	to    int
	chain []int
	value float64 // gain less cost
}

// best finds the best action for the nodes that need help and imagines it done.
func (s *search) best() (Proposal, bool) {
	s.findTargets()
	var a action
	for h := range s.m.hosts {
		switch s.help(h) {
		case over:
			s.relieve(h, &a)
		case under:
			if slices.Contains(s.targets, h) {
				s.feed(h, &a)
			}
		}
	}
	if a.kind != 0 {
		return s.take(a), true
	}
	return s.bestSplit()
}

// findTargets lists the least busy hosts that can take another replica.
func (s *search) findTargets() {
	s.targets = s.targets[:0]
	for h := range s.m.hosts {
		if s.m.hosts[h].fit && s.m.hosts[h].joins < s.b.cfg.PerNode {
			s.targets = append(s.targets, h)
		}
	}
	slices.SortStableFunc(s.targets, func(a, b int) int {
		return cmp.Compare(s.m.ratio(a), s.m.ratio(b))
	})
	s.targets = s.targets[:min(len(s.targets), targetsTried)]
}

// help returns what a host needs, in the cluster as imagined so far.
func (s *search) help(h int) band {
	if !s.m.hosts[h].fit {
		return within
	}
	help := s.b.watches[s.m.hosts[h].ID].help
	if s.b.helped(s.m, h, help) {
		return within
	}
	return help
}

// relieve looks for what takes load off a host.
func (s *search) relieve(h int, best *action) {
	for _, i := range s.m.hosts[h].held {
		if !s.free(i) {
			continue
		}
		s.reorders(i, best)
		if s.mayMove(i) {
			for _, to := range s.targets {
				s.move(i, h, to, best)
			}
		}
	}
}

// feed looks for what gives load to a host, from those that have more than the average.
func (s *search) feed(to int, best *action) {
	for _, i := range s.m.hosts[to].held {
		if s.free(i) {
			s.reorders(i, best)
		}
	}
	for h := range s.m.hosts {
		if !s.m.hosts[h].fit || s.m.ratio(h) <= 1 {
			continue
		}
		for _, i := range s.m.hosts[h].held {
			if s.free(i) && s.mayMove(i) {
				s.move(i, h, to, best)
			}
		}
	}
}

// free reports whether a part may be touched at all.
func (s *search) free(i int) bool {
	p := &s.m.parts[i]
	if p.busy || s.in.Now < s.b.rest[p.ID].all {
		return false
	}
	for _, h := range p.chain {
		if h == none || !s.m.hosts[h].Alive {
			return false // will be evicted or repaired
		}
	}
	return len(p.chain) > 0
}

func (s *search) mayMove(i int) bool { return s.in.Now >= s.b.rest[s.m.parts[i].ID].moves }

// reorders tries every choice of head and tail for a part.
func (s *search) reorders(i int, best *action) {
	p := &s.m.parts[i]
	for head := range p.chain {
		for tail := range p.chain {
			if head == tail || head == 0 && tail == len(p.chain)-1 {
				continue
			}
			s.chain = arranged(s.chain[:0], p.chain, head, tail)
			cost, ok := s.rackCost(p, s.chain)
			if !ok {
				continue
			}
			s.shifts = s.m.shifts(s.shifts[:0], p, s.chain)
			value := s.m.gain(s.shifts) - s.b.cfg.ReorderCost - cost
			if value > best.value {
				*best = action{part: i, kind: Reorder, chain: slices.Clone(s.chain), value: value}
			}
		}
	}
}

// arranged appends to out the chain with the members at two places as head and tail, others as they
// were.
func arranged(out, chain []int, head, tail int) []int {
	out = append(out, chain[head])
	for at, h := range chain {
		if at != head && at != tail {
			out = append(out, h)
		}
	}
	return append(out, chain[tail])
}

// move tries to put a host in the place of another.
func (s *search) move(i, from, to int, best *action) {
	p := &s.m.parts[i]
	if slices.Contains(p.chain, to) || s.m.ratio(to) >= s.m.ratio(from) {
		return
	}
	at := slices.Index(p.chain, from)
	s.chain = append(s.chain[:0], p.chain...)
	s.chain[at] = to
	cost, ok := s.rackCost(p, s.chain)
	if !ok {
		return
	}
	load, _ := s.m.role(p, at, len(p.chain))
	s.shifts = append(s.shifts[:0], shift{from, -load}, shift{to, load})
	value := s.m.gain(s.shifts) - s.moveCost(p, from) - cost
	if value > best.value {
		*best = action{part: i, kind: Move, from: from, to: to, chain: slices.Clone(s.chain), value: value}
	}
}

// moveCost is the price of an epoch and of the part of a node's data that is copied.
func (s *search) moveCost(p *part, from int) float64 {
	h := &s.m.hosts[from]
	share := 1 / float64(max(h.replicas, 1))
	if p.Bytes > 0 && h.bytes > 0 {
		share = float64(p.Bytes) / float64(h.bytes)
	}
	return s.b.cfg.ReorderCost + s.b.cfg.MoveCost*share
}

// take imagines an action done and says why.
func (s *search) take(a action) Proposal {
	p := &s.m.parts[a.part]
	out := Proposal{
		Change: Change{Kind: a.kind, SubRange: p.ID, Chain: s.m.ids(a.chain)},
		Before: s.m.worst(), Gain: a.value,
	}
	watched := s.watched(p, a.chain)
	before := s.ratios(watched)
	if a.kind == Move {
		out.From, out.To = s.m.hosts[a.from].ID, s.m.hosts[a.to].ID
		s.m.hosts[a.to].joins++
	}
	s.m.rechain(a.part, a.chain)
	p.busy = true
	out.After = s.m.worst()
	out.Why = s.explain(out, p, watched, before)
	return out
}

// bestSplit looks for a part of an overloaded host, or of the busiest if some are underloaded, that
// is too large to be useful to anybody as a whole.
func (s *search) bestSplit() (Proposal, bool) {
	if s.ids <= 0 {
		return Proposal{}, false
	}
	var best candidate
	for h := range s.m.hosts {
		if s.help(h) == over || s.m.hosts[h].fit && s.m.ratio(h) > 1 && s.anyUnder() {
			for _, i := range s.m.hosts[h].held {
				s.split(i, h, &best)
			}
		}
	}
	if best.value <= 0 {
		return Proposal{}, false
	}
	return s.takeSplit(best), true
}

// candidate is a possible split.
type candidate struct {
	part  int
	cut   Cut
	value float64 // of the best action with a half, less the cost of both
}

func (s *search) anyUnder() bool {
	for h := range s.m.hosts {
		if s.help(h) == under {
			return true
		}
	}
	return false
}

// split judges a split by what could be done with the halves afterwards.
func (s *search) split(i, h int, best *candidate) {
	p := &s.m.parts[i]
	at := slices.Index(p.chain, h)
	load, _ := s.m.role(p, at, len(p.chain))
	if !s.free(i) || load < s.b.cfg.SplitShare*s.m.average {
		return
	}
	cut, err := FindCut(p.Interval, p.Samples)
	if err != nil {
		return
	}
	more := cut.Prefixes - len(p.Interval.Cover())
	if more > s.prefixes*9/10 {
		return
	}
	for _, share := range []float64{cut.Share, 1 - cut.Share} {
		value := s.worthOf(i, h, share) - s.b.cfg.SplitCost
		if value > best.value {
			*best = candidate{part: i, cut: cut, value: value}
		}
	}
}

// worthOf returns the value of the best action with a share of a part, on which a host has a place.
func (s *search) worthOf(i, h int, share float64) float64 {
	whole := s.m.parts[i]
	p := &s.m.parts[i]
	p.Reads, p.Writes, p.Bytes = share*p.Reads, share*p.Writes, uint64(share*float64(p.Bytes))
	var a action
	s.reorders(i, &a)
	for _, to := range s.targets {
		s.move(i, h, to, &a)
	}
	s.m.parts[i] = whole
	return a.value
}

// takeSplit imagines a split: both halves stay where they are and rest.
func (s *search) takeSplit(c candidate) Proposal {
	p := &s.m.parts[c.part]
	p.busy = true
	s.ids--
	s.prefixes -= c.cut.Prefixes - len(p.Interval.Cover())
	worst := s.m.worst()
	return Proposal{
		Change: Change{Kind: Split, SubRange: p.ID, Cut: c.cut.At},
		Before: worst, After: worst, Gain: c.value, Share: c.cut.Share,
		Why: s.explainSplit(p, c.cut),
	}
}

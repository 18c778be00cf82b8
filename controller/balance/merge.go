package balance

import (
	"cmp"
	"math"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// merges proposes to join cold neighbours, coldest first, while there are too many sub-ranges.
func (s *search) merges(most int) (out []Proposal) {
	target := s.in.Limits.SubRanges
	surplus := len(s.m.parts) - target
	if target <= 0 || len(s.m.parts) <= target*9/10 {
		s.b.merging = false
	}
	s.b.merging = s.b.merging || target > 0 && surplus > 0
	if !s.b.merging {
		return nil
	}
	for _, pair := range s.coldPairs() {
		if len(out) >= most || len(s.m.parts)-len(out) <= target*9/10 {
			break
		}
		if p, ok := s.join(pair.low, pair.high); ok {
			out = append(out, p)
		}
	}
	return out
}

// pair is two neighbours, by index.
type pair struct {
	low, high int
	load      float64 // of both, over all members, in averages
}

// coldPairs lists neighbours that nobody would miss as two, coldest first.
func (s *search) coldPairs() (out []pair) {
	type place struct {
		space kv.KeyspaceID
		first kv.IndexKey
	}
	starts := make(map[place]int, len(s.m.parts))
	for i := range s.m.parts {
		starts[place{s.m.parts[i].Keyspace, s.m.parts[i].Interval.First}] = i
	}
	for i := range s.m.parts {
		p := &s.m.parts[i]
		next, ok := p.Interval.Last.Next()
		if !ok {
			continue
		}
		if j, ok := starts[place{p.Keyspace, next}]; ok {
			q := &s.m.parts[j]
			load := (p.Reads + p.Writes + q.Reads + q.Writes) /
				max(s.m.average, math.SmallestNonzeroFloat64)
			if load <= s.b.cfg.MergeShare && len(p.chain) == len(q.chain) {
				out = append(out, pair{i, j, load})
			}
		}
	}
	slices.SortFunc(out, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.load, b.load), cmp.Compare(a.low, b.low))
	})
	return out
}

// join proposes the merge of two neighbours, or the next step towards it: the same order, then the
// same members.
func (s *search) join(low, high int) (Proposal, bool) {
	p, q := &s.m.parts[low], &s.m.parts[high]
	if !s.free(low) || !s.free(high) || s.m.flaws(p.chain) > s.m.flaws(q.chain) {
		return Proposal{}, false
	}
	worst := s.m.worst()
	out := Proposal{Before: worst, After: worst}
	missing := slices.DeleteFunc(slices.Clone(p.chain), func(h int) bool {
		return slices.Contains(q.chain, h)
	})
	switch {
	case slices.Equal(p.chain, q.chain):
		out.Change = Change{Kind: Merge, SubRange: p.ID, Other: q.ID}
	case len(missing) == 0:
		out.Change = Change{Kind: Reorder, SubRange: q.ID, Chain: s.m.ids(p.chain)}
	case len(missing) == 1 && s.mayMove(high) && s.welcomes(missing[0]):
		out.Change = s.approach(p, q, missing[0])
	default:
		return Proposal{}, false
	}
	p.busy, q.busy = true, true
	out.Why = s.explainMerge(out.Change, p, q)
	return out, true
}

// welcomes reports whether a host can take a replica that it is brought for a merge only.
func (s *search) welcomes(h int) bool {
	o := &s.m.hosts[h]
	return o.fit && o.joins < s.b.cfg.PerNode && o.ratio <= s.b.cfg.High
}

// approach gives q the one member of p that it lacks, in place of the one that p lacks.
func (s *search) approach(p, q *part, to int) Change {
	from := q.chain[slices.IndexFunc(q.chain, func(h int) bool {
		return !slices.Contains(p.chain, h)
	})]
	s.m.hosts[to].joins++
	return Change{
		Kind: Move, SubRange: q.ID, From: s.m.hosts[from].ID, To: s.m.hosts[to].ID,
		Chain: s.m.ids(p.chain),
	}
}

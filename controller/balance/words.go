package balance

import (
	"fmt"
	"slices"
	"strings"
)

// watched lists the hosts whose load an action changes.
func (s *search) watched(p *part, chain []int) (out []int) {
	for _, sh := range s.m.shifts(nil, p, chain) {
		if sh.host != none {
			out = append(out, sh.host)
		}
	}
	slices.Sort(out)
	return out
}

func (s *search) ratios(hosts []int) []float64 {
	out := make([]float64, len(hosts))
	for i, h := range hosts {
		out[i] = s.m.ratio(h)
	}
	return out
}

// explain says what an action is good for.
func (s *search) explain(out Proposal, p *part, hosts []int, before []float64) string {
	var effects []string
	for i, h := range hosts {
		effects = append(effects, fmt.Sprintf("%v %.2f -> %.2f", s.m.hosts[h].ID, before[i],
			s.m.ratio(h)))
	}
	what := fmt.Sprintf("chain of %v (%s) from %v to %v", p.ID, rates(p), list(p.SubRange.Chain),
		list(out.Chain))
	if out.Kind == Move {
		what = fmt.Sprintf("%v (%s, %s) from %v to %v", p.ID, rates(p), size(p.Bytes), out.From, out.To)
	}
	return fmt.Sprintf("%v %s: loads in averages of %.0f/s become %s", out.Kind, what, s.m.average,
		strings.Join(effects, ", "))
}

func (s *search) explainSplit(p *part, cut Cut) string {
	h := p.chain[0]
	for _, o := range p.chain {
		if s.m.ratio(o) > s.m.ratio(h) {
			h = o
		}
	}
	return fmt.Sprintf("split %v (%s) at %v, %.0f %% of its load above: %v carries %.2f averages of "+
		"%.0f/s and it is too large to be moved as a whole", p.ID, rates(p), cut.At, 100*cut.Share,
		s.m.hosts[h].ID, s.m.ratio(h), s.m.average)
}

func (s *search) explainMerge(c Change, p, q *part) string {
	what := fmt.Sprintf("there are %d sub-ranges, wanted at most %d; %v (%s) and %v (%s) are cold "+
		"neighbours", len(s.m.parts), s.in.Limits.SubRanges, p.ID, rates(p), q.ID, rates(q))
	switch c.Kind {
	case Reorder:
		return fmt.Sprintf("reorder %v to %v for a merge: %s", c.SubRange, list(c.Chain), what)
	case Move:
		return fmt.Sprintf("move %v (%s) from %v to %v for a merge: %s", c.SubRange, size(q.Bytes),
			c.From, c.To, what)
	}
	return fmt.Sprintf("merge %v into %v: %s", c.Other, c.SubRange, what)
}

func rates(p *part) string {
	return fmt.Sprintf("%.0f reads/s, %.0f writes/s", p.Reads, p.Writes)
}

func size(bytes uint64) string {
	if bytes == 0 {
		return "unknown size"
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}

func list[T fmt.Stringer](items []T) string {
	words := make([]string, len(items))
	for i, n := range items {
		words[i] = n.String()
	}
	return strings.Join(words, "-")
}

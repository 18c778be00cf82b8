package differ

import (
	"context"
	"math/rand/v2"
	"slices"
)

// tries bounds how often a case is played to make it smaller.
const tries = 60

// confirm plays the smallest case that may show a finding again, and makes it smaller still. It
// returns nil when the finding does not show again, or is open in P4.
func (z *Fuzzer) confirm(ctx context.Context, s *Subject, c *Case, f finding) (*Case, finding, error) {
	k := &shrinker{z: z, s: s, ctx: ctx, kind: f.kind}
	starts := []*Case{c}
	if f.kind != "write" && f.index >= 0 {
		starts = []*Case{{c.Updates, c.Frames[f.index : f.index+1]}, {c.Updates, c.Frames[:f.index+1]}, c}
	}
	for _, start := range starts {
		if k.shows(start) && k.shows(start) {
			small, found, err := k.reduce(start)
			if err == nil && f.kind != "write" && s.open(ctx, small) {
				z.Stats.Open++
				return nil, f, nil
			}
			return small, found, err
		}
	}
	z.Stats.Unsure++
	return nil, f, k.err
}

// openTries is the number of variants that are asked whether a difference is open in P4.
const openTries = 40

// open reports whether what a case shows depends on the fields of invalid headers.
func (s *Subject) open(ctx context.Context, c *Case) bool {
	r := rand.New(rand.NewPCG(3, 4))
	base, err := s.runVariant(ctx, c, variantOf(1, r, clean))
	if err != nil {
		return false
	}
	for i := range openTries {
		other, err := s.runVariant(ctx, c, variantOf(1, r, stale+i%2))
		if err != nil || !base.equal(other) {
			return true
		}
	}
	return false
}

func (o *outcome) equal(other *outcome) bool {
	return slices.EqualFunc(o.frames, other.frames, func(a, b []Frame) bool {
		return describe(a) == describe(b)
	}) && slices.Equal(o.heard, other.heard) && slices.Equal(o.state, other.state)
}

// shrinker takes away from a case what it does not need.
type shrinker struct {
	z    *Fuzzer
	s    *Subject
	ctx  context.Context
	kind string
	last finding // of the last case that showed one
	n    int
	err  error
}

// shows reports whether a case has a finding of the kind, when frames go one by one.
func (k *shrinker) shows(c *Case) bool {
	if k.err != nil || k.n > tries {
		return false
	}
	k.n++
	played := &Case{c.Updates, slices.Clone(c.Frames)}
	findings, err := k.z.play(k.ctx, k.s, played, 1)
	if err != nil {
		k.err = err
		return false
	}
	for _, f := range findings {
		if f.kind == k.kind {
			k.last = f
			return true
		}
	}
	return false
}

func (k *shrinker) reduce(c *Case) (*Case, finding, error) {
	last := k.last
	keep := func(smaller *Case) bool {
		if !k.shows(smaller) {
			return false
		}
		c, last = smaller, k.last
		return true
	}
	for size := len(c.Frames) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(c.Frames); {
			if !keep(&Case{c.Updates, without(c.Frames, i, size)}) {
				i += size
			}
		}
	}
	for size := (len(c.Updates) + 1) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(c.Updates); {
			if !keep(&Case{without(c.Updates, i, size), c.Frames}) {
				i += size
			}
		}
	}
	return c, last, k.err
}

func without[T any](all []T, i, n int) []T {
	return append(slices.Clone(all[:i]), all[i+n:]...)
}

package kv

import (
	"math/rand/v2"
	"testing"
)

// TestWithoutMatchesTwin compares Without, on a line of 24 index keys at its upper end, with the
// membership of every single one of them.
func TestWithoutMatchesTwin(t *testing.T) {
	const points = 24
	at := func(n int) IndexKey {
		k := MaxIndexKey
		k[IndexKeySize-1] -= byte(points - 1 - n)
		return k
	}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		draw := func() Interval {
			a, b := r.IntN(points), r.IntN(points)
			return Interval{at(min(a, b)), at(max(a, b))}
		}
		whole, others := draw(), make([]Interval, r.IntN(4))
		for i := range others {
			others[i] = draw()
		}
		left := whole.Without(others...)
		for n := range points {
			want, got := whole.Contains(at(n)), 0
			for _, o := range others {
				want = want && !o.Contains(at(n))
			}
			for _, l := range left {
				if l.Contains(at(n)) {
					got++
				}
			}
			if want && got != 1 || !want && got != 0 {
				t.Fatalf("seed %d: %v without %v is %v: wrong at %v", seed, whole, others, left, at(n))
			}
		}
		for i, o := range others {
			hull := whole.Hull(o)
			if !hull.Contains(o.First) || !hull.Contains(o.Last) || !hull.Contains(whole.First) ||
				!hull.Contains(whole.Last) || hull.First != whole.First && hull.First != o.First ||
				hull.Last != whole.Last && hull.Last != o.Last {
				t.Fatalf("seed %d: hull of %v and %v is %v", seed, whole, others[i], hull)
			}
			if whole.Overlaps(o) != (len(whole.Without(o)) != 1 || whole.Without(o)[0] != whole) {
				t.Fatalf("seed %d: %v overlaps %v: %v", seed, whole, o, whole.Overlaps(o))
			}
		}
	}
}

package kv

import "slices"

// Overlaps reports whether the intervals have an index key in common.
func (i Interval) Overlaps(o Interval) bool {
	return i.First.Compare(o.Last) <= 0 && o.First.Compare(i.Last) <= 0
}

// Without returns the parts of i that lie in none of the others, in ascending order.
func (i Interval) Without(others ...Interval) (left []Interval) {
	others = slices.Clone(others)
	slices.SortFunc(others, func(a, b Interval) int { return a.First.Compare(b.First) })
	for _, o := range others {
		if !o.Overlaps(i) {
			continue
		}
		if i.First.Less(o.First) {
			last, _ := o.First.Prev()
			left = append(left, Interval{i.First, last})
		}
		next, ok := o.Last.Next()
		if !ok || i.Last.Less(next) {
			return left
		}
		i.First = next
	}
	return append(left, i)
}

// Hull returns the smallest interval that holds both.
func (i Interval) Hull(o Interval) Interval {
	if o.First.Less(i.First) {
		i.First = o.First
	}
	if i.Last.Less(o.Last) {
		i.Last = o.Last
	}
	return i
}

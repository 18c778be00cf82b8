package balance

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// SamplesKept is how many index keys of served requests are remembered per sub-range: enough that
// the share of a half is known within a few hundredths, few enough for thousands of sub-ranges.
const SamplesKept = 64

// samplesNeeded is how many are needed to judge where the load of a sub-range lies.
const samplesNeeded = 16

// Samples remembers the latest index keys of served requests, as nodes report them.
type Samples struct {
	byID map[kv.SubRangeID][]kv.IndexKey
}

// NewSamples returns an empty memory.
func NewSamples() *Samples { return &Samples{byID: make(map[kv.SubRangeID][]kv.IndexKey)} }

// Add takes what one node has reported.
func (s *Samples) Add(id kv.SubRangeID, keys []kv.IndexKey) {
	if len(keys) == 0 {
		return
	}
	all := append(s.byID[id], keys...)
	s.byID[id] = slices.Clone(all[max(0, len(all)-SamplesKept):])
}

// Of returns the keys of a sub-range, latest last. The caller must not change them.
func (s *Samples) Of(id kv.SubRangeID) []kv.IndexKey { return s.byID[id] }

// Split gives the keys from the cut on to the new sub-range.
func (s *Samples) Split(from, to kv.SubRangeID, cut kv.IndexKey) {
	var low, high []kv.IndexKey
	for _, k := range s.byID[from] {
		if k.Less(cut) {
			low = append(low, k)
		} else {
			high = append(high, k)
		}
	}
	s.byID[from], s.byID[to] = low, high
}

// Drop forgets a sub-range.
func (s *Samples) Drop(id kv.SubRangeID) { delete(s.byID, id) }

// Keep forgets all sub-ranges but those that are there.
func (s *Samples) Keep(there func(kv.SubRangeID) bool) {
	for id := range s.byID {
		if !there(id) {
			delete(s.byID, id)
		}
	}
}

// Reasons not to split a sub-range.
var (
	// ErrFewSamples means that it is not known where the load lies.
	ErrFewSamples = errors.New("too few samples")
	// ErrOneKey means that one index key is the load, which no cut can divide.
	ErrOneKey = errors.New("one key is the load")
)

// Cut is a place to split a sub-range.
type Cut struct {
	At       kv.IndexKey // first key of the upper half
	Share    float64     // of the load, in the upper half, 0 to 1
	Prefixes int         // that both halves need together in a switch
}

// cutPrice is how much farther from the middle a cut may lie to save one prefix.
const cutPrice = 0.002

// FindCut chooses where to split an interval: near the median of the samples, at a key that costs
// few prefixes. The larger half has at most nine tenths of the load. Sub-ranges of which little is
// known can be cut in the Middle instead, if somebody insists.
func FindCut(i kv.Interval, samples []kv.IndexKey) (Cut, error) {
	keys := make([]kv.IndexKey, 0, len(samples))
	for _, k := range samples {
		if i.Contains(k) {
			keys = append(keys, k)
		}
	}
	if len(keys) < samplesNeeded {
		return Cut{}, fmt.Errorf("%w: %d of %v, want %d", ErrFewSamples, len(keys), i, samplesNeeded)
	}
	slices.SortFunc(keys, kv.IndexKey.Compare)
	best, score := Cut{}, math.Inf(1)
	for n := 1; n < len(keys); n++ {
		share := 1 - float64(n)/float64(len(keys))
		off := math.Abs(share - 0.5)
		if keys[n-1] == keys[n] || off > 0.4 || off >= score {
			continue
		}
		c := cutAt(i, roundest(keys[n-1], keys[n]))
		c.Share = share
		if s := off + cutPrice*float64(c.Prefixes); s < score {
			best, score = c, s
		}
	}
	if math.IsInf(score, 1) {
		return Cut{}, fmt.Errorf("%w: %v of %v", ErrOneKey, keys[len(keys)/2], i)
	}
	return best, nil
}

// Middle returns a cut of which nothing is known about the load: the cheapest in prefixes within the
// middle half of the interval. ok is false if the interval has only one key.
func Middle(i kv.Interval) (c Cut, ok bool) {
	if i.First == i.Last {
		return Cut{}, false
	}
	first, last := new(big.Int).SetBytes(i.First[:]), new(big.Int).SetBytes(i.Last[:])
	quarter := new(big.Int).Sub(last, first)
	quarter.Rsh(quarter, 2)
	var low, high kv.IndexKey
	first.Add(first, quarter).FillBytes(low[:])
	last.Sub(last, quarter).FillBytes(high[:])
	c = cutAt(i, roundest(low, high))
	c.Share = 0.5
	return c, true
}

func cutAt(i kv.Interval, at kv.IndexKey) Cut {
	below, _ := at.Prev()
	low, high := kv.Interval{First: i.First, Last: below}, kv.Interval{First: at, Last: i.Last}
	return Cut{At: at, Prefixes: len(low.Cover()) + len(high.Cover())}
}

// roundest returns the key in (low, high] with the most trailing zero bits: high without all bits
// below the first in which the two differ.
func roundest(low, high kv.IndexKey) kv.IndexKey {
	for n := range high {
		diff := low[n] ^ high[n]
		if diff == 0 {
			continue
		}
		high[n] &= 0xff << (bits.Len8(diff) - 1)
		clear(high[n+1:])
		return high
	}
	return high
}

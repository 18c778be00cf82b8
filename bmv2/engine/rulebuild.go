package engine

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// rebuild arranges the entries below a node anew.
func (n *ruleNode) rebuild(ed *edit) {
	*n = *newRules(ed, n.entries(make([]*Entry, 0, n.size)))
}

// newRules arranges entries; there must be one. It changes the order of all.
func newRules(ed *edit, all []*Entry) *ruleNode {
	n := &ruleNode{owner: ed, size: len(all)}
	ed.arranging(len(all))
	if len(all) > leafSize {
		n.built = len(all)
		if picked := pick(all); picked != nil {
			n.fork = newFork(ed, picked, all)
			n.best = n.fork.best()
			return n
		}
	}
	n.rules = sortedRules(all)
	n.best = n.rules[0].e.rank
	return n
}

func newFork(ed *edit, picked []maskWord, all []*Entry) *fork {
	type filed struct {
		hash uint64
		e    *Entry
	}
	f := &fork{picked: picked}
	var list []filed
	var rest []*Entry
	for _, e := range all {
		if f.covers(e) {
			list = append(list, filed{f.hashRule(e), e})
		} else {
			rest = append(rest, e)
		}
	}
	slices.SortFunc(list, func(a, b filed) int { return cmp.Compare(a.hash, b.hash) })
	f.buckets = newPaged[ruleNode](ed, 1)
	var group []*Entry
	for i, x := range list {
		group = append(group, x.e)
		if i+1 == len(list) || list[i+1].hash != x.hash {
			f.setBucket(ed, x.hash, newRules(ed, group))
			group = group[:0]
		}
	}
	if len(rest) > 0 {
		f.rest = newRules(ed, rest)
	}
	return f
}

// best returns the highest rank in a fork.
func (f *fork) best() (rank uint64) {
	for s := range f.buckets.all() {
		rank = max(rank, s.v.best)
	}
	if f.rest != nil {
		rank = max(rank, f.rest.best)
	}
	return rank
}

// sortedRules makes the list of a leaf, best first.
func sortedRules(all []*Entry) []rule {
	slices.SortFunc(all, func(a, b *Entry) int { return cmp.Compare(b.rank, a.rank) })
	out := make([]rule, len(all))
	for i, e := range all {
		out[i] = newRule(e)
	}
	return out
}

// newRule looks at the word with most conditions first.
func newRule(e *Entry) rule {
	at := 0
	for i, m := range e.masks {
		if bits.OnesCount64(m) > bits.OnesCount64(e.masks[at]) {
			at = i
		}
	}
	return rule{e.masks[at], e.values[at], e, 8 * at}
}

// picker chooses the bits of a fork from a sample of the entries below it.
type picker struct {
	masks, values [][]uint64 // of each entry in the sample
	group         []int      // the entries with equal picked bits have one; -1: not covered
	groups        int
	picked        []uint64  // by word
	score         float64   // of the picked bits
	weight        []float64 // of a group, by its size in the sample
	count         []int     // scratch: sizes of groups
	covered       int
}

// chunk is some neighbouring bits of a word, those that at least one entry of the sample cares for.
type chunk struct {
	word, shift int
	mask        uint64
}

// pick chooses the bits by which entries are filed, nil where none are worth it. What counts is
// how many entries care for all of the bits, times how many bits of information the values have on
// average. Bits are added as long as that rises, four at a time, one at a time where entries care
// for single bits. Of many entries a sample decides, so a choice costs little more than looking at
// each entry once.
//
// Two bounds keep bad sets of entries from costs beyond linear: at least an eighth of the entries
// is filed, so a chain of rests is logarithmic, and so do the values tell half a bit, so the depth
// of buckets is.
func pick(all []*Entry) []maskWord {
	for _, width := range []int{4, 1} {
		p := newPicker(all)
		chunks := p.chunks(width)
		for p.grow(&chunks) {
		}
		if 8*p.covered >= len(p.group) && p.score >= 0.5*float64(p.covered) && p.score > 0 {
			return p.maskWords()
		}
	}
	return nil
}

const (
	sampleMin  = 256
	samplePart = 16 // of larger sets, this part is looked at
)

func newPicker(all []*Entry) *picker {
	size := min(len(all), max(sampleMin, len(all)/samplePart))
	p := &picker{group: make([]int, size), groups: 1, covered: size,
		picked: make([]uint64, len(all[0].masks)), count: make([]int, 16*(size+1))}
	scale := float64(len(all)) / float64(size)
	for i := range size {
		e := all[i*len(all)/size]
		p.masks, p.values = append(p.masks, e.masks), append(p.values, e.values)
	}
	p.weight = make([]float64, size+1)
	for k := 1; k <= size; k++ {
		n := float64(k)
		// Leaves of less than half the size gain nothing by becoming smaller.
		p.weight[k] = n * math.Log2(max(n*scale, leafSize/2))
	}
	return p
}

func (p *picker) chunks(width int) (out []chunk) {
	for w := range p.picked {
		var any uint64
		for _, m := range p.masks {
			any |= m[w]
		}
		for shift := 0; shift < 64; shift += width {
			if m := any & ((1<<width - 1) << shift); m != 0 {
				out = append(out, chunk{w, shift, m})
			}
		}
	}
	return out
}

// grow picks one more chunk if that is an improvement. It forgets the chunks that cannot become
// one any more.
func (p *picker) grow(chunks *[]chunk) bool {
	best, at := p.score, -1
	kept := (*chunks)[:0]
	for _, c := range *chunks {
		score, covered, tells := p.try(c)
		if !tells || 8*covered < len(p.group) {
			continue
		}
		if kept = append(kept, c); score > best {
			best, at = score, len(kept)-1
		}
	}
	*chunks = kept
	if at < 0 {
		return false
	}
	p.take(kept[at])
	p.score = best
	return true
}

// try returns what the score would be with one more chunk, how many entries care for it, and
// whether it tells any two of them apart.
func (p *picker) try(c chunk) (score float64, covered int, tells bool) {
	var touched [64]int
	list := touched[:0]
	for i, g := range p.group {
		if g < 0 || p.masks[i][c.word]&c.mask != c.mask {
			continue
		}
		covered++
		k := 16*g + int(p.values[i][c.word]&c.mask>>c.shift)
		if p.count[k] == 0 {
			list = append(list, k)
		}
		p.count[k]++
	}
	score = p.weight[covered]
	seen := -1
	for _, k := range list {
		score -= p.weight[p.count[k]]
		p.count[k] = 0
		if seen >= 0 && k%16 != seen {
			tells = true
		}
		seen = k % 16
	}
	return score, covered, tells
}

// take adds a chunk to the picked bits.
func (p *picker) take(c chunk) {
	p.picked[c.word] |= c.mask
	names := map[int]int{}
	p.covered = 0
	for i, g := range p.group {
		if g < 0 {
			continue
		}
		p.group[i] = -1
		if p.masks[i][c.word]&c.mask != c.mask {
			continue
		}
		p.covered++
		k := 16*g + int(p.values[i][c.word]&c.mask>>c.shift)
		if _, known := names[k]; !known {
			names[k] = len(names)
		}
		p.group[i] = names[k]
	}
	p.groups = len(names)
}

func (p *picker) maskWords() (out []maskWord) {
	for w, m := range p.picked {
		if m != 0 {
			out = append(out, maskWord{8 * w, m})
		}
	}
	return out
}

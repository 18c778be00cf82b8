package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

// slowRule is an entry as the control plane describes it; its twin is a list of them that is searched
// from end to end.
type slowRule struct {
	spec EntrySpec
	e    *Entry
}

// meets judges a key by the conditions themselves.
func (x *slowRule) meets(s *tableSpec, key []byte) bool {
	for i, p := range s.parts {
		v, m := key[p.off:p.off+p.size], x.spec.Match[i]
		switch p.kind {
		case bmv2.MatchRange:
			if bytes.Compare(v, m.Value) < 0 || bytes.Compare(v, m.High) > 0 {
				return false
			}
			continue
		case bmv2.MatchExact:
			m.Mask = bytes.Repeat([]byte{0xff}, p.size)
		case bmv2.MatchLPM:
			m.Mask = make([]byte, p.size)
			prefixMask(m.Mask, p.width, m.PrefixLen)
		}
		for k := range v {
			static := byte(0xff)
			if s.static != nil {
				static = s.static[p.off+k]
			}
			if (v[k]^m.Value[k])&m.Mask[k]&static != 0 {
				return false
			}
		}
	}
	return true
}

func best(s *tableSpec, list []*slowRule, key []byte) (found *Entry) {
	var top *slowRule
	for _, x := range list {
		if !x.meets(s, key) {
			continue
		}
		if top == nil || x.spec.Priority > top.spec.Priority ||
			x.spec.Priority == top.spec.Priority && x.spec.Order < top.spec.Order {
			top, found = x, x.e
		}
	}
	return found
}

// ruleTwin is a table and its slow twin.
type ruleTwin struct {
	r     *rand.Rand
	spec  *tableSpec
	table *Table
	list  []*slowRule
	next  uint32
	style int
}

// The styles in which conditions are drawn.
const (
	styleMixed    = iota
	styleBits     // any bits of a mask
	styleSame     // the same bits in all masks
	styleMiddle   // ranges around the middle
	stylePriority // few conditions, many priorities
	styles
)

func newRuleTwin(r *rand.Rand, style int) *ruleTwin {
	s := &tableSpec{form: formTernary, lpm: -1}
	kinds := []bmv2.MatchKind{bmv2.MatchExact, bmv2.MatchLPM, bmv2.MatchTernary, bmv2.MatchRange}
	for range 1 + r.IntN(4) {
		width := []int{1, 4, 8, 9, 16, 32, 48, 80, 128}[r.IntN(9)]
		s.parts = append(s.parts, keyPart{kind: kinds[r.IntN(4)], width: width,
			size: (width + 7) / 8})
	}
	s.place()
	if r.IntN(4) == 0 {
		s.static = make([]byte, s.keyBytes)
		for i := range s.static {
			s.static[i] = byte(r.Uint32()) | 0xf0
		}
	}
	return &ruleTwin{r: r, spec: s, style: style, table: &Table{spec: s}}
}

// value draws from few numbers, so that conditions overlap.
func (w *ruleTwin) value(p keyPart) []byte {
	v := randomKey(w.r, p.size)
	v[0] &= 0xff >> (8*p.size - p.width)
	return v
}

func (w *ruleTwin) match(p keyPart) Match {
	v, mask, high := w.value(p), w.value(p), w.value(p)
	m := Match{PrefixLen: w.r.IntN(p.width + 1)}
	switch {
	case p.kind == bmv2.MatchRange && w.style == styleMiddle:
		v[0], high[0] = v[0]/2, high[0]|1<<((p.width-1)%8)
	case w.style == styleSame:
		fill(mask, p.width)
		m.PrefixLen = p.width
	case w.style == stylePriority:
		clear(mask)
		m.PrefixLen = 0
	case w.style == styleBits:
		for i := range mask {
			mask[i] &= byte(w.r.Uint32())
		}
	}
	switch p.kind {
	case bmv2.MatchRange:
		if bytes.Compare(v, high) > 0 {
			v, high = high, v
		}
		m.High = high
	case bmv2.MatchTernary:
		m.Mask = mask
		for i := range v {
			v[i] &= mask[i]
		}
	case bmv2.MatchLPM:
		mask = make([]byte, p.size)
		prefixMask(mask, p.width, m.PrefixLen)
		for i := range v {
			v[i] &= mask[i]
		}
	}
	m.Value = v
	return m
}

func (w *ruleTwin) entry(s EntrySpec) *Entry {
	e := new(Entry)
	w.spec.setKey(e, s)
	return e
}

// told reports whether a trace tells of an entry what the control plane wrote.
func (w *ruleTwin) told(x *slowRule) error {
	m := &Machine{byName: map[string]*tableSpec{"": w.spec}}
	for i, got := range m.Match(&bmv2.Table{}, x.e) {
		p, want := w.spec.parts[i], x.spec.Match[i]
		if p.kind == bmv2.MatchRange &&
			!(bytes.Equal(got.Value, want.Value) && bytes.Equal(got.High, want.High)) {
			return fmt.Errorf("range of %x to %x: told %x to %x", want.Value, want.High, got.Value,
				got.High)
		}
	}
	return nil
}

// batch makes n changes.
func (w *ruleTwin) batch(n int) {
	ed := w.table.Edit()
	for range n {
		i := 0
		if len(w.list) > 0 {
			i = w.r.IntN(len(w.list))
		}
		switch k := w.r.IntN(6); {
		case k == 0 && len(w.list) > 0: // other parameters
			x := *w.list[i]
			x.e = w.entry(x.spec)
			ed.With(x.e)
			w.list[i] = &x
		case k < 3 && len(w.list) > 0:
			ed.Without(w.list[i].e)
			w.list = slices.Delete(w.list, i, i+1)
		default:
			w.next++
			x := &slowRule{spec: EntrySpec{Priority: int32(1 + w.r.IntN(5)), Order: w.next}}
			for _, p := range w.spec.parts {
				x.spec.Match = append(x.spec.Match, w.match(p))
			}
			x.e = w.entry(x.spec)
			ed.With(x.e)
			w.list = append(w.list, x)
		}
	}
	w.table = ed.Done()
}

// check compares a table with a list by keys near what the list wants.
func (w *ruleTwin) check(table *Table, list []*slowRule) error {
	if got := table.rules.count(); got != len(list) {
		return fmt.Errorf("%d entries, want %d", got, len(list))
	}
	for _, x := range list {
		if err := w.told(x); err != nil {
			return err
		}
	}
	for range 20 {
		key := make([]byte, align(w.spec.keyBytes, 8)+8)
		for i, p := range w.spec.parts {
			copy(key[p.off:], w.value(p))
			if len(list) > 0 && w.r.IntN(3) > 0 {
				copy(key[p.off:], list[w.r.IntN(len(list))].spec.Match[i].Value)
			}
		}
		for i, m := range w.spec.static {
			key[i] &= m
		}
		if got, want := table.rules.find(key, nil), best(w.spec, list, key); got != want {
			return fmt.Errorf("%d entries, key %x: got %+v, want %+v", len(list), key, got, want)
		}
	}
	return nil
}

func TestClassifierAgreesWithList(t *testing.T) {
	for seed := range uint64(90) {
		w := newRuleTwin(rand.New(rand.NewPCG(seed, 5)), int(seed)%styles)
		largest := []int{4, 40, 200}[seed%3]
		for range 30 {
			before, list := w.table, slices.Clone(w.list)
			w.batch(1 + w.r.IntN(largest))
			if err := w.check(w.table, w.list); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if err := w.check(before, list); err != nil {
				t.Fatalf("seed %d: an old snapshot has changed: %v", seed, err)
			}
		}
		for _, x := range w.list {
			w.table = w.table.Without(x.e)
		}
		if w.table.rules != nil {
			t.Fatalf("seed %d: the classifier of no entries is not empty", seed)
		}
	}
}

// FuzzClassifier draws batches from the seed and their sizes and style from the input.
func FuzzClassifier(f *testing.F) {
	f.Add(uint64(1), byte(0), []byte{1, 2, 3})
	f.Add(uint64(2), byte(1), []byte{200, 100, 255})
	f.Add(uint64(3), byte(3), []byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, seed uint64, style byte, batches []byte) {
		w := newRuleTwin(rand.New(rand.NewPCG(seed, 6)), int(style)%styles)
		for _, n := range batches[:min(len(batches), 20)] {
			before, list := w.table, slices.Clone(w.list)
			w.batch(int(n))
			if err := w.check(w.table, w.list); err != nil {
				t.Fatal(err)
			}
			if err := w.check(before, list); err != nil {
				t.Fatalf("an old snapshot has changed: %v", err)
			}
		}
	})
}

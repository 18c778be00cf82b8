package lpm

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

// lookup does what a table does, the slow way.
func lookup(table []Row, key kv.IndexKey) (t Target, ok bool) {
	best := -1
	for _, r := range table {
		if r.Prefix.Len > best && r.Prefix.Interval().Contains(key) {
			t, best = r.Target, r.Prefix.Len
		}
	}
	return t, best >= 0
}

// right reports whether a table treats a key as the pieces say.
func right(table []Row, pieces []Piece, key kv.IndexKey) bool {
	got, ok := lookup(table, key)
	for _, p := range pieces {
		if p.Interval.Contains(key) {
			return len(p.Targets) == 0 || ok && slices.Contains(p.Targets, got)
		}
	}
	return !ok
}

// cell returns block number i of the 2^depth blocks of that depth.
func cell(depth, i int) kv.Prefix {
	p := kv.Prefix{Len: depth}
	for bit := range depth {
		if i>>(depth-1-bit)&1 == 1 {
			p.Key[bit/8] |= 0x80 >> (bit % 8)
		}
	}
	return p
}

// randomPieces gives each block of a small line some of three targets, anything, or nothing.
func randomPieces(r *rand.Rand, depth int) (out []Piece) {
	special := r.IntN(3) // the share of blocks that are not simply one target
	for i := range 1 << depth {
		p := Piece{Interval: cell(depth, i).Interval()}
		switch n := r.IntN(12); {
		case n == 0 && special > 1:
			continue
		case n == 1 && special > 0:
		case n == 2 && special > 0:
			p.Targets = []Target{1, 3}
		default:
			p.Targets = []Target{Target(1 + r.IntN(3))}
		}
		out = append(out, p)
	}
	return out
}

// smallest returns the size of the smallest right table, found by trying all with ever more rows.
func smallest(pieces []Piece, depth, most int) int {
	var prefixes []kv.Prefix
	for d := range depth + 1 {
		for i := range 1 << d {
			prefixes = append(prefixes, cell(d, i))
		}
	}
	var try func(table []Row, from, left int) bool
	try = func(table []Row, from, left int) bool {
		if left == 0 {
			for i := range 1 << depth {
				if !right(table, pieces, cell(depth, i).Key) {
					return false
				}
			}
			return true
		}
		for at := from; at < len(prefixes); at++ {
			for t := Target(1); t <= 3; t++ {
				if try(append(table, Row{prefixes[at], t}), at+1, left-1) {
					return true
				}
			}
		}
		return false
	}
	for n := range most {
		if try(nil, 0, n) {
			return n
		}
	}
	return most
}

func TestNoTableIsSmaller(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 150 {
		depth := 1 + r.IntN(3)
		pieces := randomPieces(r, depth)
		table := Table(pieces)
		for i := range 1 << depth {
			if !right(table, pieces, cell(depth, i).Key) {
				t.Fatalf("block %d: %v for %v", i, table, pieces)
			}
		}
		if len(table) > 4 {
			continue // too many to try
		}
		if best := smallest(pieces, depth, len(table)); best < len(table) {
			t.Fatalf("line %d: %d rows, %d would do: %v for %v", n, len(table), best, table, pieces)
		}
	}
}

func randomKey(r *rand.Rand) (k kv.IndexKey) {
	for i := range k {
		k[i] = byte(r.Uint32())
	}
	return k
}

// randomLine cuts the line at random keys, which have a random number of bits each.
func randomLine(r *rand.Rand, pieces, targets int) (out []Piece) {
	at := kv.MinIndexKey
	var cuts []kv.IndexKey
	for range pieces - 1 {
		cuts = append(cuts, kv.Prefix{Key: randomKey(r), Len: 1 + r.IntN(128)}.Interval().First)
	}
	slices.SortFunc(cuts, kv.IndexKey.Compare)
	for _, cut := range append(slices.Compact(cuts), kv.MaxIndexKey) {
		last := cut
		if cut != kv.MaxIndexKey {
			last, _ = cut.Prev()
		}
		if cut == kv.MinIndexKey || last.Less(at) {
			continue
		}
		p := Piece{Interval: kv.Interval{First: at, Last: last}}
		switch n := r.IntN(10); n {
		case 0:
			at = cut
			continue // a gap
		case 1:
		default:
			p.Targets = []Target{Target(r.IntN(targets))}
		}
		out, at = append(out, p), cut
	}
	return out
}

func TestEveryKeyFindsItsTargetInATableThatIsNotLargerThanTheCover(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		pieces := randomLine(r, 1+r.IntN(40), 1+r.IntN(4))
		table := Table(pieces)
		var keys []kv.IndexKey
		cover := 0
		for _, p := range pieces {
			keys = append(keys, p.Interval.First, p.Interval.Last)
			if next, ok := p.Interval.Last.Next(); ok {
				keys = append(keys, next)
			}
			if len(p.Targets) > 0 {
				cover += len(p.Interval.Cover())
			}
		}
		for range 20 {
			keys = append(keys, randomKey(r))
		}
		for _, key := range keys {
			if !right(table, pieces, key) {
				t.Fatalf("%v: %v for %v", key, table, pieces)
			}
		}
		if len(table) > cover {
			t.Fatalf("%d rows, the cover has %d", len(table), cover)
		}
	}
}

// TestASmallerPieceIsAnException: one row around it, one for it.
func TestASmallerPieceIsAnException(t *testing.T) {
	line := func(targets ...Target) (out []Piece) {
		for i, x := range targets {
			out = append(out, Piece{cell(3, i).Interval(), []Target{x}})
		}
		return out
	}
	want := []Row{{kv.Prefix{}, 1}, {cell(3, 5), 2}}
	if got := Table(line(1, 1, 1, 1, 1, 2, 1, 1)); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Table(nil); len(got) != 0 {
		t.Errorf("an empty line: %v", got)
	}
	free := []Piece{{kv.FullInterval, nil}}
	if got := Table(free); len(got) != 0 {
		t.Errorf("a line that is free: %v", got)
	}
}

func BenchmarkTable(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 3))
	pieces := randomLine(r, 16384, 8)
	for b.Loop() {
		Table(pieces)
	}
}

// Package lpm makes the smallest longest-prefix-match table that sends every key where it belongs:
// ORTC, the Optimal Routing Table Constructor (Draves, King, Venkatachary, Zill, "Constructing Optimal
// IP Routing Tables", INFOCOM 1999), for index keys of 128 bits.
//
// Three passes over the binary tree of prefixes. The first cuts the line until each leaf lies in one
// piece. The second goes from the leaves to the root and keeps for each block the targets with which
// its table becomes smallest: what both halves have in common, or else what either of them has. The
// third goes back and writes an entry wherever the block does not want what it inherits.
//
// Two things are added to the paper. A piece may have several targets, any of which will do, or none,
// and then whatever an entry around it says is right. A key outside all pieces must match no entry at
// all: the paper writes an entry without next hop for it, a table of P4Runtime has no such thing, so
// that no block around such a key has an entry.
package lpm

import (
	"cmp"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// Target says where keys go. What the numbers mean is up to the caller.
type Target int

// Piece is a part of the line.
type Piece struct {
	Interval kv.Interval
	// Targets are those that will do, in ascending order; any will, and no entry as well, if there
	// are none.
	Targets []Target
}

// Row is one entry: the longest prefix of a key gives its target.
type Row struct {
	Prefix kv.Prefix
	Target Target
}

// Table returns the smallest table for pieces that do not overlap, in ascending order. It is
// deterministic; where several targets do equally well, it prefers the lowest.
func Table(pieces []Piece) []Row {
	root := build(kv.Prefix{}, join(pieces))
	return root.rows(kv.Prefix{}, nil, nil)
}

// join makes one piece of neighbours with the same targets.
func join(pieces []Piece) (out []Piece) {
	for _, p := range pieces {
		if n := len(out); n > 0 && slices.Equal(out[n-1].Targets, p.Targets) {
			if next, ok := out[n-1].Interval.Last.Next(); ok && next == p.Interval.First {
				out[n-1].Interval.Last = p.Interval.Last
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// block is a node of the tree of prefixes.
type block struct {
	wants       wants
	targets     []Target // with any of these the block needs fewest entries; for some
	left, right *block   // nil for a leaf
}

// wants is what an entry around a block may say.
type wants uint8

const (
	nothing  wants = iota // there must be none
	anything              // whatever
	some                  // one of the block's targets, or the block needs one entry more
)

// build cuts the line until each block lies in one piece, or in none. Pieces are those that overlap it.
func build(p kv.Prefix, pieces []Piece) *block {
	span := p.Interval()
	switch {
	case len(pieces) == 0:
		return &block{wants: nothing}
	case pieces[0].Interval.First.Compare(span.First) <= 0 &&
		span.Last.Compare(pieces[0].Interval.Last) <= 0:
		if len(pieces[0].Targets) == 0 {
			return &block{wants: anything}
		}
		return &block{wants: some, targets: pieces[0].Targets}
	}
	left, right := halves(p)
	b := &block{left: build(left, overlap(pieces, left)), right: build(right, overlap(pieces, right))}
	b.wants, b.targets = combine(b.left, b.right)
	return b
}

// halves returns the two blocks that a block consists of.
func halves(p kv.Prefix) (left, right kv.Prefix) {
	left = kv.Prefix{Key: p.Key, Len: p.Len + 1}
	right = left
	right.Key[p.Len/8] |= 0x80 >> (p.Len % 8)
	return left, right
}

// overlap returns the pieces that have keys of a block.
func overlap(pieces []Piece, p kv.Prefix) []Piece {
	span := p.Interval()
	first, _ := slices.BinarySearchFunc(pieces, span.First, func(x Piece, k kv.IndexKey) int {
		return x.Interval.Last.Compare(k)
	})
	end, found := slices.BinarySearchFunc(pieces, span.Last, func(x Piece, k kv.IndexKey) int {
		return x.Interval.First.Compare(k)
	})
	if found {
		end++
	}
	return pieces[first:max(first, end)]
}

// combine is the second pass at one block.
func combine(a, b *block) (wants, []Target) {
	switch {
	case a.wants == nothing || b.wants == nothing:
		return nothing, nil
	case a.wants == anything:
		return b.wants, b.targets
	case b.wants == anything || slices.Equal(a.targets, b.targets):
		return a.wants, a.targets
	}
	if both := intersection(a.targets, b.targets); len(both) > 0 {
		return some, both
	}
	either := slices.Concat(a.targets, b.targets)
	slices.SortFunc(either, cmp.Compare[Target])
	return some, either
}

func intersection(a, b []Target) (out []Target) {
	for _, t := range a {
		if _, ok := slices.BinarySearch(b, t); ok {
			out = append(out, t)
		}
	}
	return out
}

// rows is the third pass: it appends the entries of a block, which inherits a target, or none.
func (b *block) rows(p kv.Prefix, inherited *Target, out []Row) []Row {
	if b.wants == some {
		if inherited == nil || !slices.Contains(b.targets, *inherited) {
			inherited = &b.targets[0]
			out = append(out, Row{p, *inherited})
		}
	}
	if b.left == nil || b.wants == anything {
		return out
	}
	left, right := halves(p)
	return b.right.rows(right, inherited, b.left.rows(left, inherited, out))
}

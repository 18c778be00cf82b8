package engine

import (
	"cmp"
	"math/bits"
	"slices"
)

// ruleNode is a node of an immutable classifier: the entries of a ternary or range table, of which
// the best one that matches a key is wanted.
//
// A leaf is a short list, best entry first. Where there are more, the node is a fork: it picks some
// bits of the key. Entries that care for all of these bits are filed by the values they want there,
// in a hash table whose buckets are nodes again; all others are below rest, a node that picks other
// bits. A search follows one bucket and the rest, the more promising one first, and leaves out what
// cannot hold a better entry than the one it has. So this is tuple space search (Srinivasan, Suri,
// Varghese, SIGCOMM 1999) with coarse tuples as in TupleMerge (Daly and others, ToN 2019), nested
// instead of limited, see [pick] for the choice of the bits.
//
// Each entry is in exactly one leaf, whatever it looks like, so memory is linear in the number of
// entries. No bound below linear is known for the search that holds for all entries without giving
// that up: entries of which no bits tell them apart (many ranges around one value, say) end in one
// long leaf, which is scanned.
type ruleNode struct {
	owner *edit
	best  uint64 // no entry below has a higher rank
	size  int    // entries below
	built int    // what size was when the bits were picked, or were not found
	rules []rule // of a leaf
	fork  *fork  // nil: a leaf
}

// rule is an entry in a leaf with the word of the key that probably decides.
type rule struct {
	mask, value uint64
	e           *Entry
	off         int // bytes
}

// fork is the inside of a node that is no leaf.
type fork struct {
	picked  []maskWord
	buckets *paged[ruleNode] // by the hash of the picked bits
	rest    *ruleNode        // the entries that do not care for all picked bits
}

// maskWord selects bits of 8 bytes of a key.
type maskWord struct {
	off  int // bytes
	mask uint64
}

const (
	// leafSize is the length from which a list is split: below, hashing costs more than scanning.
	leafSize = 8
	// regrown is by what factor a node grows until its bits are picked anew, shrunken by what factor it
	// shrinks.
	regrown, shrunken = 4, 8
)

// hash mixes the picked bits of a key.
func (f *fork) hash(key []byte) uint64 {
	h := uint64(len(f.picked))
	for i := range f.picked {
		p := &f.picked[i]
		h = mix(h, be.Uint64(key[p.off:])&p.mask)
	}
	return h
}

// hashRule does the same for the values that an entry wants.
func (f *fork) hashRule(e *Entry) uint64 {
	h := uint64(len(f.picked))
	for i := range f.picked {
		p := &f.picked[i]
		h = mix(h, e.values[p.off/8]&p.mask)
	}
	return h
}

// covers reports whether an entry cares for all picked bits.
func (f *fork) covers(e *Entry) bool {
	for i := range f.picked {
		if p := &f.picked[i]; p.mask&^e.masks[p.off/8] != 0 {
			return false
		}
	}
	return true
}

func mix(h, w uint64) uint64 {
	hi, lo := bits.Mul64(h^w^ruleSeed, 0x9e3779b97f4a7c15)
	return hi ^ lo
}

// find returns the best entry for a key, or found if that is better. The key has 8 more bytes than
// it needs, of any value.
func (n *ruleNode) find(key []byte, found *Entry) *Entry {
	for n != nil && (found == nil || n.best > found.rank) {
		if n.fork == nil {
			return n.scan(key, found)
		}
		rest, bucket := n.fork.rest, n.fork.bucket(n.fork.hash(key))
		switch {
		case bucket == nil:
		case rest == nil:
			n = bucket
			continue
		case rest.best > bucket.best:
			found, rest = rest.find(key, found), bucket
		default:
			found = bucket.find(key, found)
		}
		n = rest
	}
	return found
}

// bucket returns what is filed under a hash. Two values of the picked bits with the same hash share
// a bucket: leaves compare everything.
func (f *fork) bucket(hash uint64) *ruleNode {
	x := f.buckets
	for i, mask := x.first(hash); ; i = (i + 1) & mask {
		s := x.at(i)
		if s.v != nil {
			if s.word == hash {
				return s.v
			}
		} else if s.word != removedWord {
			return nil
		}
	}
}

func (n *ruleNode) scan(key []byte, found *Entry) *Entry {
	for i := range n.rules {
		r := &n.rules[i]
		if be.Uint64(key[r.off:])&r.mask != r.value || !r.e.matches(key) {
			continue
		}
		if found == nil || r.e.rank > found.rank {
			return r.e
		}
		break
	}
	return found
}

// matches reports whether a key meets all conditions of an entry.
func (e *Entry) matches(key []byte) bool {
	for i, m := range e.masks {
		if be.Uint64(key[8*i:])&m != e.values[i] {
			return false
		}
	}
	for i := range e.ranges {
		if !e.ranges[i].holds(key) {
			return false
		}
	}
	return true
}

// with returns a classifier in which e replaced the entry with the same match and priority or was
// added.
func (n *ruleNode) with(ed *edit, e *Entry) *ruleNode {
	n = n.edited(ed)
	n.best = max(n.best, e.rank)
	if f := n.fork; f != nil {
		before := 0
		if !f.covers(e) {
			before = f.rest.count()
			f.rest = f.rest.with(ed, e)
			n.size += f.rest.count() - before
		} else {
			hash := f.hashRule(e)
			bucket := f.bucket(hash)
			before = bucket.count()
			bucket = bucket.with(ed, e)
			n.size += bucket.count() - before
			f.setBucket(ed, hash, bucket)
		}
	} else {
		n.insert(e)
	}
	if n.size > leafSize && n.size >= regrown*n.built {
		n.rebuild(ed)
	}
	return n
}

// without returns a classifier that lacks the entry with the match and priority of e, nil when
// nothing is left.
func (n *ruleNode) without(ed *edit, e *Entry) *ruleNode {
	if n == nil {
		return nil
	}
	n = n.edited(ed)
	f := n.fork
	switch {
	case f == nil:
		n.remove(e)
	case !f.covers(e):
		before := f.rest.count()
		f.rest = f.rest.without(ed, e)
		n.size -= before - f.rest.count()
	default:
		hash := f.hashRule(e)
		before := f.bucket(hash)
		if before == nil {
			return n
		}
		had := before.count()
		after := before.without(ed, e)
		n.size -= had - after.count()
		f.setBucket(ed, hash, after)
	}
	switch {
	case n.size == 0:
		return nil
	case f != nil && n.size <= leafSize/2:
		n.rules, n.fork, n.built = sortedRules(n.entries(nil)), nil, 0
		n.best = n.rules[0].e.rank
	case f != nil && n.size*shrunken < n.built:
		n.rebuild(ed)
	}
	return n
}

func (n *ruleNode) count() int {
	if n == nil {
		return 0
	}
	return n.size
}

// edited returns a node that ed may change: n itself, a copy, or a new leaf.
func (n *ruleNode) edited(ed *edit) *ruleNode {
	switch {
	case n == nil:
		return &ruleNode{owner: ed}
	case n.owner == ed:
		return n
	}
	c := *n
	c.owner = ed
	c.rules = slices.Clone(n.rules)
	if n.fork != nil {
		f := *n.fork
		c.fork = &f
	}
	return &c
}

// theOnly is for tables with one value for each word.
func theOnly(*ruleNode) bool { return true }

// setBucket files a node under a hash; nil removes what was there.
func (f *fork) setBucket(ed *edit, hash uint64, n *ruleNode) {
	if n == nil {
		f.buckets = f.buckets.without(ed, hash, theOnly)
	} else if f.bucket(hash) != n {
		f.buckets = f.buckets.with(ed, hash, n, theOnly)
	}
}

// insert puts an entry into the list of a leaf.
func (n *ruleNode) insert(e *Entry) {
	at, found := n.position(e)
	if found {
		n.rules[at].e = e
	} else {
		n.rules = slices.Insert(n.rules, at, newRule(e))
		n.size++
	}
	n.best = n.rules[0].e.rank
}

// remove takes the entry with the match and priority of e from the list of a leaf.
func (n *ruleNode) remove(e *Entry) {
	at, found := n.position(e)
	if !found {
		return
	}
	n.rules = slices.Delete(n.rules, at, at+1)
	if n.size--; n.size > 0 {
		n.best = n.rules[0].e.rank
	}
}

// position finds an entry of the rank of e in the list of a leaf, or where it belongs.
func (n *ruleNode) position(e *Entry) (at int, found bool) {
	return slices.BinarySearchFunc(n.rules, e.rank, func(r rule, rank uint64) int {
		return cmp.Compare(rank, r.e.rank)
	})
}

// entries appends the entries below a node.
func (n *ruleNode) entries(out []*Entry) []*Entry {
	if n == nil {
		return out
	}
	for i := range n.rules {
		out = append(out, n.rules[i].e)
	}
	if n.fork != nil {
		for s := range n.fork.buckets.all() {
			out = s.v.entries(out)
		}
		out = n.fork.rest.entries(out)
	}
	return out
}

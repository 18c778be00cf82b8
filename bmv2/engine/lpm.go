package engine

import (
	"cmp"
	"math/bits"
	"slices"
)

// lpmNode is a node of an immutable trie over the bytes of a key. A node looks at one byte: runs
// of byte values with the same outcome share one element, found by counting bits. skip holds
// bytes that all keys below the node have in common, so that a long exact part or a cluster of
// similar prefixes costs one comparison.
//
// A prefix of n bits is stored in the node that looks at its last byte, byte (n-1)/8; there it
// covers a range of byte values. An update copies the path from the root; an [Editor] copies each
// node once, and the runs of what it copied are computed when it is done.
//
// A prefix makes at most two nodes, so the trie is linear in what it holds.
type lpmNode struct {
	skip   string
	starts byteSet   // where a run of byte values begins
	before [4]uint16 // runs that begin in the words before
	runs   []lpmRun
	local  []lpmPrefix // the prefixes that end in this node, shortest first
	open   *openNode   // while the node is being changed, else nil; then it has no runs
}

// lpmRun is what a run of byte values leads to.
type lpmRun struct {
	best  *Entry // longest prefix of this node that covers the run, or nil
	child *lpmNode
}

// lpmPrefix covers the byte values that agree with value in the first bits bits. 0 bits stands
// for the empty prefix.
type lpmPrefix struct {
	value byte
	bits  uint8
	e     *Entry
}

func (p lpmPrefix) compare(o lpmPrefix) int {
	return cmp.Or(cmp.Compare(p.bits, o.bits), cmp.Compare(p.value, o.value))
}

// openNode holds the children of a node that an editor changes, by byte value.
type openNode struct {
	owner    *edit
	children []lpmChild
}

type lpmChild struct {
	value byte
	node  *lpmNode
}

// find returns the entry with the longest prefix of key, or nil.
func (n *lpmNode) find(key []byte) *Entry {
	var best *Entry
	for n != nil {
		if len(n.skip) > 0 {
			if string(key[:len(n.skip)]) != n.skip {
				break
			}
			key = key[len(n.skip):]
		}
		b := key[0]
		w := b >> 6
		upTo := n.starts[w] & (2<<(b&63) - 1)
		r := &n.runs[int(n.before[w])+bits.OnesCount64(upTo)-1]
		if r.best != nil {
			best = r.best
		}
		n, key = r.child, key[1:]
	}
	return best
}

// newNode returns an open node without prefixes and children.
func newNode(ed *edit, skip string) *lpmNode {
	n := &lpmNode{skip: skip, open: &openNode{owner: ed}}
	ed.opened = append(ed.opened, n)
	return n
}

// edited returns a node that ed may change: n itself or a copy.
func (n *lpmNode) edited(ed *edit) *lpmNode {
	if n.open != nil && n.open.owner == ed {
		return n
	}
	c := newNode(ed, n.skip)
	c.local = slices.Clone(n.local)
	count := 0
	for i := range n.runs {
		if n.runs[i].child != nil {
			count++
		}
	}
	c.open.children = make([]lpmChild, 0, count+1)
	at := 0
	for b := range n.starts.all() {
		// A child belongs to a single value, so its run has length one.
		if child := n.runs[at].child; child != nil {
			c.open.children = append(c.open.children, lpmChild{byte(b), child})
		}
		at++
	}
	return c
}

// close computes the runs of an open node.
func (n *lpmNode) close() {
	if n.open == nil {
		return
	}
	var best [256]*Entry
	for _, p := range n.local { // longer ones come later
		for b := int(p.value); b < int(p.value)+1<<(8-p.bits); b++ {
			best[b] = p.e
		}
	}
	children := n.open.children
	borders := n.borders(children)
	n.open, n.runs = nil, make([]lpmRun, 0, borders.len())
	for b := range borders.all() {
		r := lpmRun{best: best[b]}
		if len(children) > 0 && int(children[0].value) == b {
			r.child, children = children[0].node, children[1:]
		}
		if b == 0 || r != n.runs[len(n.runs)-1] {
			n.starts.set(b)
			n.runs = append(n.runs, r)
		}
	}
	for w := 1; w < 4; w++ {
		n.before[w] = n.before[w-1] + uint16(bits.OnesCount64(n.starts[w-1]))
	}
}

// borders returns the byte values where the outcome may be another than at the one before.
func (n *lpmNode) borders(children []lpmChild) (out byteSet) {
	out.set(0)
	for _, p := range n.local {
		out.set(int(p.value))
		out.set(int(p.value) + 1<<(8-p.bits))
	}
	for _, c := range children {
		out.set(int(c.value))
		out.set(int(c.value) + 1)
	}
	return out
}

// byteSet is a set of byte values.
type byteSet [4]uint64

// set adds a value; 256 is left out.
func (s *byteSet) set(b int) {
	if b < 256 {
		s[b/64] |= 1 << (b % 64)
	}
}

func (s *byteSet) len() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// all goes through the values in ascending order.
func (s byteSet) all() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for w, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(64*w + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// child returns where the child of a byte value is, or would be, in an open node.
func (n *lpmNode) child(value byte) (at int, found bool) {
	return slices.BinarySearchFunc(n.open.children, value,
		func(c lpmChild, v byte) int { return cmp.Compare(c.value, v) })
}

// setChild sets or, with nil, removes a child of an open node.
func (n *lpmNode) setChild(value byte, child *lpmNode) {
	at, found := n.child(value)
	switch {
	case child == nil && found:
		n.open.children = slices.Delete(n.open.children, at, at+1)
	case child == nil:
	case found:
		n.open.children[at].node = child
	default:
		n.open.children = slices.Insert(n.open.children, at, lpmChild{value, child})
	}
}

// setPrefix sets or, without an entry, removes a prefix of an open node.
func (n *lpmNode) setPrefix(p lpmPrefix) {
	at, found := slices.BinarySearchFunc(n.local, p, lpmPrefix.compare)
	switch {
	case p.e == nil && found:
		n.local = slices.Delete(n.local, at, at+1)
	case p.e == nil:
	case found:
		n.local[at] = p
	default:
		n.local = slices.Insert(n.local, at, p)
	}
}

// lpmEnd returns the byte in which a prefix ends and how many of its bits count.
func lpmEnd(prefixBits int) (at int, n uint8) {
	if prefixBits == 0 {
		return 0, 0
	}
	at = (prefixBits - 1) / 8
	return at, uint8(prefixBits - 8*at)
}

// with returns a trie in which e replaced the entry of the same prefix or was added. key starts
// at this node; its bits after the prefix are zero.
func (n *lpmNode) with(ed *edit, key []byte, prefixBits int, e *Entry) *lpmNode {
	end, last := lpmEnd(prefixBits)
	if n == nil {
		n = newNode(ed, string(key[:end]))
	}
	if c := common(n.skip, key[:end]); c < len(n.skip) {
		n = n.split(ed, c)
	}
	n = n.edited(ed)
	at := len(n.skip)
	if end == at {
		n.setPrefix(lpmPrefix{key[end], last, e})
		return n
	}
	b := key[at]
	var below *lpmNode
	if i, found := n.child(b); found {
		below = n.open.children[i].node
	}
	n.setChild(b, below.with(ed, key[at+1:], prefixBits-8*(at+1), e))
	return n
}

// without returns a trie that lacks the prefix, nil when nothing is left.
func (n *lpmNode) without(ed *edit, key []byte, prefixBits int) *lpmNode {
	end, last := lpmEnd(prefixBits)
	if n == nil || common(n.skip, key[:end]) < len(n.skip) {
		return n
	}
	n = n.edited(ed)
	at := len(n.skip)
	if end == at {
		n.setPrefix(lpmPrefix{key[end], last, nil})
	} else if i, found := n.child(key[at]); found {
		below := n.open.children[i].node
		n.setChild(key[at], below.without(ed, key[at+1:], prefixBits-8*(at+1)))
	}
	return n.shrunk()
}

// shrunk removes an open node that decides nothing.
func (n *lpmNode) shrunk() *lpmNode {
	if len(n.local) > 0 || len(n.open.children) > 1 {
		return n
	}
	if len(n.open.children) == 0 {
		return nil
	}
	only := n.open.children[0]
	skip := n.skip + string([]byte{only.value}) + only.node.skip
	if only.node.open != nil { // this editor's
		only.node.skip = skip
		return only.node
	}
	merged := *only.node
	merged.skip = skip
	return &merged
}

// split puts an open node that looks at skip[at] above n.
func (n *lpmNode) split(ed *edit, at int) *lpmNode {
	upper := newNode(ed, n.skip[:at])
	lower := n
	if n.open == nil {
		c := *n
		lower = &c
	}
	value := n.skip[at]
	lower.skip = n.skip[at+1:]
	upper.setChild(value, lower)
	return upper
}

func common(a string, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

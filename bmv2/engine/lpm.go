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
// node once. Where it only changes what a run leads to, it does so in place. Else it opens the node:
// it has children instead of runs until the editor is done.
//
// A prefix makes at most two nodes, so the trie is linear in what it holds.
type lpmNode struct {
	skip   string
	starts byteSet   // where a run of byte values begins
	before [4]uint16 // runs that begin in the words before
	runs   []lpmRun
	local  []lpmPrefix // the prefixes that end in this node, shortest first

	owner    *edit
	ownLocal bool // the owner has copied local, too
	open     bool
	children []lpmChild // of an open node, by byte value
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
		r := &n.runs[n.run(key[0])]
		if r.best != nil {
			best = r.best
		}
		n, key = r.child, key[1:]
	}
	return best
}

// run returns which run a byte value is in.
func (n *lpmNode) run(b byte) int {
	w := b >> 6
	upTo := n.starts[w] & (2<<(b&63) - 1)
	return int(n.before[w]) + bits.OnesCount64(upTo) - 1
}

// newNode returns an open node without prefixes and children.
func newNode(ed *edit, skip string) *lpmNode {
	n := &lpmNode{skip: skip, owner: ed, ownLocal: true, open: true}
	ed.opened = append(ed.opened, n)
	return n
}

// edited returns a node that ed may change: n itself or a copy.
func (n *lpmNode) edited(ed *edit) *lpmNode {
	if n.owner == ed {
		return n
	}
	c := *n
	c.runs, c.owner, c.ownLocal = slices.Clone(n.runs), ed, false
	return &c
}

// opened makes a node of ed an open one.
func (n *lpmNode) opened(ed *edit) {
	if n.open {
		return
	}
	n.ownLocals()
	count := 0
	for i := range n.runs {
		if n.runs[i].child != nil {
			count++
		}
	}
	n.children = make([]lpmChild, 0, count+1)
	at := 0
	for b := range n.starts.all() {
		// A child belongs to a single value, so its run has length one.
		if child := n.runs[at].child; child != nil {
			n.children = append(n.children, lpmChild{byte(b), child})
		}
		at++
	}
	n.open, n.runs, n.starts, n.before = true, nil, byteSet{}, [4]uint16{}
	ed.opened = append(ed.opened, n)
}

func (n *lpmNode) ownLocals() {
	if !n.ownLocal {
		n.local, n.ownLocal = slices.Clone(n.local), true
	}
}

// close computes the runs of an open node.
func (n *lpmNode) close() {
	if !n.open {
		return
	}
	var best [256]*Entry
	for _, p := range n.local { // longer ones come later
		for b := int(p.value); b < int(p.value)+1<<(8-p.bits); b++ {
			best[b] = p.e
		}
	}
	children := n.children
	borders := n.borders(children)
	n.open, n.children, n.runs = false, nil, make([]lpmRun, 0, borders.len())
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

// child returns the child of a byte value, or nil.
func (n *lpmNode) child(value byte) *lpmNode {
	if !n.open {
		return n.runs[n.run(value)].child
	}
	if at, found := n.findChild(value); found {
		return n.children[at].node
	}
	return nil
}

// findChild returns where the child of a byte value is, or would be, in an open node.
func (n *lpmNode) findChild(value byte) (at int, found bool) {
	return slices.BinarySearchFunc(n.children, value,
		func(c lpmChild, v byte) int { return cmp.Compare(c.value, v) })
}

// setChild sets or, with nil, removes a child of a node of ed.
func (n *lpmNode) setChild(ed *edit, value byte, child *lpmNode) {
	if !n.open {
		r := &n.runs[n.run(value)]
		if r.child != nil && child != nil || r.child == child {
			r.child = child
			return
		}
		n.opened(ed)
	}
	at, found := n.findChild(value)
	switch {
	case child == nil && found:
		n.children = slices.Delete(n.children, at, at+1)
	case child == nil:
	case found:
		n.children[at].node = child
	default:
		n.children = slices.Insert(n.children, at, lpmChild{value, child})
	}
}

// setPrefix sets or, without an entry, removes a prefix of a node of ed.
func (n *lpmNode) setPrefix(ed *edit, p lpmPrefix) {
	at, found := slices.BinarySearchFunc(n.local, p, lpmPrefix.compare)
	if found && p.e != nil && !n.open {
		n.swap(at, p)
		return
	}
	n.opened(ed)
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

// swap puts another entry in the place of a prefix of a node that is not open.
func (n *lpmNode) swap(at int, p lpmPrefix) {
	n.ownLocals()
	old := n.local[at].e
	n.local[at] = p
	for i := n.run(p.value); i < len(n.runs); i++ {
		if n.runs[i].best == old {
			n.runs[i].best = p.e
		}
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
		n.setPrefix(ed, lpmPrefix{key[end], last, e})
		return n
	}
	b := key[at]
	n.setChild(ed, b, n.child(b).with(ed, key[at+1:], prefixBits-8*(at+1), e))
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
		n.setPrefix(ed, lpmPrefix{key[end], last, nil})
	} else {
		b := key[at]
		n.setChild(ed, b, n.child(b).without(ed, key[at+1:], prefixBits-8*(at+1)))
	}
	return n.shrunk(ed)
}

// shrunk removes a node that decides nothing.
func (n *lpmNode) shrunk(ed *edit) *lpmNode {
	if !n.open || len(n.local) > 0 || len(n.children) > 1 {
		return n
	}
	if len(n.children) == 0 {
		return nil
	}
	only := n.children[0]
	return only.node.skipping(ed, n.skip+string([]byte{only.value})+only.node.skip)
}

// skipping returns the node with another skip.
func (n *lpmNode) skipping(ed *edit, skip string) *lpmNode {
	if n.owner != ed {
		c := *n
		n = &c
	}
	n.skip = skip
	return n
}

// split puts an open node that looks at skip[at] above n.
func (n *lpmNode) split(ed *edit, at int) *lpmNode {
	upper, value := newNode(ed, n.skip[:at]), n.skip[at]
	upper.setChild(ed, value, n.skipping(ed, n.skip[at+1:]))
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

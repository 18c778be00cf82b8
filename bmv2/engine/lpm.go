package engine

import "math/bits"

// lpmNode is a node of an immutable trie over the bytes of a key. A node looks at one byte: runs
// of byte values with the same outcome share one element, found by counting bits. skip holds
// bytes that all keys below the node have in common, so that a long exact part or a cluster of
// similar prefixes costs one comparison.
//
// A prefix of n bits is stored in the node that looks at its last byte, byte (n-1)/8; there it
// covers a range of byte values. Updates copy the path from the root.
type lpmNode struct {
	skip   string
	starts [4]uint64 // bit b is set where a run of byte values begins
	before [4]uint16 // runs that begin in the words before
	runs   []lpmRun
	local  []lpmPrefix // the prefixes that end in this node
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
	bits  int
	e     *Entry
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

// build computes the runs of a node from its prefixes and children.
func build(skip string, local []lpmPrefix, children *[256]*lpmNode) *lpmNode {
	n := &lpmNode{skip: skip, local: local}
	var best [256]*Entry
	var length [256]int
	for _, p := range local {
		for b := int(p.value); b < int(p.value)+1<<(8-p.bits); b++ {
			if best[b] == nil || p.bits > length[b] {
				best[b], length[b] = p.e, p.bits
			}
		}
	}
	for b := range 256 {
		r := lpmRun{best[b], children[b]}
		if b == 0 || r != n.runs[len(n.runs)-1] {
			n.starts[b/64] |= 1 << (b % 64)
			n.runs = append(n.runs, r)
		}
	}
	for w := 1; w < 4; w++ {
		n.before[w] = n.before[w-1] + uint16(bits.OnesCount64(n.starts[w-1]))
	}
	return n
}

// children returns the children of a node by byte value.
func (n *lpmNode) children() (out [256]*lpmNode, count int) {
	i := -1
	for b := range 256 {
		if n.starts[b/64]>>(b%64)&1 == 1 {
			i++
		}
		// A child belongs to a single value, so its run has length one.
		if out[b] = n.runs[i].child; out[b] != nil {
			count++
		}
	}
	return out, count
}

// lpmEnd returns the byte in which a prefix ends and how many of its bits count.
func lpmEnd(prefixBits int) (at, n int) {
	if prefixBits == 0 {
		return 0, 0
	}
	at = (prefixBits - 1) / 8
	return at, prefixBits - 8*at
}

// with returns a trie in which e replaced the entry of the same prefix or was added. key starts
// at this node; its bits after the prefix are zero.
func (n *lpmNode) with(key []byte, prefixBits int, e *Entry) *lpmNode {
	end, last := lpmEnd(prefixBits)
	if n == nil {
		p := lpmPrefix{key[end], last, e}
		return build(string(key[:end]), []lpmPrefix{p}, new([256]*lpmNode))
	}
	if c := common(n.skip, key[:end]); c < len(n.skip) {
		return n.split(c).with(key, prefixBits, e)
	}
	at := len(n.skip)
	children, _ := n.children()
	if end == at {
		local := replace(n.local, lpmPrefix{key[end], last, e})
		return build(n.skip, local, &children)
	}
	b := key[at]
	children[b] = children[b].with(key[at+1:], prefixBits-8*(at+1), e)
	return build(n.skip, n.local, &children)
}

// without returns a trie that lacks the prefix, nil when nothing is left.
func (n *lpmNode) without(key []byte, prefixBits int) *lpmNode {
	end, last := lpmEnd(prefixBits)
	if n == nil || common(n.skip, key[:end]) < len(n.skip) {
		return n
	}
	at := len(n.skip)
	children, _ := n.children()
	local := n.local
	if end == at {
		local = replace(n.local, lpmPrefix{key[end], last, nil})
	} else {
		b := key[at]
		children[b] = children[b].without(key[at+1:], prefixBits-8*(at+1))
	}
	return build(n.skip, local, &children).shrunk()
}

// shrunk removes a node that decides nothing.
func (n *lpmNode) shrunk() *lpmNode {
	children, count := n.children()
	if len(n.local) > 0 || count > 1 {
		return n
	}
	for b, c := range children {
		if c != nil {
			merged := *c
			merged.skip = n.skip + string([]byte{byte(b)}) + c.skip
			return &merged
		}
	}
	return nil
}

// split puts a node that looks at skip[at] above n.
func (n *lpmNode) split(at int) *lpmNode {
	lower := *n
	lower.skip = n.skip[at+1:]
	var children [256]*lpmNode
	children[n.skip[at]] = &lower
	return build(n.skip[:at], nil, &children)
}

// replace returns local with p instead of the same prefix; a nil entry removes it.
func replace(local []lpmPrefix, p lpmPrefix) []lpmPrefix {
	out := make([]lpmPrefix, 0, len(local)+1)
	for _, o := range local {
		if o.value != p.value || o.bits != p.bits {
			out = append(out, o)
		}
	}
	if p.e != nil {
		out = append(out, p)
	}
	return out
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

package engine

import (
	"cmp"
	"maps"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// Programs keep what they have decided in small metadata fields and ask for it again and again
// ("if (path == SERVICE)"). Threading follows what is known about such fields along each way
// through a control and leaves out the tests whose outcome is known: the graph is copied once for
// each combination of known values with which a node is reached.

const (
	maxTracked  = 8       // fields that are followed
	maxThreaded = 1 << 14 // nodes; beyond, the graph stays as it is
	unknown     = -1
)

// facts are the known values of the tracked fields, or unknown.
type facts [maxTracked]int16

// threader copies a control.
type threader struct {
	tracked []int // arena offsets of one-byte boxes
	full    []uint64
	copies  map[threadKey]*node
	tooBig  bool
}

type threadKey struct {
	n *node
	f facts
}

func (c *compiler) thread(init *node) *node {
	t := c.newThreader(init)
	f := facts{}
	for i := range f {
		f[i] = unknown
	}
	if threaded := t.follow(init, f); !t.tooBig {
		return threaded
	}
	return init
}

// newThreader picks the one-byte metadata fields that are tested most.
func (c *compiler) newThreader(init *node) *threader {
	t := &threader{copies: map[threadKey]*node{}}
	width := c.layout.smallBoxes()
	count := map[int]int{}
	seen := map[*node]bool{}
	var walk func(*node)
	walk = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		if w := width[n.test.off]; n.kind == nodeTest && n.test.size == 1 && w > 0 {
			count[n.test.off]++
		}
		for _, s := range n.successors() {
			walk(s)
		}
	}
	walk(init)
	t.tracked = slices.SortedFunc(maps.Keys(count), func(a, b int) int {
		return cmp.Or(count[b]-count[a], a-b)
	})
	t.tracked = t.tracked[:min(len(t.tracked), maxTracked)]
	for _, off := range t.tracked {
		t.full = append(t.full, mask(width[off]))
	}
	return t
}

func (n *node) successors() []*node {
	return append(append([]*node{n.yes, n.no}, n.hit...), n.miss...)
}

// smallBoxes returns the widths of the metadata fields that have a byte for themselves.
func (l *layout) smallBoxes() map[int]int {
	out := map[int]int{}
	for _, h := range l.headers {
		for _, p := range h.fields {
			if p.box == 1 {
				out[p.bit/8] = p.width
			}
		}
	}
	return out
}

// follow returns the copy of n for what is known, and of everything after it.
func (t *threader) follow(n *node, f facts) *node {
	for n != nil {
		next, decided := t.decide(n, f)
		if !decided {
			break
		}
		n = next
	}
	if n == nil || t.tooBig {
		return nil
	}
	key := threadKey{n, f}
	if c := t.copies[key]; c != nil {
		return c
	}
	if len(t.copies) >= maxThreaded {
		t.tooBig = true
		return nil
	}
	c := new(node)
	*c = *n
	t.copies[key] = c
	t.successors(c, n, f)
	return c
}

// successors copies what follows n, with what is known after it.
func (t *threader) successors(c, n *node, f facts) {
	switch n.kind {
	case nodeTest:
		c.yes, c.no = t.follow(n.yes, t.afterTest(n, f)), t.follow(n.no, f)
	case nodeCond:
		c.yes, c.no = t.follow(n.yes, f), t.follow(n.no, f)
	case nodeBody:
		c.yes = t.follow(n.yes, t.afterBody(n.body, f))
	case nodeAction:
		c.yes = t.follow(n.yes, t.afterAction(n.entry.act, f))
	case nodeTable, nodeIndirect:
		t.afterTable(c, n, f)
	}
}

// afterTable copies what follows a table. A hit has its direct meter, if there is one, write a colour.
func (t *threader) afterTable(c, n *node, f facts) {
	onHit := f
	if n.table.direct.meters {
		color := n.table.direct.color
		onHit = t.forget(f, color.bit/8, (color.bit%8+color.width+7)/8)
	}
	c.no, c.yes = t.follow(n.no, f), t.follow(n.yes, onHit)
	c.hit, c.miss = slices.Clone(n.hit), slices.Clone(n.miss)
	for i, a := range n.table.acts {
		c.hit[i] = t.follow(n.hit[i], t.afterAction(a, onHit))
		c.miss[i] = t.follow(n.miss[i], t.afterAction(a, f))
	}
}

// decide returns the successor of a test whose outcome is known.
func (t *threader) decide(n *node, f facts) (next *node, decided bool) {
	if n.kind != nodeTest || n.test.size != 1 {
		return nil, false
	}
	i := slices.Index(t.tracked, n.test.off)
	if i < 0 || f[i] == unknown {
		return nil, false
	}
	if uint64(f[i])&n.test.mask-n.test.low <= n.test.span {
		return n.yes, true
	}
	return n.no, true
}

// afterTest adds what a test shows when it holds: the value, if it compares all bits.
func (t *threader) afterTest(n *node, f facts) facts {
	i := slices.Index(t.tracked, n.test.off)
	if i >= 0 && n.test.size == 1 && n.test.span == 0 && n.test.mask == t.full[i] {
		f[i] = int16(n.test.low)
	}
	return f
}

func (t *threader) afterAction(a *action, f facts) facts {
	if a.steps != nil {
		return t.forget(f, 0, 1<<62)
	}
	return t.afterBody(a.body, f)
}

// afterBody applies the stores of a body: constants are known, everything else is not.
func (t *threader) afterBody(body []instr, f facts) facts {
	for i := range body {
		switch s := &body[i]; {
		case s.kind == instrFill:
			for k, off := range t.tracked {
				if off >= s.dst && off < s.dst+len(s.image) {
					f[k] = int16(s.image[off-s.dst])
				}
			}
		case s.kind == instrCall:
			for _, w := range s.writes {
				f = t.forget(f, w.off, w.n)
			}
		default:
			f = t.forget(f, s.dst, s.n)
		}
	}
	return f
}

func (t *threader) forget(f facts, off, n int) facts {
	for k, o := range t.tracked {
		if o >= off && o < off+n {
			f[k] = unknown
		}
	}
	return f
}

// writes lists the parts of the arena that a primitive may store to. It relies on what [Arch]
// promises.
func (c *compiler) writes(p *bmv2.Primitive) []segment {
	args := p.Args
	switch p.Op {
	case "assign", "assign_VL":
		args = args[:1]
	case "exit":
		return nil
	}
	if len(args) == 0 {
		return []segment{{0, c.layout.size}}
	}
	var out []segment
	for _, a := range args {
		switch a := a.(type) {
		case *bmv2.FieldExpr:
			p := c.layout.place(a.Ref)
			out = append(out, segment{p.bit / 8, (p.bit%8 + p.width + 7) / 8})
		case *bmv2.HeaderExpr:
			h := c.layout.headers[a.Header]
			out = append(out, segment{h.base, h.size}, segment{h.valid, 1})
		}
	}
	return out
}

package engine

import "github.com/turbokv/turbokv/bmv2"

// slack lets every load and store touch 8 bytes from the first byte of a field.
const slack = 16

// place is where a field lives in the arena. A field of metadata fills the low bits of a box of
// 1, 2, 4, 8 or more bytes whose other bits are always zero; box 0 means wire form.
type place struct {
	bit   int // first bit, counted from the start of the arena
	width int // bits
	box   int // bytes, or 0
}

// bytes returns the whole bytes that a place covers exactly, if it does.
func (p place) bytes() (off, n int, ok bool) {
	if p.box > 0 {
		return (p.bit+p.width)/8 - p.box, p.box, true
	}
	if p.bit%8 == 0 && p.width%8 == 0 {
		return p.bit / 8, p.width / 8, true
	}
	return 0, 0, false
}

// low returns the place of the least significant 64 bits of a wide field.
func (p place) low() place {
	if p.width <= 64 {
		return p
	}
	return place{bit: p.bit + p.width - 64, width: 64}
}

// header is where a header instance lives.
type header struct {
	base   int // byte offset of the first field
	size   int // bytes on the wire, at most; metadata: bytes in the arena
	valid  int // byte offset of the validity byte
	fields []place
	meta   bool
	vari   *variable // nil: all fields have fixed widths
	rivals []int     // validity bytes of the other members of the union, from the own one
}

// stack is where a header stack lives: its elements are neighbours, in headers and in validity
// bytes.
type stack struct {
	first *header
	count int
	next  int // byte offset of the index of the next element to extract
}

// layout assigns arena offsets:
//
//	validity bytes | stack counters | lengths | metadata and its lengths | headers | slack
//
// The order lets one clear reset everything, and another one only the metadata. The elements of a
// stack are neighbours everywhere, and those of the columns of a stack of unions too.
type layout struct {
	headers            map[*bmv2.Header]*header
	stacks             map[*bmv2.HeaderStack]*stack
	unions             map[*bmv2.UnionStack]*unionStack
	metaStart, metaEnd int
	size               int
	gaps               []bool // see isGap
}

func newLayout(p *bmv2.Program) *layout {
	l := &layout{headers: map[*bmv2.Header]*header{}, stacks: map[*bmv2.HeaderStack]*stack{},
		unions: map[*bmv2.UnionStack]*unionStack{}}
	order := placementOrder(p)
	off := 0
	for _, h := range order {
		l.headers[h] = &header{valid: off, meta: h.Metadata}
		off++
	}
	l.setRivals(p)
	off = align(off, 4)
	for _, s := range p.Stacks {
		l.stacks[s] = &stack{first: l.headers[s.Headers[0]], count: len(s.Headers), next: off}
		off += 4
	}
	for _, s := range p.UnionStacks {
		off = l.placeUnionStack(s, off)
	}
	for _, h := range order {
		if !h.Metadata {
			off = l.headers[h].placeLength(h.Type, off)
		}
	}
	off = align(off, 8)
	l.metaStart = off
	for _, h := range order {
		if h.Metadata {
			off = l.headers[h].placeLength(h.Type, off)
			off = l.headers[h].placeMetadata(h.Type, off)
		}
	}
	l.metaEnd = align(off, 8)
	off = l.metaEnd
	for _, h := range order {
		if !h.Metadata {
			off = l.headers[h].placeWire(h.Type, off)
		}
	}
	l.size = off + slack
	return l
}

// placementOrder lists single headers first, then the elements of each stack and of each column of
// a stack of unions in order.
func placementOrder(p *bmv2.Program) []*bmv2.Header {
	var order []*bmv2.Header
	for _, h := range p.Headers {
		if h.Stack == nil && (h.Union == nil || h.Union.Stack == nil) {
			order = append(order, h)
		}
	}
	for _, s := range p.Stacks {
		order = append(order, s.Headers...)
	}
	for _, s := range p.UnionStacks {
		for _, column := range s.Columns {
			order = append(order, column.Headers...)
		}
	}
	return order
}

func align(n, to int) int { return (n + to - 1) / to * to }

func (h *header) placeMetadata(t *bmv2.HeaderType, off int) int {
	h.base = off
	for _, f := range t.Fields {
		box := boxSize(f.Width)
		off = align(off, min(box, 8))
		off += box
		h.fields = append(h.fields, place{bit: 8*off - f.Width, width: f.Width, box: box})
	}
	h.size = off - h.base
	h.setVariable(t)
	return off
}

func boxSize(width int) int {
	for _, n := range []int{1, 2, 4, 8} {
		if width <= 8*n {
			return n
		}
	}
	return align((width+7)/8, 8)
}

func (h *header) placeWire(t *bmv2.HeaderType, off int) int {
	h.base, h.size = off, t.Bits/8
	for _, f := range t.Fields {
		h.fields = append(h.fields, place{bit: 8*off + f.Offset, width: f.Width})
	}
	h.setVariable(t)
	return off + h.size
}

// place returns where a field reference points.
func (l *layout) place(r bmv2.FieldRef) place {
	h := l.headers[r.Header]
	if r.Index == bmv2.ValidField {
		return place{bit: 8*h.valid + 7, width: 1, box: 1}
	}
	return h.fields[r.Index]
}

package engine

import (
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// instr is one step of the body of an action or a parse state. Moves between fields, by far the
// most frequent ones, are data that a loop interprets; everything else is a closure.
type instr struct {
	kind     instrKind
	dst, src int // bytes in the arena; instrParam*: src is the word of the parameter
	n        int // bytes
	mask     uint64
	image    []byte // instrFill
	call     op
}

type instrKind uint8

const (
	instrCall   instrKind = iota
	instrFill             // image to dst
	instrCopy             // n bytes from src to dst
	instrCopy16           // the same for 16 bytes
	instrParam1           // a parameter under a mask, to 1, 2, 4 or 8 bytes
	instrParam2
	instrParam4
	instrParam8
	instrParam16 // two words
)

// execute runs a body. It stops early only when a parser fails.
func execute(body []instr, st *State) {
	a := st.arena
	for i := range body {
		switch s := &body[i]; s.kind {
		case instrCall:
			if s.call(st); st.fail != 0 {
				return
			}
		case instrFill:
			copy(a[s.dst:], s.image)
		case instrCopy:
			copy(a[s.dst:s.dst+s.n], a[s.src:s.src+s.n])
		case instrCopy16:
			hi, lo := be.Uint64(a[s.src:]), be.Uint64(a[s.src+8:])
			be.PutUint64(a[s.dst:], hi)
			be.PutUint64(a[s.dst+8:], lo)
		case instrParam1:
			a[s.dst] = byte(st.args[s.src] & s.mask)
		case instrParam2:
			be.PutUint16(a[s.dst:], uint16(st.args[s.src]&s.mask))
		case instrParam4:
			be.PutUint32(a[s.dst:], uint32(st.args[s.src]&s.mask))
		case instrParam8:
			be.PutUint64(a[s.dst:], st.args[s.src]&s.mask)
		case instrParam16:
			be.PutUint64(a[s.dst:], st.args[s.src+1])
			be.PutUint64(a[s.dst+8:], st.args[s.src])
		}
	}
}

// move compiles an assignment to data, if it is a plain move between whole bytes.
func (c *compiler) move(dst, src bmv2.Expr) (instr, bool) {
	f, ok := dst.(*bmv2.FieldExpr)
	if !ok {
		return instr{}, false
	}
	p := c.layout.place(f.Ref)
	off, n, ok := p.bytes()
	if !ok {
		return instr{}, false
	}
	switch src := src.(type) {
	case *bmv2.ConstExpr:
		return instr{kind: instrFill, dst: off, n: n, image: constImage(src, p, n)}, true
	case *bmv2.FieldExpr:
		return copyInstr(p, c.layout.place(src.Ref))
	case *bmv2.ParamExpr:
		return paramInstr(p, off, n, c.paramWord(src.Index), src.Width)
	}
	return instr{}, false
}

func constImage(k *bmv2.ConstExpr, p place, n int) []byte {
	limbs := constLimbs(k.Value, (n+7)/8)
	keepBits(limbs, p.width, false)
	image := make([]byte, n)
	for i := range image {
		at := n - 1 - i
		image[i] = byte(limbs[at/8] >> (8 * (at % 8)))
	}
	return image
}

// copyInstr copies between fields of the same width; in boxes of different sizes only the bytes
// of the value move.
func copyInstr(dst, src place) (instr, bool) {
	d, n, ok := dst.bytes()
	s, k, ok2 := src.bytes()
	if !ok || !ok2 || dst.width != src.width || n != k && dst.width%8 != 0 {
		return instr{}, false
	}
	size := n
	if n != k {
		size = dst.width / 8
	}
	i := instr{kind: instrCopy, dst: d + n - size, src: s + k - size, n: size}
	if size == 16 {
		i.kind = instrCopy16
	}
	return i, true
}

func paramInstr(p place, off, n, word, width int) (instr, bool) {
	i := instr{dst: off, src: word, n: n, mask: mask(p.width)}
	switch {
	case n == 1:
		i.kind = instrParam1
	case n == 2:
		i.kind = instrParam2
	case n == 4:
		i.kind = instrParam4
	case n == 8:
		i.kind = instrParam8
	case n == 16 && p.width == 128 && width > 64:
		i.kind = instrParam16
	default:
		return instr{}, false
	}
	return i, true
}

// fuse joins neighbouring moves: constants to adjacent fields become one fill, and copies of
// adjacent fields one copy. gaps tells which arena bytes belong to no field.
func fuse(body []instr, gaps func(byte int) bool) []instr {
	var out []instr
	for i := 0; i < len(body); {
		j := i
		for j < len(body) && body[j].kind == instrFill {
			j++
		}
		if j > i+1 {
			out = append(out, fuseFills(body[i:j], gaps)...)
			i = j
			continue
		}
		if n := len(out); n > 0 && joins(&out[n-1], &body[i]) {
			out[n-1].n += body[i].n
			out[n-1].kind = instrCopy
		} else {
			out = append(out, body[i])
		}
		i++
	}
	return out
}

// joins reports whether two copies are one copy of adjacent bytes. The ranges must not overlap,
// or the second copy would see what the first one wrote.
func joins(a, b *instr) bool {
	copies := func(k instrKind) bool { return k == instrCopy || k == instrCopy16 }
	n := a.n + b.n
	return copies(a.kind) && copies(b.kind) && a.dst+a.n == b.dst && a.src+a.n == b.src &&
		(a.dst+n <= a.src || a.src+n <= a.dst)
}

// fuseFills paints the constants into an image of the arena, later ones over earlier ones, and
// cuts it into runs. Padding between fields may be painted too: it is zero and stays so.
func fuseFills(fills []instr, gaps func(byte int) bool) []instr {
	image := map[int]byte{}
	for _, f := range fills {
		for i, v := range f.image {
			image[f.dst+i] = v
		}
	}
	offs := make([]int, 0, len(image))
	for off := range image {
		offs = append(offs, off)
	}
	slices.Sort(offs)
	var out []instr
	for _, off := range offs {
		last := len(out) - 1
		if last >= 0 && allGaps(out[last].dst+out[last].n, off, gaps) {
			run := &out[last]
			run.image = append(run.image, make([]byte, off-run.dst-run.n)...)
			run.image = append(run.image, image[off])
			run.n = len(run.image)
			continue
		}
		out = append(out, instr{kind: instrFill, dst: off, n: 1, image: []byte{image[off]}})
	}
	return out
}

func allGaps(from, to int, gaps func(byte int) bool) bool {
	for b := from; b < to; b++ {
		if !gaps(b) {
			return false
		}
	}
	return true
}

// isGap reports whether an arena byte is padding between metadata fields.
func (l *layout) isGap(b int) bool {
	if l.gaps == nil {
		l.gaps = make([]bool, l.size)
		for i := l.metaStart; i < l.metaEnd; i++ {
			l.gaps[i] = true
		}
		for _, h := range l.headers {
			if !h.meta {
				continue
			}
			for _, p := range h.fields {
				off, n, _ := p.bytes()
				clear(l.gaps[off : off+n])
			}
		}
	}
	return l.gaps[b]
}

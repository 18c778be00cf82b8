package engine

import (
	"maps"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// instr is one step of the body of an action or a parse state while it is compiled. Moves between
// fields, by far the most frequent ones, are data that a loop interprets, see code; everything else
// is a closure.
type instr struct {
	kind     instrKind
	dst, src int // bytes in the arena; instrParam*: src is the word of the parameter
	n        int // bytes
	mask     uint64
	image    []byte // instrFill
	call     op
	writes   []segment // what call may store to
}

type instrKind uint8

const (
	instrCall  instrKind = iota
	instrFill            // image to dst
	instrImage           // n bytes from src of the image of the entry
	instrCopy            // n bytes from src to dst
	instrCopy4           // the same for 4, 6 and 16 bytes
	instrCopy6
	instrCopy16
	instrExtract // n bytes from the packet to dst; src is the validity byte
	instrParam1  // a parameter under a mask, to 1, 2, 4 or 8 bytes
	instrParam2
	instrParam4
	instrParam8
	instrParam16 // two words
)

// move compiles an assignment to data, if it is a plain move between whole bytes.
func (c *compiler) move(dst, src bmv2.Expr) (instr, bool) {
	f, ok := dst.(*bmv2.FieldExpr)
	if !ok {
		return instr{}, false
	}
	p := c.layout.place(f.Ref)
	off, n, ok := p.bytes()
	if !ok || f.Ref.Var() || f.Ref.Saturating() {
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
	i := instr{dst: d + n - size, src: s + k - size, n: size}
	i.setCopy()
	return i, true
}

// setCopy picks the kind of copy for the size.
func (s *instr) setCopy() {
	switch s.n {
	case 4:
		s.kind = instrCopy4
	case 6:
		s.kind = instrCopy6
	case 16:
		s.kind = instrCopy16
	default:
		s.kind = instrCopy
	}
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

// copies reports whether a step copies within the arena.
func (s *instr) copies() bool { return s.kind >= instrCopy && s.kind <= instrCopy16 }

// fixed reports whether a step stores what is known once the entry is: constants and parameters.
func (s *instr) fixed() bool { return s.kind == instrFill || s.kind >= instrParam1 }

// fuser joins neighbouring moves: constants and parameters that go to adjacent fields become one
// fill, and copies of adjacent fields one copy.
type fuser struct {
	gap  func(byte int) bool // tells which arena bytes belong to no field
	out  []instr
	size int // bytes of the image that an entry needs
	// stages say how to make the image.
	stages []stage
}

// stage makes a part of the image of an entry: stores, and what to cut from the arena after them.
type stage struct {
	stores   []code
	segments []segment
}

// segment is a part of the arena.
type segment struct{ off, n int }

func (f *fuser) fuse(body []instr) {
	for i := 0; i < len(body); {
		j := i
		for j < len(body) && body[j].fixed() {
			j++
		}
		switch n := len(f.out); {
		case j > i+1:
			f.fuseFixed(body[i:j])
			i = j
			continue
		case n > 0 && joins(&f.out[n-1], &body[i]):
			f.out[n-1].n += body[i].n
			f.out[n-1].setCopy()
		default:
			f.out = append(f.out, body[i])
		}
		i++
	}
}

// joins reports whether two copies are one copy of adjacent bytes. The ranges must not overlap,
// or the second copy would see what the first one wrote.
func joins(a, b *instr) bool {
	n := a.n + b.n
	return a.copies() && b.copies() && a.dst+a.n == b.dst && a.src+a.n == b.src &&
		(a.dst+n <= a.src || a.src+n <= a.dst)
}

// fuseFixed replaces a run of stores by stores of adjacent bytes: of constants where no parameter
// is involved, else of the image of the entry.
func (f *fuser) fuseFixed(run []instr) {
	params := false
	touched := map[int]byte{}
	for _, s := range run {
		params = params || s.kind != instrFill
		for i := range s.n {
			touched[s.dst+i] = 0
			if s.kind == instrFill {
				touched[s.dst+i] = s.image[i]
			}
		}
	}
	segments := f.runs(touched)
	if params {
		f.stages = append(f.stages, stage{lower(run), segments})
	}
	for _, seg := range segments {
		if params {
			f.out = append(f.out, instr{kind: instrImage, dst: seg.off, src: f.size, n: seg.n})
			f.size += seg.n
			continue
		}
		image := make([]byte, seg.n)
		for i := range image {
			image[i] = touched[seg.off+i]
		}
		f.out = append(f.out, instr{kind: instrFill, dst: seg.off, n: seg.n, image: image})
	}
}

// runs cuts a set of arena bytes into runs. Padding between fields may be part of a run: it is
// zero and stays so.
func (f *fuser) runs(touched map[int]byte) (out []segment) {
	for _, off := range slices.Sorted(maps.Keys(touched)) {
		last := len(out) - 1
		if last >= 0 && f.allGaps(out[last].off+out[last].n, off) {
			out[last].n = off + 1 - out[last].off
			continue
		}
		out = append(out, segment{off, 1})
	}
	return out
}

func (f *fuser) allGaps(from, to int) bool {
	for b := from; b < to; b++ {
		if !f.gap(b) {
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
			if v := h.vari; v != nil {
				clear(l.gaps[v.length : v.length+4])
			}
		}
	}
	return l.gaps[b]
}

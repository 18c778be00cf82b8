package differ

import (
	"math/big"
	"math/rand/v2"

	"github.com/turbokv/turbokv/bmv2"
)

// Bounds of a walk: loops over header stacks end, and frames stay below the MTU.
const (
	maxStates    = 24
	maxFrameBits = 8 * 1200
)

// span is a run of bits of the frame.
type span struct{ at, width int }

// walk is a way through a parser, and the frame that takes it.
type walk struct {
	r     *rand.Rand
	pool  *pool
	bits  bitString
	pos   int                    // in bits
	found map[bmv2.FieldRef]span // fields of extracted headers
	next  map[*bmv2.HeaderStack]int
	alias map[bmv2.FieldRef]bmv2.Expr // what a field was set to
}

// newFrame returns the bytes of a frame for a program.
func newFrame(r *rand.Rand, q *pool, p *bmv2.Program) []byte {
	if r.IntN(24) == 0 {
		return randomBytes(r, 1+r.IntN(120))
	}
	w := &walk{r: r, pool: q, bits: bitString{r: r}, found: map[bmv2.FieldRef]span{},
		next: map[*bmv2.HeaderStack]int{}, alias: map[bmv2.FieldRef]bmv2.Expr{}}
	if len(p.Parsers) > 0 {
		w.run(p.Parsers[0].Init)
	}
	if r.IntN(4) > 0 {
		w.checksums(p)
	}
	return damage(r, append(w.bits.bytes(), randomBytes(r, payloadSize(r))...))
}

func payloadSize(r *rand.Rand) int {
	switch r.IntN(4) {
	case 0:
		return 0
	case 1:
		return r.IntN(200)
	}
	return r.IntN(40)
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// damage spoils one frame of five; simple_switch ignores frames without a byte.
func damage(r *rand.Rand, f []byte) []byte {
	if len(f) == 0 {
		return []byte{byte(r.Uint32())}
	}
	switch r.IntN(15) {
	case 0, 1:
		return f[:1+r.IntN(len(f))]
	case 2:
		for range 1 + r.IntN(3) {
			f[r.IntN(len(f))] ^= 1 << r.IntN(8)
		}
	}
	return f
}

func (w *walk) run(s *bmv2.ParseState) {
	for n := 0; s != nil && n < maxStates && w.pos < maxFrameBits; n++ {
		for _, op := range s.Ops {
			w.step(op)
		}
		s = w.leave(s)
	}
}

func (w *walk) step(op bmv2.ParserOp) {
	switch op.Kind {
	case bmv2.OpExtract:
		w.extract(op.Header, op.Value)
	case bmv2.OpExtractStack:
		if i := w.next[op.Stack]; i < len(op.Stack.Headers) {
			w.next[op.Stack]++
			w.extract(op.Stack.Headers[i], op.Value)
		}
	case bmv2.OpSet:
		if dst, ok := op.Dst.(*bmv2.FieldExpr); ok {
			w.alias[dst.Ref] = op.Value
		}
	case bmv2.OpAdvance:
		if n, ok := w.eval(op.Value); ok && n < maxFrameBits {
			w.pos += int(n)
			w.bits.grow(w.pos)
		}
	}
}

// extract writes a header; length is that of its variable-length field in bits, if it has one.
func (w *walk) extract(h *bmv2.Header, length bmv2.Expr) {
	for i, f := range h.Type.Fields {
		ref, width := bmv2.FieldRef{Header: h, Index: i}, f.Width
		if f.Var {
			n, _ := w.eval(length)
			width = int(min(n, uint64(f.Width)))
			w.bits.grow(w.pos + width)
		} else {
			w.bits.put(w.pos, width, w.pool.draw(w.r, ref))
		}
		w.found[ref] = span{w.pos, width}
		w.pos += width
	}
}

// leave chooses a case of the select and makes the frame meet it.
func (w *walk) leave(s *bmv2.ParseState) *bmv2.ParseState {
	if len(s.Transitions) == 0 {
		return nil
	}
	t := s.Transitions[w.r.IntN(len(s.Transitions))]
	if t.Default || t.Value == nil {
		return t.Next
	}
	shift := 0
	for i := len(s.Key) - 1; i >= 0; i-- {
		k := s.Key[i]
		padded := (k.Width + 7) / 8 * 8
		value := cut(new(big.Int).Rsh(t.Value, uint(shift)), padded)
		var mask *big.Int
		if t.Mask != nil {
			mask = cut(new(big.Int).Rsh(t.Mask, uint(shift)), padded)
		}
		w.solve(k.Value, k.Width, value, mask)
		shift += padded
	}
	return t.Next
}

// solve makes an expression have a value, if it is a place in the frame.
func (w *walk) solve(e bmv2.Expr, width int, value, mask *big.Int) {
	switch e := e.(type) {
	case *bmv2.LookaheadExpr:
		w.bits.hold(w.pos+e.Offset, width, value, mask)
	case *bmv2.StackFieldExpr:
		if i := w.next[e.Stack] - 1; i >= 0 {
			w.hold(bmv2.FieldRef{Header: e.Stack.Headers[i], Index: e.Field}, value, mask)
		}
	case *bmv2.FieldExpr:
		if from := w.alias[e.Ref]; from != nil {
			delete(w.alias, e.Ref) // a field may be set to itself
			w.solve(from, width, value, mask)
			return
		}
		w.hold(e.Ref, value, mask)
	case *bmv2.OpExpr:
		if _, isConst := e.Right.(*bmv2.ConstExpr); isConst && e.Op == bmv2.OpBitAnd {
			w.solve(e.Left, width, value, mask)
		}
	}
}

func (w *walk) hold(f bmv2.FieldRef, value, mask *big.Int) {
	if at, extracted := w.found[f]; extracted {
		w.bits.hold(at.at, at.width, value, mask)
	}
}

// checksums makes the sums right that the program verifies.
func (w *walk) checksums(p *bmv2.Program) {
	for _, c := range p.Checksums {
		if c.Verify && c.Calc.Algo == "csum16" {
			w.checksum(c)
		}
	}
}

// checksum works for inputs that lie in the frame.
func (w *walk) checksum(c *bmv2.Checksum) {
	target, known := w.found[c.Target]
	if !known {
		return
	}
	sum := bitString{r: w.r}
	for _, in := range c.Calc.Input {
		switch e := in.Expr.(type) {
		case *bmv2.FieldExpr:
			from, known := w.found[e.Ref]
			if !known {
				return
			}
			sum.put(len(sum.bits), from.width, w.bits.number(from.at, from.width))
		case *bmv2.ConstExpr:
			sum.put(len(sum.bits), in.Width, e.Value)
		default:
			return
		}
	}
	value := new(big.Int).SetUint64(uint64(internetChecksum(sum.padded())))
	w.bits.put(target.at, target.width, value)
}

// padded returns the bits as bytes, filled up with zeroes.
func (b *bitString) padded() []byte {
	for len(b.bits)%8 != 0 {
		b.bits, b.held = append(b.bits, false), append(b.held, false)
	}
	return b.bytes()
}

// internetChecksum is that of RFC 1071.
func internetChecksum(b []byte) uint16 {
	sum := uint32(0)
	for i, v := range b {
		sum += uint32(v) << (8 * (1 - i%2))
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

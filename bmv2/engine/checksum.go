package engine

import (
	"fmt"
	"math/bits"

	"github.com/turbokv/turbokv/bmv2"
)

// piece is a run of bits in the arena that enters a checksum together; neighbouring fields of a
// header make one piece. Pieces of an invalid header are skipped.
type piece struct {
	valid      int // offset of the validity byte, or -1
	bit, width int
	length     int    // of a variable-length field: see variable; else 0
	constant   []byte // used instead of the arena: width bits, right-aligned in whole bytes
}

// bitBuffer collects the input of a calculation in State.sum.
type bitBuffer struct {
	b    []byte
	bits int
}

func (w *bitBuffer) add(src []byte, bit, width int) {
	if w.bits%8 == 0 && bit%8 == 0 && width%8 == 0 {
		w.b = append(w.b, src[bit/8:(bit+width)/8]...)
		w.bits += width
		return
	}
	for width > 0 {
		n := min(width, 8-w.bits%8, 8-bit%8)
		v := src[bit/8] << (bit % 8) >> (8 - n) // n bits, right-aligned
		if w.bits%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= v << (8 - w.bits%8 - n)
		w.bits, bit, width = w.bits+n, bit+n, width-n
	}
}

// calculation compiles a hash or checksum over a list of inputs.
func (c *compiler) calculation(k *bmv2.Calculation) (u64, error) {
	fn, err := c.hasher(k)
	if err != nil {
		return nil, err
	}
	pieces, payload := c.pieces(k.Input)
	if k.Algo == "csum16" && !payload && evenPieces(pieces) {
		return func(st *State) uint64 { return sumPieces(st.arena, pieces) }, nil
	}
	return func(st *State) uint64 {
		w := bitBuffer{b: st.sum[:0]}
		for i := range pieces {
			p := &pieces[i]
			switch {
			case p.valid >= 0 && st.arena[p.valid] == 0:
			case p.constant != nil:
				w.add(p.constant, 8*len(p.constant)-p.width, p.width)
			case p.length > 0:
				n := int(be.Uint32(st.arena[p.length:]))
				w.add(st.arena, p.bit+p.width-n, n)
			default:
				w.add(st.arena, p.bit, p.width)
			}
		}
		if payload {
			rest := st.packet[st.pos:]
			if st.PayloadEnd > 0 {
				rest = rest[:min(len(rest), st.PayloadEnd-1)]
			}
			w.b = append(w.b, rest...)
		}
		st.sum = w.b
		return fn(w.b)
	}, nil
}

// evenPieces reports whether all pieces are whole 16-bit words, which a checksum can add up where
// they stand.
func evenPieces(pieces []piece) bool {
	for _, p := range pieces {
		if p.constant != nil || p.length > 0 || p.bit%8 != 0 || p.width%16 != 0 {
			return false
		}
	}
	return true
}

func sumPieces(arena []byte, pieces []piece) uint64 {
	var sum, carry uint64
	for i := range pieces {
		p := &pieces[i]
		if p.valid >= 0 && arena[p.valid] == 0 {
			continue
		}
		off, n := p.bit/8, p.width/8
		for ; n >= 8; off, n = off+8, n-8 {
			sum, carry = bits.Add64(sum, be.Uint64(arena[off:]), carry)
		}
		if n > 0 {
			word := be.Uint64(arena[off:]) >> (8 * (8 - n))
			sum, carry = bits.Add64(sum, word, carry)
		}
	}
	return foldSum(sum, carry)
}

func (c *compiler) pieces(inputs []bmv2.CalcInput) (out []piece, payload bool) {
	for _, in := range inputs {
		switch {
		case in.Payload:
			payload = true
		case in.Header != nil:
			out = append(out, c.layout.headers[in.Header].pieces()...)
		default:
			out = appendPiece(out, c.piece(in))
		}
	}
	return out, payload
}

// pieces are a whole header.
func (h *header) pieces() []piece {
	whole := piece{valid: h.valid, bit: 8 * h.base, width: 8 * h.size}
	v := h.vari
	if v == nil {
		return []piece{whole}
	}
	middle, last := whole, whole
	whole.width = v.before
	middle.bit, middle.width, middle.length = v.bit, v.width, v.length
	last.bit, last.width = v.end, v.after
	return []piece{whole, middle, last}
}

func (c *compiler) piece(in bmv2.CalcInput) piece {
	if k, ok := in.Expr.(*bmv2.ConstExpr); ok {
		limbs := constLimbs(k.Value, (in.Width+63)/64)
		text := make([]byte, 8*len(limbs))
		for i, w := range limbs {
			be.PutUint64(text[len(text)-8*(i+1):], w)
		}
		return piece{valid: -1, width: in.Width, constant: text}
	}
	ref := in.Expr.(*bmv2.FieldExpr).Ref // Load admits nothing else
	p := c.layout.place(ref)
	valid := -1
	if !ref.Header.Metadata {
		valid = c.layout.headers[ref.Header].valid
	}
	out := piece{valid: valid, bit: p.bit, width: p.width}
	if ref.Var() {
		out.length = c.layout.headers[ref.Header].vari.length
	}
	return out
}

// appendPiece joins a field to its left neighbour.
func appendPiece(out []piece, p piece) []piece {
	if n := len(out); n > 0 {
		last := &out[n-1]
		if last.constant == nil && p.constant == nil && last.length+p.length == 0 &&
			last.valid == p.valid && last.bit+last.width == p.bit {
			last.width += p.width
			return out
		}
	}
	return append(out, p)
}

func (c *compiler) checksumCondition(k *bmv2.Checksum) (pred, error) {
	if k.If == nil {
		return func(*State) bool { return true }, nil
	}
	return c.truth(k.If)
}

// verifications compiles the checksums that are checked after parsing.
func (c *compiler) verifications() ([]pred, error) {
	var out []pred
	for _, k := range c.Program.Checksums {
		if !k.Verify {
			continue
		}
		cond, err := c.checksumCondition(k)
		if err != nil {
			return nil, fmt.Errorf("checksum %q: %w", k.Name, err)
		}
		sum, err := c.calculation(k.Calc)
		if err != nil {
			return nil, fmt.Errorf("checksum %q: %w", k.Name, err)
		}
		valid := c.layout.headers[k.Target.Header].valid
		p := c.layout.place(k.Target)
		meta := k.Target.Header.Metadata
		want := load(p.low())
		out = append(out, func(st *State) bool {
			if !meta && st.arena[valid] == 0 || !cond(st) {
				return true
			}
			return sum(st)&mask(p.width) == want(st)
		})
	}
	return out, nil
}

// updates compiles the checksums that are written before deparsing.
func (c *compiler) updates() ([]op, error) {
	var out []op
	for _, k := range c.Program.Checksums {
		if !k.Update {
			continue
		}
		cond, err := c.checksumCondition(k)
		if err != nil {
			return nil, fmt.Errorf("checksum %q: %w", k.Name, err)
		}
		sum, err := c.calculation(k.Calc)
		if err != nil {
			return nil, fmt.Errorf("checksum %q: %w", k.Name, err)
		}
		write := store(c.layout.place(k.Target).low(), sum)
		out = append(out, func(st *State) {
			if cond(st) {
				write(st)
			}
		})
	}
	return out, nil
}

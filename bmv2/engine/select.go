package engine

import (
	"math/big"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// caseTests turns a select on fields into tests, if it has few cases and each part of the key
// lies within 8 bytes of the arena.
func (c *compiler) caseTests(out *parseState, s *bmv2.ParseState) bool {
	const few = 8 // beyond, evaluating the key once is cheaper
	if len(out.cases) > few {
		return false
	}
	for i := range out.cases {
		tests, ok := c.keyTests(s.Key, &out.cases[i])
		if !ok {
			return false
		}
		out.cases[i].tests = mergeTests(tests)
	}
	return true
}

// keyTests compares each part of a key with its piece of the case.
func (c *compiler) keyTests(key []bmv2.TransitionKey, k *parseCase) (tests []test, ok bool) {
	at := 0 // bits to the right
	for _, part := range slices.Backward(key) {
		f, isField := part.Value.(*bmv2.FieldExpr)
		if !isField {
			return nil, false
		}
		p := c.layout.place(f.Ref)
		w, ok := p.window()
		if !ok {
			return nil, false
		}
		m, v := bitsAt(k.masks, at, p.width), bitsAt(k.values, at, p.width)
		if m != 0 {
			tests = append(tests, w.test(m, v, v))
		}
		at += (p.width + 7) / 8 * 8
	}
	return tests, true
}

// bitsAt returns up to 64 bits of a number.
func bitsAt(limbs []uint64, at, width int) uint64 {
	v := limbs[at/64] >> (at % 64)
	if at%64 > 0 && at/64+1 < len(limbs) {
		v |= limbs[at/64+1] << (64 - at%64)
	}
	return v & mask(width)
}

// mergeTests joins tests of the same bytes.
func mergeTests(tests []test) []test {
	slices.SortFunc(tests, func(a, b test) int { return a.off - b.off })
	var out []test
	for _, t := range tests {
		if n := len(out); n > 0 && out[n-1].off == t.off && out[n-1].size == t.size {
			out[n-1].mask |= t.mask
			out[n-1].low |= t.low
			continue
		}
		out = append(out, t)
	}
	return out
}

func newCase(t *bmv2.Transition, bits, limbs int, next *parseState) parseCase {
	m := t.Mask
	if m == nil {
		one := big.NewInt(1)
		m = new(big.Int).Sub(new(big.Int).Lsh(one, uint(bits)), one)
	}
	v := new(big.Int).And(t.Value, m)
	return parseCase{value: lowWord(v), mask: lowWord(m), values: constLimbs(v, limbs),
		masks: constLimbs(m, limbs), next: next}
}

// joinKey concatenates the parts of a select key, each padded to whole bytes.
func joinKey(parts []bmv2.TransitionKey) (key bmv2.Expr, bits int) {
	for _, p := range parts {
		size := (p.Width + 7) / 8 * 8
		value := unsigned(p)
		if key == nil {
			key, bits = value, size
			continue
		}
		shift := &bmv2.ConstExpr{Value: big.NewInt(int64(size))}
		high := &bmv2.OpExpr{Op: bmv2.OpShl, Left: key, Right: shift}
		key = &bmv2.OpExpr{Op: bmv2.OpBitOr, Left: high, Right: value}
		bits += size
	}
	return key, bits
}

// unsigned takes the bits of a signed field, as a key does.
func unsigned(k bmv2.TransitionKey) bmv2.Expr {
	f, ok := k.Value.(*bmv2.FieldExpr)
	if !ok || !f.Ref.Signed() {
		return k.Value
	}
	one := big.NewInt(1)
	all := new(big.Int).Sub(new(big.Int).Lsh(one, uint(k.Width)), one)
	return &bmv2.OpExpr{Op: bmv2.OpBitAnd, Left: f, Right: &bmv2.ConstExpr{Value: all}}
}

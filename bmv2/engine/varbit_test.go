package engine

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

// varbitProgram has a stack of two headers a (before bits), v (varbit), b (after bits), and a
// parser that extracts both, with v as long as m.length says, which the test sets.
func varbitProgram(before, width, after int) *bmv2.Program {
	t := &bmv2.HeaderType{Name: "t", Bits: before + width + after, Fields: []bmv2.Field{
		{Name: "a", Width: before},
		{Name: "v", Width: width, Offset: before, Var: true},
		{Name: "b", Width: after, Offset: before + width},
	}}
	m := &bmv2.HeaderType{Name: "m", Bits: 32, Fields: []bmv2.Field{{Name: "length", Width: 32}}}
	meta := &bmv2.Header{Name: "m", Type: m, Metadata: true}
	s := &bmv2.HeaderStack{Name: "s", Type: t}
	for i := range 2 {
		s.Headers = append(s.Headers,
			&bmv2.Header{Name: fmt.Sprintf("s[%d]", i), Type: t, Stack: s, Index: i})
	}
	length := &bmv2.FieldExpr{Ref: bmv2.FieldRef{Header: meta}}
	extract := bmv2.ParserOp{Kind: bmv2.OpExtractStack, Stack: s, Value: length}
	state := &bmv2.ParseState{Name: "start", Ops: []bmv2.ParserOp{extract, extract}}
	return &bmv2.Program{
		HeaderTypes: []*bmv2.HeaderType{t, m}, Headers: []*bmv2.Header{meta, s.Headers[0], s.Headers[1]},
		Stacks: []*bmv2.HeaderStack{s},
		Errors: []bmv2.NamedValue{{Name: "NoError"}, {Name: "PacketTooShort", Value: 1},
			{Name: "HeaderTooShort", Value: 4}, {Name: "ParserInvalidArgument", Value: 6}},
		Parsers:   []*bmv2.Parser{{Name: "parser", Init: state, States: []*bmv2.ParseState{state}}},
		Deparsers: []*bmv2.Deparser{{Name: "deparser", Order: s.Headers}},
	}
}

// bitsOf cuts bits out of a byte string, the slow way.
func bitsOf(b []byte, from, n int) *big.Int {
	v := new(big.Int).SetBytes(b)
	v.Rsh(v, uint(8*len(b)-from-n))
	return v.And(v, allBits(n))
}

func TestVarbitsAreExtractedAndEmitted(t *testing.T) {
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 11))
		before := 1 + r.IntN(20)
		after := 1 + r.IntN(20)
		after += (8 - (before+after)%8) % 8
		width := 8 * (1 + r.IntN(40))
		p := varbitProgram(before, width, after)
		m, err := Compile(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		st := m.NewState()
		for range 20 {
			checkVarbit(t, r, m, st, before, width, after)
		}
	}
}

func checkVarbit(t *testing.T, r *rand.Rand, m *Machine, st *State, before, width, after int) {
	t.Helper()
	packet := make([]byte, r.IntN(width/4+8))
	for i := range packet {
		packet[i] = byte(r.Uint32())
	}
	length := 8 * r.IntN(width/8+3)
	if r.IntN(8) == 0 {
		length += r.IntN(8)
	}
	st.Reset(packet)
	ref := bmv2.FieldRef{Header: m.Program.Headers[0]}
	storeBits(st.arena, m.layout.place(ref).bit, 32, uint64(length))
	m.Parser("parser").Run(st)

	size, at, want := before+length+after, 0, uint32(0)
	for _, h := range m.Program.Stacks[0].Headers {
		switch {
		case want != 0:
		case length%8 != 0:
			want = 6
		case at+size > 8*len(packet):
			want = 1
		case length > width:
			want = 4
		}
		if m.Valid(st, h) != (want == 0) {
			t.Fatalf("%s valid: %v", h.Name, m.Valid(st, h))
		}
		if want != 0 {
			continue
		}
		from := at
		for i, n := range []int{before, length, after} {
			got := new(big.Int).SetBytes(m.Value(st, bmv2.FieldRef{Header: h, Index: i}))
			if x := bitsOf(packet, from, n); got.Cmp(x) != 0 {
				t.Fatalf("%s: field %d is %x, want %x", h.Name, i, got, x)
			}
			from += n
		}
		at += size
	}
	if st.ParserError != want {
		t.Fatalf("length %d of %d in %d bytes: error %d, want %d", length, width, len(packet),
			st.ParserError, want)
	}
	if out := m.Deparser("deparser").Run(st, nil); !bytes.Equal(out, packet) {
		t.Fatalf("emitted %x, want %x", out, packet)
	}
}

func TestBitsAreCopied(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 12))
	for range 20_000 {
		src, dst := make([]byte, 24), make([]byte, 24)
		for i := range src {
			src[i], dst[i] = byte(r.Uint32()), byte(r.Uint32())
		}
		n := r.IntN(120)
		to, from := r.IntN(192-n), r.IntN(192-n)
		want := new(big.Int).SetBytes(dst)
		shift := uint(192 - to - n)
		want.AndNot(want, new(big.Int).Lsh(allBits(n), shift))
		want.Or(want, new(big.Int).Lsh(bitsOf(src, from, n), shift))
		copyBits(dst, to, src, from, n)
		if got := new(big.Int).SetBytes(dst); got.Cmp(want) != 0 {
			t.Fatalf("%d bits from %d to %d: got %x, want %x", n, from, to, got, want)
		}
	}
}

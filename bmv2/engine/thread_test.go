package engine

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

// smallFields is a program with nothing but one-byte metadata.
func smallFields() *bmv2.Program {
	t := &bmv2.HeaderType{Name: "m_t"}
	for _, name := range []string{"a", "b", "c", "d"} {
		t.Fields = append(t.Fields, bmv2.Field{Name: name, Width: 3})
	}
	m := &bmv2.Header{Name: "m", Type: t, Metadata: true}
	return &bmv2.Program{Headers: []*bmv2.Header{m}}
}

// randomGraph builds nodes from the end to the start, so that there are no cycles.
func randomGraph(r *rand.Rand, c *compiler, fields []place) *node {
	nodes := []*node{nil}
	pick := func() *node { return nodes[r.IntN(len(nodes))] }
	for range 30 {
		p := fields[r.IntN(len(fields))]
		off, _, _ := p.bytes()
		w, _ := p.window()
		n := &node{yes: pick(), no: pick()}
		switch r.IntN(5) {
		case 0:
			n.setBody([]instr{{kind: instrFill, dst: off, n: 1, image: []byte{byte(r.IntN(8))}}})
		case 1:
			q, _, _ := fields[r.IntN(len(fields))].bytes()
			n.setBody([]instr{{kind: instrCopy, dst: off, src: q, n: 1}})
		case 2:
			add := func(st *State) { st.arena[off] = (st.arena[off] + 1) & 7 }
			n.setBody([]instr{{kind: instrCall, call: add, writes: []segment{{off, 1}}}})
		case 3:
			low := uint64(r.IntN(8))
			n.test = w.test(7, low, low)
		default: // a part of the field, or an upper bound
			n.test = w.test(uint64(1+r.IntN(7)), 0, uint64(r.IntN(8)))
		}
		nodes = append(nodes, n)
	}
	return nodes[len(nodes)-1]
}

func TestThreadingChangesNothing(t *testing.T) {
	p := smallFields()
	c := &compiler{Machine: &Machine{Program: p, layout: newLayout(p)}}
	fields := c.layout.headers[p.Headers[0]].fields
	fewer := 0
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 6))
		plain := &Control{init: randomGraph(r, c, fields)}
		threaded := &Control{init: c.thread(plain.init)}
		if plain.init != threaded.init {
			fewer++
		}
		for range 20 {
			a, b := c.NewState(), c.NewState()
			for _, f := range fields {
				off, _, _ := f.bytes()
				a.arena[off] = byte(r.IntN(8))
			}
			copy(b.arena, a.arena)
			start := bytes.Clone(a.arena)
			plain.Run(a)
			threaded.Run(b)
			if !bytes.Equal(a.arena, b.arena) {
				t.Fatalf("seed %d: from %x: %x, threaded %x", seed, start, a.arena, b.arena)
			}
		}
	}
	if fewer == 0 {
		t.Error("no graph was threaded")
	}
}

package engine

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
)

// Deparser is a compiled deparser.
type Deparser struct {
	update []op // checksums
	ops    []op
	order  []emit
	uses   registerSet
}

type emit struct {
	valid, base, end int
	h                *header // if its size varies
}

// Run updates checksums and appends the valid headers, in order, and the payload to dst.
func (d *Deparser) Run(st *State, dst []byte) []byte {
	for _, o := range d.update {
		o(st)
	}
	for _, o := range d.ops {
		o(st)
	}
	from, to := 0, 0 // valid headers that are neighbours in the arena go out in one copy
	for i := range d.order {
		e := &d.order[i]
		if st.arena[e.valid] == 0 {
			continue
		}
		if e.base != to || e.h != nil {
			dst = append(dst, st.arena[from:to]...)
			from = e.base
		}
		to = e.end
		if e.h != nil {
			w := bitBuffer{b: dst, bits: 8 * len(dst)}
			e.h.append(&w, st.arena)
			dst, from = w.b, to
		}
	}
	dst = append(dst, st.arena[from:to]...)
	return append(dst, st.packet[st.pos:]...)
}

func (c *compiler) compileDeparsers() error {
	for _, d := range c.Program.Deparsers {
		out := &Deparser{uses: c.noteRegisters()}
		for _, h := range d.Order {
			p := c.layout.headers[h]
			e := emit{valid: p.valid, base: p.base, end: p.base + p.size}
			if p.vari != nil {
				e.h = p
			}
			out.order = append(out.order, e)
		}
		var err error
		if out.update, err = c.updates(); err != nil {
			return fmt.Errorf("deparser %q: %w", d.Name, err)
		}
		if out.ops, err = c.deparserOps(d.Ops); err != nil {
			return fmt.Errorf("deparser %q: %w", d.Name, err)
		}
		c.deparsers[d.Name] = out
	}
	return nil
}

func (c *compiler) deparserOps(body []bmv2.Primitive) ([]op, error) {
	var ops []op
	for i := range body {
		p := &body[i]
		if p.Op == "set" {
			p = &bmv2.Primitive{Op: "assign", Args: p.Args}
		}
		o, err := c.primitive(p)
		if err != nil {
			return nil, fmt.Errorf("primitive %q: %w", p.Op, err)
		}
		ops = append(ops, o)
	}
	return ops, nil
}

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
	d.finish(st)
	return append(d.headers(st, dst), st.packet[st.pos:]...)
}

// RunOver does the same, but where it can it leaves the payload where it is and writes the headers
// before it, over those that were parsed: over tells that the frame lies in the memory of the packet.
func (d *Deparser) RunOver(st *State, dst []byte) (frame []byte, over bool) {
	d.finish(st)
	if n := d.size(st); n >= 0 && n <= st.pos {
		d.headers(st, st.packet[st.pos-n:st.pos-n:st.pos])
		return st.packet[st.pos-n:], true
	}
	return append(d.headers(st, dst), st.packet[st.pos:]...), false
}

// finish does what has to be done before the headers are final.
func (d *Deparser) finish(st *State) {
	for _, o := range d.update {
		o(st)
	}
	for _, o := range d.ops {
		o(st)
	}
}

// size returns the length in bytes of the valid headers, -1 if one is of a size that varies.
func (d *Deparser) size(st *State) (n int) {
	for i := range d.order {
		if e := &d.order[i]; st.arena[e.valid] != 0 {
			if e.h != nil {
				return -1
			}
			n += e.end - e.base
		}
	}
	return n
}

// headers appends the valid headers.
func (d *Deparser) headers(st *State, dst []byte) []byte {
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
	return append(dst, st.arena[from:to]...)
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

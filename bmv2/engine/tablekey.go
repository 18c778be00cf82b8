package engine

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// newTableSpec decides the index of a table and compiles its key.
func (c *compiler) newTableSpec(t *bmv2.Table) (*tableSpec, error) {
	s := &tableSpec{t: t, index: len(c.tables), lpm: -1, actions: slices.Clone(t.Actions)}
	if d := t.Default; d != nil && !slices.Contains(s.actions, d.Action) {
		s.actions = append(s.actions, d.Action)
	}
	for _, a := range s.actions {
		s.acts = append(s.acts, c.actions[a])
	}
	bits := 0
	for _, k := range t.Key {
		s.parts = append(s.parts, keyPart{kind: k.Kind, width: k.Width, size: (k.Width + 7) / 8})
		bits += k.Width
	}
	s.form = formOf(t, bits)
	s.place()
	if s.form == formPacked {
		c.packedKey(s)
	} else {
		c.byteKey(s)
	}
	c.keyBytes = max(c.keyBytes, align(s.keyBytes, 8))
	if c.byName[t.Name] != nil {
		return nil, fmt.Errorf("table %q: declared twice", t.Name)
	}
	c.tables = append(c.tables, s)
	c.byName[t.Name] = s
	return s, nil
}

func formOf(t *bmv2.Table, bits int) form {
	switch {
	case len(t.Key) == 0:
		return formNone
	case t.MatchKind == bmv2.MatchLPM:
		return formLPM
	case t.MatchKind >= bmv2.MatchTernary:
		return formTernary
	case bits <= 64:
		return formPacked
	}
	return formBytes
}

// place lays out the byte key: in the order of the program, but a prefix last.
func (s *tableSpec) place() {
	for i := range s.parts {
		if s.form == formLPM && s.parts[i].kind == bmv2.MatchLPM {
			s.lpm = i
			continue
		}
		s.parts[i].off = s.keyBytes
		s.keyBytes += s.parts[i].size
	}
	if s.lpm >= 0 {
		s.parts[s.lpm].off = s.keyBytes
		s.keyBytes += s.parts[s.lpm].size
	}
}

// keyField compiles a key field of up to 64 bits. A field of an invalid header is zero, as in
// bmv2, where programs rely on it.
func (c *compiler) keyField(k bmv2.KeyField) u64 {
	v := load(c.layout.place(k.Field))
	if k.Field.Header.Metadata || k.Field.Index == bmv2.ValidField {
		return v
	}
	valid := c.layout.headers[k.Field.Header].valid
	return func(st *State) uint64 {
		if st.arena[valid] == 0 {
			return 0
		}
		return v(st)
	}
}

func (c *compiler) packedKey(s *tableSpec) {
	for _, k := range s.t.Key {
		v, width := c.keyField(k), k.Width
		m := mask(width)
		if k.Mask != nil {
			m = lowWord(k.Mask) & m
		}
		s.packMask = s.packMask<<width | m
		if before := s.pack; before != nil {
			s.pack = func(st *State) uint64 { return before(st)<<width | v(st) }
		} else {
			s.pack = v
		}
	}
	if all := mask(widthOf(s.t)); s.packMask != all {
		whole, m := s.pack, s.packMask
		s.pack = func(st *State) uint64 { return whole(st) & m }
	}
}

func widthOf(t *bmv2.Table) (bits int) {
	for _, k := range t.Key {
		bits += k.Width
	}
	return bits
}

func (c *compiler) byteKey(s *tableSpec) {
	for i, k := range s.t.Key {
		s.write = append(s.write, c.keyWriter(k, s.parts[i]))
		if k.Mask == nil {
			continue
		}
		if s.static == nil {
			s.static = bytes.Repeat([]byte{0xff}, s.keyBytes)
		}
		p := s.parts[i]
		limbs := constLimbs(k.Mask, (8*p.size+63)/64)
		for j := range p.size {
			at := p.size - 1 - j
			s.static[p.off+at] = byte(limbs[j/8] >> (8 * (j % 8)))
		}
	}
}

// keyWriter compiles copying a field into a byte key.
func (c *compiler) keyWriter(k bmv2.KeyField, part keyPart) func(*State, []byte) {
	p := c.layout.place(k.Field)
	valid := -1
	if !k.Field.Header.Metadata && k.Field.Index != bmv2.ValidField {
		valid = c.layout.headers[k.Field.Header].valid
	}
	off, n, aligned := p.bytes()
	skip := n - part.size // boxes may be larger than the key part
	end := part.off + part.size
	return func(st *State, key []byte) {
		dst := key[part.off:end]
		switch {
		case valid >= 0 && st.arena[valid] == 0:
			clear(dst)
		case aligned:
			copy(dst, st.arena[off+skip:off+n])
		default:
			appendField(st.arena, p, part.size, dst[:0])
		}
	}
}

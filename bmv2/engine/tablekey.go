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
	var err error
	if s.direct, err = c.directSpec(t); err != nil {
		return nil, fmt.Errorf("direct meter %q: %w", t.Meter.Name, err)
	}
	if t.Profile != nil {
		if err := c.indirection(s); err != nil {
			return nil, fmt.Errorf("action profile %q: %w", t.Profile.Name, err)
		}
	}
	bits := 0
	for _, k := range t.Key {
		s.parts = append(s.parts, keyPart{kind: k.Kind, width: k.Width, size: (k.Width + 7) / 8})
		bits += k.Width
	}
	s.form = formOf(t, bits)
	s.place()
	for i, k := range t.Key {
		s.sources = append(s.sources, c.keySource(k, s.parts[i]))
	}
	if s.form == formPacked {
		s.packedKey()
	} else {
		s.byteKey()
	}
	c.keyBytes = max(c.keyBytes, align(s.keyBytes, 8)+8) // ranges are loaded 8 bytes at a time
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

// keySource says where a field of the key comes from and, in a byte key, where it goes.
type keySource struct {
	place
	valid int    // validity byte of the header, or -1: always valid
	word  window // holds the place, if its size is not 0
	whole bool   // the field has whole bytes: from
	from  int
	to    int // place in a byte key
	size  int // bytes in a byte key
}

// keySource compiles a key field. A field of an invalid header is zero, as in bmv2, where
// programs rely on it.
func (c *compiler) keySource(k bmv2.KeyField, part keyPart) keySource {
	p := c.layout.place(k.Field)
	s := keySource{place: p, valid: -1, to: part.off, size: part.size}
	if !k.Field.Header.Metadata && k.Field.Index != bmv2.ValidField {
		s.valid = c.layout.headers[k.Field.Header].valid
	}
	if w, ok := p.window(); ok {
		s.word = w
	}
	off, n, aligned := p.bytes()
	s.whole, s.from = aligned, off+n-part.size // boxes may be larger than the key part
	return s
}

func (s *tableSpec) packedKey() {
	for _, k := range s.t.Key {
		m := mask(k.Width)
		if k.Mask != nil {
			m &= lowWord(k.Mask)
		}
		s.packMask = s.packMask<<k.Width | m
	}
}

// byteKey prepares the static masks of a byte key.
func (s *tableSpec) byteKey() {
	for i, k := range s.t.Key {
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

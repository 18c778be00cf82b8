package engine

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// form is how the entries of a table are indexed.
type form uint8

const (
	formNone    form = iota // no key: the default entry always runs
	formPacked              // exact, at most 64 bits in total: the key is a number
	formBytes               // exact, wider
	formLPM                 // exact fields and one prefix
	formTernary             // ternary or range: by priority
)

// tableSpec is the immutable part of a table: how keys are built and what follows.
type tableSpec struct {
	t        *bmv2.Table
	index    int // in State.Tables
	form     form
	parts    []keyPart // in the order of the program
	lpm      int       // index of the lpm part
	keyBytes int
	pack     u64    // builds a packed key
	packMask uint64 // static masks of a packed key
	static   []byte // static masks of a byte key, or nil
	write    []func(st *State, key []byte)
	actions  []*bmv2.Action // by slot: those of the table, and of its default entry
	acts     []*action      // the same, compiled
}

// keyPart is where a field stands in a byte key.
type keyPart struct {
	kind      bmv2.MatchKind
	width     int // bits
	off, size int // bytes
}

// Table is an immutable snapshot of the entries of a table. Updates return a new snapshot that
// shares structure with the old one.
type Table struct {
	spec    *tableSpec
	exact   *exactIndex
	root    *lpmNode
	ordered []*Entry // ternary and range tables: best first
	def     *Entry
}

// TableIndex returns the position of a table in State.Tables.
func (m *Machine) TableIndex(t *bmv2.Table) int { return m.spec(t).index }

// NewTables returns the tables without entries and without defaults, as State.Tables needs them.
func (m *Machine) NewTables() []*Table {
	out := make([]*Table, len(m.tables))
	for i, s := range m.tables {
		out[i] = &Table{spec: s, exact: newExactIndex(1)}
	}
	return out
}

// With returns a table in which e replaced the entry with the same match (and priority, where
// that counts) or was added.
func (t *Table) With(e *Entry) *Table {
	out := *t
	switch t.spec.form {
	case formPacked, formBytes:
		out.exact = t.exact.with(e.word, e)
	case formLPM:
		out.root = t.root.with(e.key, e.prefix, e)
	case formTernary:
		out.ordered = insertOrdered(t.without(e), e)
	}
	return &out
}

// Without returns a table that lacks the entry with the match and priority of e.
func (t *Table) Without(e *Entry) *Table {
	out := *t
	switch t.spec.form {
	case formPacked, formBytes:
		out.exact = t.exact.without(e.word, e.key)
	case formLPM:
		out.root = t.root.without(e.key, e.prefix)
	case formTernary:
		out.ordered = t.without(e)
	}
	return &out
}

// WithDefault returns a table with another default entry; nil means none.
func (t *Table) WithDefault(e *Entry) *Table {
	out := *t
	out.def = e
	return &out
}

// without copies the ordered entries except the one with the match and priority of e.
func (t *Table) without(e *Entry) []*Entry {
	out := make([]*Entry, 0, len(t.ordered)+1)
	for _, o := range t.ordered {
		if o.priority != e.priority || !sameTernary(o, e) {
			out = append(out, o)
		}
	}
	return out
}

func sameTernary(a, b *Entry) bool {
	return slices.Equal(a.values, b.values) && slices.Equal(a.masks, b.masks) &&
		slices.EqualFunc(a.ranges, b.ranges, func(x, y byteRange) bool {
			return bytes.Equal(x.lo, y.lo) && bytes.Equal(x.hi, y.hi)
		})
}

// insertOrdered puts e behind all entries of the same or a better priority.
func insertOrdered(list []*Entry, e *Entry) []*Entry {
	at := len(list)
	for at > 0 && list[at-1].priority < e.priority {
		at--
	}
	return slices.Insert(list, at, e)
}

// hashSeed makes collisions unpredictable for whoever sends packets; it decides no result.
var hashSeed = maphash.MakeSeed()

func hashKey(key []byte) uint64 { return maphash.Bytes(hashSeed, key) }

// lookup returns the entry for the packet, or nil on a miss.
func (s *tableSpec) lookup(st *State, t *Table) *Entry {
	switch s.form {
	case formPacked:
		return t.exact.find(s.pack(st), nil)
	case formBytes:
		key := s.key(st)
		return t.exact.find(hashKey(key), key)
	case formLPM:
		return t.root.find(s.key(st))
	case formTernary:
		return s.scan(st, t.ordered)
	}
	return nil
}

func (s *tableSpec) key(st *State) []byte {
	key := st.keyBuf[:s.keyBytes]
	for _, w := range s.write {
		w(st, key)
	}
	for i, m := range s.static {
		key[i] &= m
	}
	return key
}

// scan tries entries in order of priority, 8 key bytes at a time.
func (s *tableSpec) scan(st *State, ordered []*Entry) *Entry {
	if len(ordered) == 0 {
		return nil
	}
	key := s.key(st)
	padded := st.keyBuf[:align(s.keyBytes, 8)]
	clear(padded[s.keyBytes:])
next:
	for _, e := range ordered {
		for i, m := range e.masks {
			if be.Uint64(padded[8*i:])&m != e.values[i] {
				continue next
			}
		}
		for i := range e.ranges {
			r := &e.ranges[i]
			v := key[r.off : r.off+len(r.lo)]
			if bytes.Compare(v, r.lo) < 0 || bytes.Compare(v, r.hi) > 0 {
				continue next
			}
		}
		return e
	}
	return nil
}

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

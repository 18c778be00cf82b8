package engine

import (
	"hash/maphash"

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
	sources  []keySource // in the order of the program
	packMask uint64      // static masks of a packed key
	static   []byte      // static masks of a byte key, or nil
	direct   directSpec
	actions  []*bmv2.Action // by slot: those of the table, and of its default entry
	acts     []*action      // the same, compiled
	// Of a table with a profile: its place among those of the profile, and what groups hash.
	profileTable int
	selector     u64
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
	rules   *ruleNode
	def     *Entry
	profile *Profile // what the entries point into, in tables with one
}

// TableIndex returns the position of a table in State.Tables.
func (m *Machine) TableIndex(t *bmv2.Table) int { return m.spec(t).index }

// NewTables returns the tables without entries and without defaults, as State.Tables needs them.
func (m *Machine) NewTables() []*Table {
	out := make([]*Table, len(m.tables))
	for i, s := range m.tables {
		out[i] = &Table{spec: s, exact: newPaged[Entry](nil, 1)}
		if s.t.Profile != nil {
			out[i].profile = &Profile{}
		}
	}
	return out
}

// With returns a table in which e replaced the entry with the same match (and priority, where
// that counts) or was added.
func (t *Table) With(e *Entry) *Table {
	ed := t.Edit()
	ed.With(e)
	return ed.Done()
}

// Without returns a table that lacks the entry with the match and priority of e.
func (t *Table) Without(e *Entry) *Table {
	ed := t.Edit()
	ed.Without(e)
	return ed.Done()
}

// WithDefault returns a table with another default entry; nil means none.
func (t *Table) WithDefault(e *Entry) *Table {
	out := *t
	out.def = e
	return &out
}

// hashSeed makes collisions unpredictable for whoever sends packets; it decides no result.
var hashSeed = maphash.MakeSeed()

// ruleSeed is a seed for numbers.
var ruleSeed = maphash.String(hashSeed, "rules")

func hashKey(key []byte) uint64 { return maphash.Bytes(hashSeed, key) }

// lookup returns the entry for the packet, or nil on a miss.
func (s *tableSpec) lookup(st *State, t *Table) *Entry {
	switch s.form {
	case formPacked:
		return findWord(t.exact, s.packed(st))
	case formBytes:
		key := s.key(st)
		return findKey(t.exact, hashKey(key), key)
	case formLPM:
		return t.root.find(s.key(st))
	case formTernary:
		return s.classify(st, t.rules)
	}
	return nil
}

// packed builds a key of up to 64 bits.
func (s *tableSpec) packed(st *State) (word uint64) {
	for i := range s.sources {
		src := &s.sources[i]
		var v uint64
		switch {
		case src.valid >= 0 && st.arena[src.valid] == 0:
		case src.word.size > 0:
			v = loadWord(st.arena, src.word.off, src.word.size) >> src.word.shift & mask(src.width)
		default:
			v = loadBits(st.arena, src.bit, src.width)
		}
		word = word<<src.width | v
	}
	return word & s.packMask
}

// key builds a key of bytes.
func (s *tableSpec) key(st *State) []byte {
	key := st.keyBuf[:s.keyBytes]
	for i := range s.sources {
		src := &s.sources[i]
		dst := key[src.to : src.to+src.size]
		switch {
		case src.valid >= 0 && st.arena[src.valid] == 0:
			clear(dst)
		case src.whole:
			copy(dst, st.arena[src.from:src.from+src.size])
		default:
			appendField(st.arena, src.place, src.size, dst[:0])
		}
	}
	for i, m := range s.static {
		key[i] &= m
	}
	return key
}

// classify returns the best entry of a ternary or range table.
func (s *tableSpec) classify(st *State, rules *ruleNode) *Entry {
	if rules == nil {
		return nil
	}
	s.key(st)
	padded := st.keyBuf[:align(s.keyBytes, 8)+8]
	clear(padded[s.keyBytes:])
	return rules.find(padded, nil)
}

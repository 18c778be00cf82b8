package engine

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// Match is the condition on one key field. Byte strings have exactly the bytes of the field.
// Which members count depends on the kind of the field: exact: Value; lpm: Value, PrefixLen;
// ternary: Value, Mask; range: Value (low), High. In ternary and range tables an lpm field also
// uses Value and PrefixLen.
type Match struct {
	Value, Mask, High []byte
	PrefixLen         int
}

// Entry is an immutable table entry, or the default entry of a table.
type Entry struct {
	// What packets need comes first, in one line of the cache.
	act    *action
	slot   int     // of the action in the table
	direct *Direct // nil if the table keeps nothing for its entries
	image  string  // the bytes that the action stores whatever the packet is
	args   []uint64
	// ref is used instead of an action in tables with a profile.
	ref Ref

	key    []byte // exact and lpm tables; empty for packed keys
	word   uint64 // packed key or hash of key
	prefix int    // bits, lpm tables
	rank   uint64 // ternary and range tables: priority and order; the highest wins
	values []uint64
	masks  []uint64
	ranges []byteRange
}

// Direct returns what the entry keeps between packets; nil if the table keeps nothing.
func (e *Entry) Direct() *Direct { return e.direct }

// Refer returns a copy of an entry of a table with a profile that points at something else.
func (e *Entry) Refer(r Ref) *Entry {
	out := *e
	out.ref = r
	return &out
}

// EntrySpec describes an entry to [Machine.NewEntry]. An entry of a table with a profile has no action,
// but points at what [Entry.Refer] says.
type EntrySpec struct {
	Match    []Match
	Priority int32 // ternary and range tables: the largest wins
	// Order decides between entries of one priority: the smallest wins. Entries with one priority
	// must differ in it; one that replaces another has the same.
	Order  uint32
	Action *bmv2.Action
	Params [][]byte // big-endian, of any length; cut to the widths
	Direct *Direct  // kept when an entry is modified; nil if [HasDirect] is false
}

// NewEntry compiles an entry for a table.
func (m *Machine) NewEntry(t *bmv2.Table, s EntrySpec) (*Entry, error) {
	spec := m.spec(t)
	if len(s.Match) != len(t.Key) {
		return nil, fmt.Errorf("%d match fields: table %q has %d", len(s.Match), t.Name, len(t.Key))
	}
	e := &Entry{}
	if t.Profile == nil {
		var err error
		if e, err = m.newAction(spec, s); err != nil {
			return nil, err
		}
	}
	e.direct = s.Direct
	spec.setKey(e, s)
	return e, nil
}

// NewDefault compiles what a table does on a miss.
func (m *Machine) NewDefault(t *bmv2.Table, a *bmv2.Action, params [][]byte) (*Entry, error) {
	return m.newAction(m.spec(t), EntrySpec{Action: a, Params: params})
}

func (m *Machine) spec(t *bmv2.Table) *tableSpec { return m.byName[t.Name] }

func (m *Machine) newAction(spec *tableSpec, s EntrySpec) (*Entry, error) {
	a, slot := m.actions[s.Action], slices.Index(spec.actions, s.Action)
	if slot < 0 || len(s.Params) != len(s.Action.Params) {
		return nil, fmt.Errorf("table %q: unknown action or wrong number of parameters",
			spec.t.Name)
	}
	e := &Entry{act: a, args: make([]uint64, a.words), slot: slot}
	for i, p := range s.Action.Params {
		n := (p.Width + 63) / 64
		words := e.args[a.offsets[i]:][:n]
		putWords(words, s.Params[i])
		words[n-1] &= mask(p.Width - 64*(n-1))
	}
	e.image = m.images.image(a, m.layout.size, e.args)
	return e, nil
}

// setKey fills in the form of the match that the table's index uses.
func (s *tableSpec) setKey(e *Entry, in EntrySpec) {
	if s.form == formPacked {
		for i, p := range s.parts {
			e.word = e.word<<p.width | wordOf(in.Match[i].Value)&mask(p.width)
		}
		e.word &= s.packMask
		return
	}
	if s.form == formTernary {
		e.rank = uint64(in.Priority)<<32 | uint64(^in.Order)
		s.setTernary(e, in)
		return
	}
	e.key = make([]byte, s.keyBytes)
	s.keyOf(in, e.key)
	switch s.form {
	case formBytes:
		e.word = hashKey(e.key)
	case formLPM:
		last := s.parts[s.lpm]
		e.prefix = 8*last.off + 8*last.size - last.width + in.Match[s.lpm].PrefixLen
	}
}

// keyOf puts the values of a match together as packets have them.
func (s *tableSpec) keyOf(in EntrySpec, key []byte) {
	for i, p := range s.parts {
		copy(key[p.off:p.off+p.size], in.Match[i].Value)
	}
	for i, m := range s.static {
		key[i] &= m
	}
}

func (s *tableSpec) setTernary(e *Entry, in EntrySpec) {
	var room [128]byte
	key, masks := room[:s.keyBytes:64], room[64:]
	if s.keyBytes > 64 {
		key, masks = make([]byte, s.keyBytes), make([]byte, s.keyBytes)
	}
	masks = masks[:s.keyBytes]
	s.keyOf(in, key)
	for i, p := range s.parts {
		m, dst := in.Match[i], masks[p.off:p.off+p.size]
		switch p.kind {
		case bmv2.MatchExact:
			fill(dst, p.width)
		case bmv2.MatchLPM:
			prefixMask(dst, p.width, m.PrefixLen)
		case bmv2.MatchTernary:
			copy(dst, m.Mask)
		}
	}
	for i, m := range s.static {
		masks[i] &= m
	}
	for i, p := range s.parts {
		if p.kind == bmv2.MatchRange {
			e.setRange(p, key, masks, in.Match[i])
		}
	}
	n := align(s.keyBytes, 8) / 8
	words := make([]uint64, 2*n)
	e.masks, e.values = words[:n:n], words[n:]
	bigEndianWords(e.masks, masks)
	bigEndianWords(e.values, key)
	for i, m := range e.masks {
		e.values[i] &= m
	}
}

// fill sets the low width bits.
func fill(dst []byte, width int) { prefixMask(dst, width, width) }

// prefixMask sets the first n of the low width bits.
func prefixMask(dst []byte, width, n int) {
	lead := 8*len(dst) - width
	for i := lead; i < lead+n; i++ {
		dst[i/8] |= 0x80 >> (i % 8)
	}
}

// bigEndianWords splits a byte string into words as tables read keys; the words must be zero.
func bigEndianWords(out []uint64, b []byte) {
	for i, v := range b {
		out[i/8] |= uint64(v) << (56 - 8*(i%8))
	}
}

package engine

import (
	"fmt"
	"math/bits"

	"github.com/turbokv/turbokv/bmv2"
)

// A Tracer is told what a packet meets, at the moment when it does. It may look at the state and
// must not change it.
type Tracer interface {
	// State is called after a parser state, with the headers that it extracted and, if the next
	// state was chosen because a value set has the key, that set.
	State(s *bmv2.ParseState, extracted []*bmv2.Header, by *bmv2.ValueSet)
	// Condition is called with the outcome of an if statement.
	Condition(c *bmv2.Conditional, outcome bool)
	// Lookup is called before the action runs.
	Lookup(l Lookup)
	// Call is called before an action that is called without a table.
	Call(a *bmv2.Action)
}

// Lookup is what a packet met in a table.
type Lookup struct {
	Table *bmv2.Table
	Key   [][]byte
	Entry *Entry // the one that was hit, or nil on a miss
	Run   *Entry // whose action runs: Entry, a member of the profile, or the default; nil: none
	// Color is what the direct meter said about a hit, if the table has one.
	Color uint64
	// Member and Group are the ids of what was chosen in a table with a profile.
	Member, Group uint32
}

// Trace does what Run does, slowly, and tells t.
func (p *Parser) Trace(st *State, t Tracer) {
	budget := p.begin(st)
	for s := p.init; s != nil; budget-- {
		before := p.machine.ValidHeaders(st)
		st.set = 0
		next := s.step(st)
		t.State(s.spec, added(before, p.machine.ValidHeaders(st)), p.machine.chosenBy(st))
		s = next
		if budget == 0 {
			st.fail = parserTimeout
		}
		if st.fail != 0 {
			p.stop(st)
			break
		}
	}
	p.check(st)
}

// added returns what is in after but not in before; both have the same order.
func added(before, after []*bmv2.Header) (out []*bmv2.Header) {
	for _, h := range after {
		if len(before) > 0 && before[0] == h {
			before = before[1:]
			continue
		}
		out = append(out, h)
	}
	return out
}

// traceable is a control in the order of the program: packets that nobody follows take the threaded
// graph of nodes instead, in which conditions and fixed tables have lost their identity.
type traceable struct {
	init  bmv2.Node
	conds map[*bmv2.Conditional]pred
	specs map[*bmv2.Table]*tableSpec
	fixed map[bmv2.Node]*Entry // what a node always does
}

func (c *compiler) traceable(p *bmv2.Pipeline, g graph) (*traceable, error) {
	out := &traceable{init: p.Init, conds: map[*bmv2.Conditional]pred{},
		specs: map[*bmv2.Table]*tableSpec{}, fixed: map[bmv2.Node]*Entry{}}
	for _, n := range p.Conditionals {
		cond, err := c.truth(n.Cond)
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.Name, err)
		}
		out.conds[n] = cond
	}
	for _, n := range p.ActionCalls {
		out.fixed[n] = &Entry{act: c.actions[n.Action]}
	}
	for _, t := range p.Tables {
		out.specs[t] = c.byName[t.Name]
		if e := g[t].entry; e != nil {
			out.fixed[t] = e
		}
	}
	return out, nil
}

// Trace does what Run does, slowly, and tells t. State.Tables must be set.
func (k *Control) Trace(st *State, t Tracer) {
	st.exited = false
	for n := k.slow.init; n != nil && !st.exited; {
		switch x := n.(type) {
		case *bmv2.Conditional:
			outcome := k.slow.conds[x](st)
			t.Condition(x, outcome)
			if n = x.False; outcome {
				n = x.True
			}
		case *bmv2.ActionCall:
			t.Call(x.Action)
			k.slow.fixed[x].run(st)
			n = x.Next
		case *bmv2.Table:
			n = k.slow.apply(x, st, t)
		}
	}
}

func (k *traceable) apply(x *bmv2.Table, st *State, t Tracer) bmv2.Node {
	spec := k.specs[x]
	l := Lookup{Table: x, Run: k.fixed[x]}
	l.Key = spec.values(st)
	if l.Run == nil {
		spec.trace(st, &l)
	}
	t.Lookup(l)
	if l.Run != nil {
		l.Run.run(st)
	}
	return spec.successor(x, &l)
}

// trace looks a packet up and fills in what it meets.
func (s *tableSpec) trace(st *State, l *Lookup) {
	t := st.Tables[s.index]
	if l.Entry = s.lookup(st, t); l.Entry == nil {
		l.Run = t.def
		return
	}
	if l.Entry.direct != nil {
		l.Color = s.direct.hit(st, l.Entry.direct)
	}
	if l.Run = l.Entry; s.t.Profile == nil {
		return
	}
	ref := l.Entry.ref
	if ref.Group {
		l.Group = t.profile.groups.at(ref.Place).ID
	}
	l.Run = nil
	if m := s.member(st, t, ref); m != nil {
		l.Member, l.Run = m.ID, m.run[s.profileTable]
	}
}

func (s *tableSpec) successor(x *bmv2.Table, l *Lookup) bmv2.Node {
	hit := l.Entry != nil
	if l.Run != nil && !x.ByHit {
		if next, listed := x.Next[s.actions[l.Run.slot]]; listed {
			return next
		}
	}
	if hit {
		return x.Hit
	}
	return x.Miss
}

// values returns the key of a packet, one byte string for each field, without static masks.
func (s *tableSpec) values(st *State) (out [][]byte) {
	for i, part := range s.parts {
		v := make([]byte, 0, part.size)
		if src := &s.sources[i]; src.valid >= 0 && st.arena[src.valid] == 0 {
			v = v[:part.size]
		} else {
			v = appendField(st.arena, src.place, part.size, v)
		}
		out = append(out, v)
	}
	return out
}

// ValidHeaders returns the headers of a packet, in the order of the program.
func (m *Machine) ValidHeaders(st *State) (out []*bmv2.Header) {
	for _, h := range m.Program.Headers {
		if !h.Metadata && st.arena[m.layout.headers[h].valid] != 0 {
			out = append(out, h)
		}
	}
	return out
}

// Valid reports whether a packet has a header; metadata is always there.
func (m *Machine) Valid(st *State, h *bmv2.Header) bool {
	return h.Metadata || st.arena[m.layout.headers[h].valid] != 0
}

// Value returns a field as a big-endian byte string of whole bytes; of a variable-length field, as
// many as it has at present.
func (m *Machine) Value(st *State, r bmv2.FieldRef) []byte {
	p := m.layout.place(r)
	if r.Var() {
		p = m.present(st, r.Header)
	}
	return appendField(st.arena, p, (p.width+7)/8, nil)
}

// Action returns the action of the entry.
func (e *Entry) Action() *bmv2.Action { return e.act.spec }

// Priority returns the priority in a ternary or range table, else 0.
func (e *Entry) Priority() int32 { return int32(e.rank >> 32) }

// Params returns the parameters of the action as big-endian byte strings of whole bytes.
func (e *Entry) Params() (out [][]byte) {
	for i, p := range e.act.spec.Params {
		words := e.args[e.act.offsets[i]:][:(p.Width+63)/64]
		var v []byte
		for k := len(words) - 1; k >= 0; k-- {
			v = be.AppendUint64(v, words[k])
		}
		out = append(out, v[len(v)-(p.Width+7)/8:])
	}
	return out
}

// Match returns the condition of an entry of a table on each key field. Every value has the bytes of
// its field; a static mask of the program has been applied to it.
func (m *Machine) Match(t *bmv2.Table, e *Entry) []Match {
	s := m.spec(t)
	out := make([]Match, len(s.parts))
	word := e.word
	for i := len(s.parts) - 1; i >= 0; i-- {
		p, x := s.parts[i], &out[i]
		switch s.form {
		case formPacked:
			v := be.AppendUint64(nil, word&mask(p.width))
			x.Value = v[8-p.size:]
			word >>= p.width
		case formTernary:
			x.Value, x.Mask = bytesAt(e.values, p), bytesAt(e.masks, p)
			switch p.kind {
			case bmv2.MatchRange:
				x.Value, x.High = e.bounds(p, x.Value, x.Mask)
				x.Mask = nil
			case bmv2.MatchLPM:
				x.PrefixLen, x.Mask = ones(x.Mask), nil
			}
		default:
			x.Value = e.key[p.off : p.off+p.size]
			if i == s.lpm {
				x.PrefixLen = e.prefix - (8*p.off + 8*p.size - p.width)
			}
		}
	}
	return out
}

// ones counts the bits of a mask.
func ones(mask []byte) (n int) {
	for _, b := range mask {
		n += bits.OnesCount8(b)
	}
	return n
}

// bytesAt cuts a part out of a key in words, see bigEndianWords.
func bytesAt(words []uint64, p keyPart) []byte {
	var all []byte
	for _, w := range words {
		all = be.AppendUint64(all, w)
	}
	return all[p.off : p.off+p.size]
}

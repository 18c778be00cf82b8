package v1model

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// matcher brings the matches of one table into their only form.
type matcher struct {
	table *bmv2.Table
	size  int            // bytes of an identity
	wild  []engine.Match // by key field: what matches everything

	// What does not outlive a call.
	block   []byte
	matches []Match
	specs   []engine.Match
}

// identityHead is the number of bytes for the priority.
const identityHead = 4

func newMatcher(t *bmv2.Table) matcher {
	m := matcher{table: t, size: identityHead}
	for _, k := range t.Key {
		m.size += (k.Width+7)/8 + secondSize(&k)
		zero := make([]byte, (k.Width+7)/8)
		m.wild = append(m.wild,
			engine.Match{Value: zero, Mask: zero, High: ones(k.Width, k.Width)})
	}
	m.block, m.matches = make([]byte, m.size), make([]Match, len(t.Key))
	m.specs = make([]engine.Match, len(t.Key))
	return m
}

// secondSize returns how many bytes an identity has for a key field besides its value.
func secondSize(k *bmv2.KeyField) int {
	switch k.Kind {
	case bmv2.MatchLPM:
		return 4
	case bmv2.MatchTernary, bmv2.MatchRange:
		return (k.Width + 7) / 8
	}
	return 0
}

// identity is what tells an entry from all others of its table: its priority, then for each field its
// value and its mask, high end or prefix length.
type identity string

// normalize checks the match part of an entry and returns it with its identity. The match has bytes of
// its own.
func (m *matcher) normalize(e *Entry) ([]Match, identity, error) {
	block, matches := make([]byte, m.size), make([]Match, len(m.table.Key))
	if err := m.fill(e, block, matches); err != nil {
		return nil, "", err
	}
	return matches, identity(block), nil
}

// identify returns the identity of an entry, until the next call.
func (m *matcher) identify(e *Entry) ([]byte, error) {
	clear(m.block)
	clear(m.matches)
	return m.block, m.fill(e, m.block, m.matches)
}

// fill writes the identity of an entry to block, and a match that lies in it to out.
func (m *matcher) fill(e *Entry, block []byte, out []Match) error {
	t := m.table
	if len(e.Match) != len(t.Key) {
		return fmt.Errorf("%w: %d match fields, want %d: %s", ErrInvalid, len(e.Match), len(t.Key),
			keyNames(t))
	}
	ordered := t.MatchKind >= bmv2.MatchTernary
	if ordered != (e.Priority > 0) {
		return fmt.Errorf("%w: priority %d in a table of kind %s (positive for ternary "+
			"and range, else 0)", ErrInvalid, e.Priority, t.MatchKind)
	}
	binary.BigEndian.PutUint32(block, uint32(e.Priority))
	at := identityHead
	for i := range t.Key {
		k := &t.Key[i]
		n := (k.Width + 7) / 8
		end := at + n + secondSize(k)
		err := out[i].set(k, &e.Match[i], block[at:at+n:at+n], block[at+n:end:end])
		if err != nil {
			return fmt.Errorf("match field %q: %w", k.Name, err)
		}
		at = end
	}
	return nil
}

// set brings the condition on one key field into its only form: full-length byte strings, Any where
// it matches everything. The bytes of the value and of what comes second are for it to fill.
func (m *Match) set(k *bmv2.KeyField, in *Match, value, second []byte) error {
	if in.Any {
		m.Any = true
		switch k.Kind {
		case bmv2.MatchExact:
			return fmt.Errorf("%w: an exact field cannot match anything", ErrInvalid)
		case bmv2.MatchRange:
			fill(second, k.Width)
		}
		return nil
	}
	if err := fitInto(value, in.Value, k.Width); err != nil {
		return err
	}
	switch m.Value = value; k.Kind {
	case bmv2.MatchLPM:
		return m.setPrefix(k, in.PrefixLen, second)
	case bmv2.MatchTernary:
		return m.setMask(k, in.Mask, second)
	case bmv2.MatchRange:
		return m.setHigh(k, in.High, second)
	}
	return nil
}

func (m *Match) setPrefix(k *bmv2.KeyField, n int, second []byte) error {
	if n < 0 || n > k.Width {
		return fmt.Errorf("%w: prefix length %d, want 0 to %d", ErrInvalid, n, k.Width)
	}
	if trailing(m.Value, k.Width-n) {
		return fmt.Errorf("%w: value 0x%x has bits after its prefix of %d", ErrInvalid, m.Value, n)
	}
	if n == 0 {
		*m = Match{Any: true}
		return nil
	}
	binary.BigEndian.PutUint32(second, uint32(n))
	m.PrefixLen = n
	return nil
}

func (m *Match) setMask(k *bmv2.KeyField, mask, second []byte) error {
	if err := fitInto(second, mask, k.Width); err != nil {
		return err
	}
	m.Mask = second
	if outside(m.Value, m.Mask) {
		return fmt.Errorf("%w: value 0x%x has bits outside its mask 0x%x", ErrInvalid, m.Value,
			m.Mask)
	}
	if zero(m.Mask) {
		*m = Match{Any: true}
	}
	return nil
}

func (m *Match) setHigh(k *bmv2.KeyField, high, second []byte) error {
	if err := fitInto(second, high, k.Width); err != nil {
		return err
	}
	m.High = second
	if bytes.Compare(m.Value, m.High) > 0 {
		return fmt.Errorf("%w: range from 0x%x to 0x%x is empty", ErrInvalid, m.Value, m.High)
	}
	if zero(m.Value) && full(m.High, k.Width) {
		*m = Match{Any: true}
	}
	return nil
}

// engineMatches turns normalized conditions into what the engine takes, until the next call.
func (m *matcher) engineMatches(in []Match) []engine.Match {
	for i := range in {
		if in[i].Any {
			m.specs[i] = m.wild[i]
			continue
		}
		m.specs[i] = engine.Match{Value: in[i].Value, Mask: in[i].Mask, High: in[i].High,
			PrefixLen: in[i].PrefixLen}
	}
	return m.specs
}

func keyNames(t *bmv2.Table) string {
	var names []string
	for _, k := range t.Key {
		names = append(names, fmt.Sprintf("%s (%s, %d bits)", k.Name, k.Kind, k.Width))
	}
	return strings.Join(names, ", ")
}

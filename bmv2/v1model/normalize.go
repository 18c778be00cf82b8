package v1model

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// fit pads a big-endian byte string to the bytes of a width, or says that it is too wide.
func fit(v []byte, width int) ([]byte, error) {
	size := (width + 7) / 8
	trimmed := bytes.TrimLeft(v, "\x00")
	bits := 8 * len(trimmed)
	if len(trimmed) > 0 {
		for b := trimmed[0]; b&0x80 == 0; b <<= 1 {
			bits--
		}
	}
	if bits > width {
		return nil, fmt.Errorf("%w: 0x%x has %d bits, the field has %d", ErrWidth, v, bits, width)
	}
	out := make([]byte, size)
	copy(out[size-len(trimmed):], trimmed)
	return out, nil
}

// ones returns a byte string with the first n of the low width bits set.
func ones(width, n int) []byte {
	out := make([]byte, (width+7)/8)
	lead := 8*len(out) - width
	for i := lead; i < lead+n; i++ {
		out[i/8] |= 0x80 >> (i % 8)
	}
	return out
}

// outside reports whether v has bits that m lacks.
func outside(v, m []byte) bool {
	for i := range v {
		if v[i]&^m[i] != 0 {
			return true
		}
	}
	return false
}

// match brings the condition on one key field into its only form: full-length byte strings,
// Any where it matches everything.
func match(k bmv2.KeyField, m Match) (Match, error) {
	if m.Any && k.Kind == bmv2.MatchExact {
		return m, fmt.Errorf("%w: an exact field cannot match anything", ErrInvalid)
	}
	if m.Any {
		return Match{Any: true}, nil
	}
	value, err := fit(m.Value, k.Width)
	if err != nil {
		return m, err
	}
	switch k.Kind {
	case bmv2.MatchLPM:
		return lpm(k, value, m.PrefixLen)
	case bmv2.MatchTernary:
		return ternary(k, value, m.Mask)
	case bmv2.MatchRange:
		return span(k, value, m.High)
	}
	return Match{Value: value}, nil
}

func lpm(k bmv2.KeyField, value []byte, n int) (Match, error) {
	if n < 0 || n > k.Width {
		return Match{}, fmt.Errorf("%w: prefix length %d, want 0 to %d", ErrInvalid, n, k.Width)
	}
	if outside(value, ones(k.Width, n)) {
		return Match{}, fmt.Errorf("%w: value 0x%x has bits after its prefix of %d",
			ErrInvalid, value, n)
	}
	if n == 0 {
		return Match{Any: true}, nil
	}
	return Match{Value: value, PrefixLen: n}, nil
}

func ternary(k bmv2.KeyField, value, m []byte) (Match, error) {
	mask, err := fit(m, k.Width)
	if err != nil {
		return Match{}, err
	}
	if outside(value, mask) {
		return Match{}, fmt.Errorf("%w: value 0x%x has bits outside its mask 0x%x",
			ErrInvalid, value, mask)
	}
	if !outside(mask, make([]byte, len(mask))) {
		return Match{Any: true}, nil
	}
	return Match{Value: value, Mask: mask}, nil
}

func span(k bmv2.KeyField, low, h []byte) (Match, error) {
	high, err := fit(h, k.Width)
	if err != nil {
		return Match{}, err
	}
	if bytes.Compare(low, high) > 0 {
		return Match{}, fmt.Errorf("%w: range from 0x%x to 0x%x is empty", ErrInvalid, low, high)
	}
	if !outside(low, make([]byte, len(low))) && bytes.Equal(high, ones(k.Width, k.Width)) {
		return Match{Any: true}, nil
	}
	return Match{Value: low, High: high}, nil
}

// engineMatch turns a normalized condition into what the engine takes.
func engineMatch(k bmv2.KeyField, m Match) engine.Match {
	size := (k.Width + 7) / 8
	if m.Any {
		return engine.Match{Value: make([]byte, size), Mask: make([]byte, size),
			High: ones(k.Width, k.Width)}
	}
	return engine.Match{Value: m.Value, Mask: m.Mask, High: m.High, PrefixLen: m.PrefixLen}
}

// normalizeMatch checks the match part of an entry and returns it with its identity.
func normalizeMatch(t *bmv2.Table, e *Entry) ([]Match, string, error) {
	if len(e.Match) != len(t.Key) {
		return nil, "", fmt.Errorf("%w: %d match fields, want %d: %s", ErrInvalid,
			len(e.Match), len(t.Key), keyNames(t))
	}
	ordered := t.MatchKind >= bmv2.MatchTernary
	if ordered != (e.Priority > 0) {
		return nil, "", fmt.Errorf("%w: priority %d in a table of kind %s (positive for ternary "+
			"and range, else 0)", ErrInvalid, e.Priority, t.MatchKind)
	}
	id := fmt.Appendf(nil, "%d", e.Priority)
	out := make([]Match, len(e.Match))
	for i, k := range t.Key {
		m, err := match(k, e.Match[i])
		if err != nil {
			return nil, "", fmt.Errorf("match field %q: %w", k.Name, err)
		}
		out[i] = m
		id = fmt.Appendf(id, ",%x/%x/%x/%d", m.Value, m.Mask, m.High, m.PrefixLen)
	}
	return out, string(id), nil
}

func keyNames(t *bmv2.Table) string {
	var names []string
	for _, k := range t.Key {
		names = append(names, fmt.Sprintf("%s (%s, %d bits)", k.Name, k.Kind, k.Width))
	}
	return strings.Join(names, ", ")
}

// normalizeAction checks the action part of an entry.
func normalizeAction(t *bmv2.Table, name string, params [][]byte) (*bmv2.Action, [][]byte, error) {
	a := t.Action(name)
	if a == nil {
		return nil, nil, fmt.Errorf("%w: action %q, the table has %s", ErrUnknown, name,
			actionNames(t))
	}
	if len(params) != len(a.Params) {
		return nil, nil, fmt.Errorf("%w: %d parameters, action %q has %d", ErrInvalid,
			len(params), name, len(a.Params))
	}
	out := make([][]byte, len(params))
	for i, p := range a.Params {
		v, err := fit(params[i], p.Width)
		if err != nil {
			return nil, nil, fmt.Errorf("parameter %q of action %q: %w", p.Name, name, err)
		}
		out[i] = v
	}
	return a, out, nil
}

func actionNames(t *bmv2.Table) string {
	var names []string
	for _, a := range t.Actions {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// intParams converts the arguments that a program declares.
func intParams(args []*big.Int) [][]byte {
	out := make([][]byte, len(args))
	for i, v := range args {
		out[i] = v.Bytes()
	}
	return out
}

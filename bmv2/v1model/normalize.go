package v1model

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
)

// fit pads a big-endian byte string to the bytes of a width, or says that it is too wide.
func fit(v []byte, width int) ([]byte, error) {
	out := make([]byte, (width+7)/8)
	return out, fitInto(out, v, width)
}

// fitInto does the same in place; out must be zero.
func fitInto(out, v []byte, width int) error {
	trimmed := v
	for len(trimmed) > 0 && trimmed[0] == 0 {
		trimmed = trimmed[1:]
	}
	if len(trimmed) == 0 {
		return nil
	}
	if n := 8*(len(trimmed)-1) + bits.Len8(trimmed[0]); n > width {
		return fmt.Errorf("%w: 0x%x has %d bits, the field has %d", ErrWidth, v, n, width)
	}
	copy(out[len(out)-len(trimmed):], trimmed)
	return nil
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

// zero reports whether no bit is set.
func zero(v []byte) bool {
	for _, b := range v {
		if b != 0 {
			return false
		}
	}
	return true
}

// fill sets the low width bits of a byte string of that width.
func fill(v []byte, width int) {
	for i := range v {
		v[i] = 0xff
	}
	v[0] >>= 8*len(v) - width
}

// full reports whether all of the low width bits are set.
func full(v []byte, width int) bool {
	for _, b := range v[1:] {
		if b != 0xff {
			return false
		}
	}
	return v[0] == 0xff>>(8*len(v)-width)
}

// trailing reports whether one of the lowest n bits is set.
func trailing(v []byte, n int) bool {
	for i := len(v) - 1; n > 0; i, n = i-1, n-8 {
		if n < 8 {
			return v[i]&(1<<n-1) != 0
		}
		if v[i] != 0 {
			return true
		}
	}
	return false
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
	size := 0
	for _, p := range a.Params {
		size += (p.Width + 7) / 8
	}
	out, block := make([][]byte, len(params)), make([]byte, size)
	for i, p := range a.Params {
		n := (p.Width + 7) / 8
		out[i], block = block[:n:n], block[n:]
		if err := fitInto(out[i], params[i], p.Width); err != nil {
			return nil, nil, fmt.Errorf("parameter %q of action %q: %w", p.Name, name, err)
		}
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

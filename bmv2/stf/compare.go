package stf

import (
	"maps"
	"slices"
	"strings"
)

// compare checks what left the switch on every port that the test mentions.
func (r *run) compare() error {
	m := &Mismatch{}
	for _, port := range slices.Sorted(maps.Keys(r.ports)) {
		if !r.any[port] {
			m.Differences = append(m.Differences, differences(port, r.expects[port], r.output[port])...)
		}
	}
	if r.nothing {
		for _, port := range slices.Sorted(maps.Keys(r.output)) {
			if !r.ports[port] || r.any[port] {
				m.Differences = append(m.Differences, differences(port, nil, r.output[port])...)
			}
		}
	}
	if len(m.Differences) > 0 {
		return m
	}
	return nil
}

// Matches reports whether a frame is what was expected.
func (e Expect) Matches(frame []byte) bool {
	if 2*len(frame) < len(e.Value) || e.Exact && 2*len(frame) > len(e.Value) {
		return false
	}
	for i, v := range e.Value {
		digit := frame[i/2] >> (4 * (1 - i%2)) & 0xf
		if e.Care[i] && digit != v {
			return false
		}
	}
	return true
}

// String returns the pattern as a file has it.
func (e Expect) String() string {
	var b strings.Builder
	for i, v := range e.Value {
		if e.Care[i] {
			b.WriteByte("0123456789abcdef"[v])
		} else {
			b.WriteByte('*')
		}
	}
	if e.Exact {
		b.WriteByte('$')
	}
	return b.String()
}

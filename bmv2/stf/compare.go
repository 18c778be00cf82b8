package stf

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// compare checks what left the switch on every port that the test mentions.
func (r *run) compare() error {
	for _, port := range slices.Sorted(maps.Keys(r.ports)) {
		got := r.output[port]
		if r.any[port] {
			continue
		}
		for i, want := range r.expects[port] {
			if i >= len(got) {
				return fmt.Errorf("port %d: %d frames left, want %d; missing %s",
					port, len(got), len(r.expects[port]), want)
			}
			if !want.Matches(got[i]) {
				return fmt.Errorf("port %d, frame %d:\n got %s\nwant %s",
					port, i, hex.EncodeToString(got[i]), want)
			}
		}
		if extra := len(r.expects[port]); len(got) > extra {
			return fmt.Errorf("port %d: unexpected frame %s", port, hex.EncodeToString(got[extra]))
		}
	}
	if r.nothing && len(r.output) > 0 {
		return fmt.Errorf("frames left on ports %v, want none",
			slices.Sorted(maps.Keys(r.output)))
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

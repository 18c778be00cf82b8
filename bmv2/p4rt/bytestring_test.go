package p4rt

import (
	"bytes"
	"math/big"
	"testing"
)

// The examples of the specification's tables "Valid" and "Invalid Bytestring Encoding".
func TestByteStringsOfTheSpecification(t *testing.T) {
	for _, c := range []struct {
		signed    bool
		width     int
		sent      string
		canonical string // "": refused
	}{
		{false, 8, "\x63", "\x63"},
		{false, 16, "\x00\x63", "\x63"},
		{false, 16, "\x63", "\x63"},
		{false, 16, "\x30\x64", "\x30\x64"},
		{false, 16, "\x00\x30\x64", "\x30\x64"},
		{false, 12, "\x00\x63", "\x63"},
		{false, 12, "\x63", "\x63"},
		{false, 12, "\x00\x00\x63", "\x63"},
		{true, 8, "\x63", "\x63"},
		{true, 8, "\x9d", "\x9d"},
		{true, 8, "\xff\x9d", "\x9d"},
		{true, 12, "\xfd\x1d", "\xfd\x1d"},
		{true, 16, "\x00\x00", "\x00"},
		{true, 16, "\x00", "\x00"},
		{false, 8, "\x01\x63", ""},
		{false, 8, "", ""},
		{false, 16, "\x01\x00\x63", ""},
		{false, 12, "\x10\x63", ""},
		{false, 12, "\x01\x00\x63", ""},
		{false, 12, "\x00\x40\x63", ""},
		{true, 8, "\x00\x9d", ""},
		{true, 12, "\x8d\x1d", ""},
		{true, 16, "", ""},
	} {
		got := ""
		if v, err := fit([]byte(c.sent), c.width); err == nil && !c.signed {
			got = string(canonical(v))
		}
		if v, err := fitInt([]byte(c.sent), c.width); err == nil && c.signed {
			got = string(canonicalInt(v, c.width))
		}
		if got != c.canonical {
			t.Errorf("signed %v, width %d, %x: got %x, want %x", c.signed, c.width, c.sent, got, c.canonical)
		}
	}
}

// number is the slow twin: what a byte string means.
func number(value []byte, signed bool) *big.Int {
	n := new(big.Int).SetBytes(value)
	if signed && len(value) > 0 && value[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(value))))
	}
	return n
}

func FuzzByteString(f *testing.F) {
	f.Add([]byte{0xff, 0x9d}, uint8(8))
	f.Add([]byte{0, 1, 2}, uint8(12))
	f.Fuzz(func(t *testing.T, sent []byte, bits uint8) {
		width := int(bits%70) + 1
		for _, signed := range []bool{false, true} {
			low, high := big.NewInt(0), new(big.Int).Lsh(big.NewInt(1), uint(width))
			fits, shortest := fit, canonical
			if signed {
				high.Rsh(high, 1)
				low.Neg(high)
				fits = fitInt
				shortest = func(v []byte) []byte { return canonicalInt(v, width) }
			}
			want := number(sent, signed)
			inRange := len(sent) > 0 && want.Cmp(low) >= 0 && want.Cmp(high) < 0
			value, err := fits(sent, width)
			if inRange != (err == nil) {
				t.Fatalf("%x as %d bits, signed %v: %v", sent, width, signed, err)
			}
			if err != nil {
				continue
			}
			out := shortest(value)
			if number(out, signed).Cmp(want) != 0 || len(out) > len(sent) {
				t.Errorf("%x as %d bits, signed %v, came back as %x", sent, width, signed, out)
			}
			if len(value) != (width+7)/8 || bytes.HasPrefix(out, []byte{0, 0}) {
				t.Errorf("%x as %d bits: stored as %x, sent as %x", sent, width, value, out)
			}
		}
	})
}

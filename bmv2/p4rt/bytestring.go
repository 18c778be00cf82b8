package p4rt

import (
	"bytes"
	"math/bits"
)

// canonical returns the shortest form of a number, as servers must send it: no leading zero byte,
// and one byte for zero (specification, section "Bytestrings").
func canonical(value []byte) []byte {
	value = bytes.TrimLeft(value, "\x00")
	if len(value) == 0 {
		return []byte{0}
	}
	return value
}

// canonicalInt returns the shortest form in two's complement of a number of the given width that
// comes in whole bytes.
func canonicalInt(value []byte, width int) []byte {
	out := extended(value, width)
	for len(out) > 1 && (out[0] == 0 && out[1] < 0x80 || out[0] == 0xff && out[1] >= 0x80) {
		out = out[1:]
	}
	return out
}

// extended returns a copy of a number of the given width with its sign in the spare bits.
func extended(value []byte, width int) []byte {
	out := bytes.Clone(value)
	if spare := 8*len(out) - width; spare > 0 && out[0]&(0x80>>spare) != 0 {
		out[0] |= ^(0xff >> spare)
	}
	return out
}

// fit brings a number to the full width of its field in whole bytes, or reports that it is too
// large. Clients may send any number of leading zero bytes, but never nothing.
func fit(value []byte, width int) ([]byte, error) {
	if len(value) == 0 {
		return nil, invalid("an empty byte string is no number")
	}
	value = bytes.TrimLeft(value, "\x00")
	if n := bitLen(value); n > width {
		return nil, invalid("value %s has %d bits, the field holds %d", hex(value), n, width)
	}
	out := make([]byte, (width+7)/8)
	copy(out[len(out)-len(value):], value)
	return out, nil
}

// fitInt is fit for two's complement. The spare bits of the result are zero.
func fitInt(value []byte, width int) ([]byte, error) {
	if len(value) == 0 {
		return nil, invalid("an empty byte string is no number")
	}
	sign := byte(int8(value[0]) >> 7) // all its bits
	size := (width + 7) / 8
	for len(value) > size && value[0] == sign && (value[1]^sign) < 0x80 {
		value = value[1:]
	}
	full := bytes.Repeat([]byte{sign}, max(size, len(value)))
	copy(full[len(full)-len(value):], value)
	out := bytes.Clone(full)
	for i, b := range ones(width) {
		out[i] &= b
	}
	if len(full) > size || !bytes.Equal(extended(out, width), full) {
		return nil, invalid("value %s does not fit int<%d>", hex(value), width)
	}
	return out, nil
}

// bitLen returns the bits of a number without leading zero bytes.
func bitLen(value []byte) int {
	if len(value) == 0 {
		return 0
	}
	return 8*(len(value)-1) + bits.Len8(value[0])
}

// lowBitsZero reports whether the lowest n bits of a number are zero.
func lowBitsZero(value []byte, n int) bool {
	for i := len(value) - 1; i >= 0 && n > 0; i-- {
		mask := byte(0xff)
		if n < 8 {
			mask = 1<<n - 1
		}
		if value[i]&mask != 0 {
			return false
		}
		n -= 8
	}
	return true
}

// ones returns the largest number of the given width.
func ones(width int) []byte {
	out := bytes.Repeat([]byte{0xff}, (width+7)/8)
	if extra := 8*len(out) - width; extra > 0 {
		out[0] >>= extra
	}
	return out
}

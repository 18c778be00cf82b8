package p4rt

import (
	"bytes"
	"math/bits"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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

// fit brings a number to the full width of its field in whole bytes, or reports that it is too
// large. Clients may send any number of leading zero bytes, or none.
func fit(value []byte, width int) ([]byte, error) {
	value = bytes.TrimLeft(value, "\x00")
	if n := bitLen(value); n > width {
		return nil, status.Errorf(codes.InvalidArgument,
			"value %#x has %d bits, the field holds %d", value, n, width)
	}
	out := make([]byte, (width+7)/8)
	copy(out[len(out)-len(value):], value)
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

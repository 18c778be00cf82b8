package stf

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// digitBits is the number of bits that a digit stands for, by prefix.
var digitBits = map[string]int{"0x": 4, "0b": 1, "0o": 3}

// number parses a value without wildcards to a big-endian byte string.
func number(text string) ([]byte, error) {
	v, ok := new(big.Int).SetString(text, 0)
	if !ok || v.Sign() < 0 {
		return nil, fmt.Errorf("value %q: want a decimal, 0x or 0b number", text)
	}
	return v.Bytes(), nil
}

// match converts the text of a key to a condition on a field.
func match(k bmv2.KeyField, text string) (v1model.Match, error) {
	switch k.Kind {
	case bmv2.MatchLPM:
		return lpm(k, text)
	case bmv2.MatchTernary:
		return ternary(k, text)
	case bmv2.MatchRange:
		return span(text)
	}
	v, err := number(text)
	return v1model.Match{Value: v}, err
}

// ternary compares the digits that are written, and nothing where a * stands. As in p4c's
// runner, digits that are not written do not count.
func ternary(k bmv2.KeyField, text string) (v1model.Match, error) {
	if value, mask, ok := strings.Cut(text, "&&&"); ok {
		return masked(value, mask)
	}
	if len(text) < 2 || digitBits[strings.ToLower(text[:2])] == 0 {
		v, err := number(text)
		return v1model.Match{Value: v, Mask: allOnes(k.Width)}, err
	}
	base := strings.ToLower(text[:2])
	digits := text[2:]
	top := strconv.FormatInt(1<<digitBits[base]-1, 16)
	mask := strings.Map(func(c rune) rune {
		if c == '*' {
			return '0'
		}
		return rune(top[0])
	}, digits)
	m, err := masked(base+strings.ReplaceAll(digits, "*", "0"), base+mask)
	if err != nil {
		return m, err
	}
	// Written digits may reach beyond the field.
	m.Mask = and(m.Mask, allOnes(k.Width))
	return m, nil
}

func masked(value, mask string) (v1model.Match, error) {
	v, err := number(value)
	if err != nil {
		return v1model.Match{}, err
	}
	m, err := number(mask)
	return v1model.Match{Value: and(v, m), Mask: m}, err
}

func and(a, b []byte) []byte {
	x, y := new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)
	return x.And(x, y).Bytes()
}

func allOnes(width int) []byte {
	one := big.NewInt(1)
	return new(big.Int).Sub(new(big.Int).Lsh(one, uint(width)), one).Bytes()
}

func lpm(k bmv2.KeyField, text string) (v1model.Match, error) {
	value, length, ok := strings.Cut(text, "/")
	n := k.Width
	var err error
	if ok {
		if n, err = strconv.Atoi(length); err != nil {
			return v1model.Match{}, fmt.Errorf("prefix length %q: want a number", length)
		}
	} else if len(value) > 2 && digitBits[strings.ToLower(value[:2])] > 0 {
		digits := strings.IndexByte(value+"*", '*') - 2
		n = min(k.Width, digits*digitBits[strings.ToLower(value[:2])])
		value = strings.ReplaceAll(value, "*", "0")
	}
	v, err := number(value)
	if err != nil || n < 0 || n > k.Width || new(big.Int).SetBytes(v).BitLen() > k.Width {
		return v1model.Match{},
			fmt.Errorf("prefix %q: want a value of %d bits and a length up to that",
				text, k.Width)
	}
	mask := new(big.Int).SetBytes(allOnes(k.Width))
	mask.Rsh(mask, uint(k.Width-n)).Lsh(mask, uint(k.Width-n))
	return v1model.Match{Value: and(v, mask.Bytes()), PrefixLen: n}, nil
}

func span(text string) (v1model.Match, error) {
	low, high, ok := strings.Cut(text, "->")
	if !ok {
		high = low
	}
	l, err := number(low)
	if err != nil {
		return v1model.Match{}, err
	}
	h, err := number(high)
	return v1model.Match{Value: l, High: h}, err
}

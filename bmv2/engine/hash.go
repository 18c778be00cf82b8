package engine

import (
	"fmt"
	"hash/crc32"
	"maps"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/turbokv/turbokv/bmv2"
)

// hashes are the algorithms of calculations that need nothing but their input, as simple_switch
// implements them.
var hashes = map[string]func([]byte) uint64{
	"csum16":    csum16,
	"cksum16":   csum16,
	"crc16":     crc16,
	"crcCCITT":  crcCCITT,
	"crc32":     crc32IEEE,
	"identity":  identity,
	"xor16":     xor16,
	"xor32":     xor32,
	"xxh64":     xxhash.Sum64,
	"bmv2_hash": xxhash.Sum64,
	"hash_ex":   hashEx,
}

// hasher returns the function of an algorithm. What it remembers belongs to the calculation.
func (c *compiler) hasher(k *bmv2.Calculation) (func([]byte) uint64, error) {
	if fn := hashes[k.Algo]; fn != nil {
		return fn, nil
	}
	if _, ok := crcDefaults[k.Algo]; ok {
		return c.customCRC(k).sum, nil
	}
	switch {
	case k.Algo == "round_robin":
		turn := c.roundRobin[k.Name]
		if turn == nil {
			turn = new(atomic.Uint64)
			c.roundRobin[k.Name] = turn
		}
		return func([]byte) uint64 { return turn.Add(1) - 1 }, nil
	case k.Algo == "random" && c.arch != nil:
		return func([]byte) uint64 { return c.arch.Random() }, nil
	}
	return nil, fmt.Errorf("calculation %q: %w", k.Name, unsupported(
		fmt.Sprintf("algorithm %q", k.Algo), hashNames()...))
}

func hashNames() []string {
	names := slices.AppendSeq([]string{"random", "round_robin"}, maps.Keys(hashes))
	return slices.Sorted(slices.Values(slices.AppendSeq(names, maps.Keys(crcDefaults))))
}

// csum16 is the Internet checksum (RFC 1071).
func csum16(b []byte) uint64 {
	var sum, carry uint64
	for len(b) >= 8 {
		sum, carry = bits.Add64(sum, be.Uint64(b), carry)
		b = b[8:]
	}
	var tail [8]byte
	copy(tail[:], b)
	sum, carry = bits.Add64(sum, be.Uint64(tail[:]), carry)
	return foldSum(sum, carry)
}

// foldSum adds the 16-bit words of a sum and returns the complement.
func foldSum(sum, carry uint64) uint64 {
	sum, carry = bits.Add64(sum, 0, carry)
	sum += carry
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^sum & 0xffff
}

func crc32IEEE(b []byte) uint64 { return uint64(crc32.ChecksumIEEE(b)) }

// crc16 is CRC-16/ARC: polynomial 0x8005, reflected, initial value 0.
func crc16(b []byte) uint64 {
	var crc uint16
	for _, v := range b {
		crc = crc>>8 ^ crc16Table[byte(crc)^v]
	}
	return uint64(crc)
}

// crcCCITT is CRC-16/CCITT-FALSE: polynomial 0x1021, initial value 0xffff.
func crcCCITT(b []byte) uint64 {
	crc := uint16(0xffff)
	for _, v := range b {
		crc = crc<<8 ^ ccittTable[byte(crc>>8)^v]
	}
	return uint64(crc)
}

var crc16Table, ccittTable = crcTables()

func crcTables() (arc, ccitt [256]uint16) {
	const arcReflected, ccittPoly = 0xa001, 0x1021
	for i := range 256 {
		a, c := uint16(i), uint16(i)<<8
		for range 8 {
			a = a>>1 ^ arcReflected*(a&1)
			c = c<<1 ^ ccittPoly*(c>>15)
		}
		arc[i], ccitt[i] = a, c
	}
	return arc, ccitt
}

// identity takes the first eight bytes as a number.
func identity(b []byte) uint64 {
	var v uint64
	for _, x := range b[:min(8, len(b))] {
		v = v<<8 | uint64(x)
	}
	return v
}

func xor16(b []byte) uint64 { return xorWords(b, 2) }
func xor32(b []byte) uint64 { return xorWords(b, 4) }

// xorWords combines big-endian words of n bytes; the last one is padded with zeroes.
func xorWords(b []byte, n int) uint64 {
	var v uint64
	for i, x := range b {
		v ^= uint64(x) << (8 * (n - 1 - i%n))
	}
	return v
}

// hashEx is simple_switch's hash_ex: FNV-1a with 32 bits and its own finish; bytes are signed.
func hashEx(b []byte) uint64 {
	h := uint32(2166136261)
	for _, x := range b {
		h = (h ^ uint32(int8(x))) * 16777619
	}
	h += h << 13
	h ^= h >> 7
	h += h << 3
	h ^= h >> 17
	h += h << 5
	return uint64(h)
}

package engine

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/turbokv/turbokv/bmv2"
)

// CRC are the parameters of a custom CRC, in the terms of the Rocksoft model. Polynomial, Initial
// and FinalXor have as many bits as the algorithm, the polynomial without its highest term.
type CRC struct {
	Polynomial, Initial, FinalXor uint64
	ReflectIn, ReflectOut         bool
}

// crcDefaults are the custom CRCs and what they compute until they are told otherwise.
var crcDefaults = map[string]struct {
	width int
	CRC
}{
	"crc8_custom":  {8, CRC{Polynomial: 0x07}},
	"crc16_custom": {16, CRC{Polynomial: 0x8005, ReflectIn: true, ReflectOut: true}},
	"crc32_custom": {32, CRC{Polynomial: 0x04c11db7, Initial: 0xffffffff, FinalXor: 0xffffffff,
		ReflectIn: true, ReflectOut: true}},
	"crc64_custom": {64, CRC{Polynomial: 0x1b, ReflectIn: true, ReflectOut: true}},
}

// customCRC is a calculation whose parameters may change while packets run.
type customCRC struct {
	width int
	now   atomic.Pointer[crcTable]
}

// crcTable is immutable: the remainders of all bytes at the top.
type crcTable struct {
	CRC
	width int
	table [256]uint64
}

func newCRCTable(width int, p CRC) *crcTable {
	t := &crcTable{CRC: p, width: width}
	for i := range t.table {
		r := uint64(i) << (width - 8)
		for range 8 {
			top := r >> (width - 1) & 1
			r = (r<<1 ^ p.Polynomial*top) & mask(width)
		}
		t.table[i] = r
	}
	return t
}

func (c *customCRC) sum(b []byte) uint64 {
	t := c.now.Load()
	r := t.Initial
	for _, x := range b {
		if t.ReflectIn {
			x = bits.Reverse8(x)
		}
		r = (t.table[x^byte(r>>(t.width-8))] ^ r<<8) & mask(t.width)
	}
	if t.ReflectOut {
		r = bits.Reverse64(r) >> (64 - t.width)
	}
	return r ^ t.FinalXor
}

func (c *compiler) customCRC(k *bmv2.Calculation) *customCRC {
	if crc := c.crcs[k.Name]; crc != nil {
		return crc
	}
	d := crcDefaults[k.Algo]
	crc := &customCRC{width: d.width}
	crc.now.Store(newCRCTable(d.width, d.CRC))
	c.crcs[k.Name] = crc
	return crc
}

// CRCs returns the parameters of the custom CRCs by the names of their calculations.
func (m *Machine) CRCs() map[string]CRC {
	out := map[string]CRC{}
	for name, crc := range m.crcs {
		out[name] = crc.now.Load().CRC
	}
	return out
}

// SetCRC changes the parameters of a custom CRC. Packets may be under way.
func (m *Machine) SetCRC(calculation string, p CRC) error {
	crc := m.crcs[calculation]
	if crc == nil {
		return fmt.Errorf("no custom CRC %q: the program has %s", calculation,
			strings.Join(slices.Sorted(maps.Keys(m.crcs)), ", "))
	}
	if all := p.Polynomial | p.Initial | p.FinalXor; all&^mask(crc.width) != 0 {
		return fmt.Errorf("parameters of %q: more than %d bits", calculation, crc.width)
	}
	crc.now.Store(newCRCTable(crc.width, p))
	return nil
}

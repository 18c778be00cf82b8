package engine

import (
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

// TestCustomCRCs computes entries of the catalogue of parametrised CRC algorithms.
func TestCustomCRCs(t *testing.T) {
	const all16, all32, all64 = 0xffff, 0xffffffff, 0xffffffffffffffff
	for _, c := range []struct {
		name  string
		width int
		CRC
		want uint64
	}{
		{"CRC-8/ROHC", 8, CRC{0x07, 0xff, 0, true, true}, 0xd0},
		{"CRC-16/XMODEM", 16, CRC{0x1021, 0, 0, false, false}, 0x31c3},
		{"CRC-16/MODBUS", 16, CRC{0x8005, all16, 0, true, true}, 0x4b37},
		{"CRC-16/GENIBUS", 16, CRC{0x1021, all16, all16, false, false}, 0xd64e},
		{"CRC-32/BZIP2", 32, CRC{0x04c11db7, all32, all32, false, false}, 0xfc891918},
		{"CRC-32/MPEG-2", 32, CRC{0x04c11db7, all32, 0, false, false}, 0x0376e6e7},
		{"CRC-32C", 32, CRC{0x1edc6f41, all32, all32, true, true}, 0xe3069283},
		{"CRC-64/ECMA-182", 64, CRC{0x42f0e1eba9ea3693, 0, 0, false, false}, 0x6c40df5f0b497347},
		{"CRC-64/XZ", 64, CRC{0x42f0e1eba9ea3693, all64, all64, true, true}, 0x995dc9bbdf1939fa},
	} {
		crc := &customCRC{width: c.width}
		crc.now.Store(newCRCTable(c.width, c.CRC))
		if got := crc.sum([]byte("123456789")); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

// The parameters of an algorithm that are there before anybody sets some.
func TestCustomCRCDefaults(t *testing.T) {
	c := &compiler{Machine: &Machine{crcs: map[string]*customCRC{}}}
	for algo, fixed := range map[string]string{"crc16_custom": "crc16", "crc32_custom": "crc32"} {
		fn, err := c.hasher(&bmv2.Calculation{Name: algo, Algo: algo})
		if err != nil {
			t.Fatal(err)
		}
		b := []byte("some input of no meaning")
		if fn(b) != hashes[fixed](b) {
			t.Errorf("%s is not %s", algo, fixed)
		}
	}
	if err := c.SetCRC("crc16_custom", CRC{Polynomial: 0x10000}); err == nil ||
		!strings.Contains(err.Error(), "more than 16 bits") {
		t.Errorf("17 bits: %v", err)
	}
	if err := c.SetCRC("crc", CRC{}); err == nil ||
		!strings.Contains(err.Error(), "crc16_custom, crc32_custom") {
		t.Errorf("unknown: %v", err)
	}
	if err := c.SetCRC("crc16_custom", CRC{Polynomial: 0x1021}); err != nil {
		t.Fatal(err)
	}
	fn, err := c.hasher(&bmv2.Calculation{Name: "crc16_custom", Algo: "crc16_custom"})
	if err != nil || fn([]byte("123456789")) != 0x31c3 ||
		c.CRCs()["crc16_custom"].Polynomial != 0x1021 {
		t.Errorf("the new parameters are not used: %v", err)
	}
}

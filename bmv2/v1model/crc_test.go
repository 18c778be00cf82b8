package v1model_test

import (
	"errors"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// TestCRCParametersAreSet changes a custom CRC of a running program.
func TestCRCParametersAreSet(t *testing.T) {
	sw := newSwitch(t, "handmade", v1model.Config{})
	crcs := sw.CRCs()
	if len(crcs) != 2 || crcs["c_crc8"] != (v1model.CRC{Polynomial: 7}) {
		t.Fatalf("custom CRCs %+v", crcs)
	}
	w := sw.NewWorker()
	f := append([]byte{26, 0, 0, 0}, "123456789\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	if out := process(w, 0, f); out[0].frame[21] != 0xf4 {
		t.Errorf("crc8 is %#x, want 0xf4", out[0].frame[21])
	}
	must(t, sw.SetCRC("c_crc8", v1model.CRC{Polynomial: 7, Initial: 0xff, ReflectIn: true,
		ReflectOut: true}))
	if out := process(w, 0, f); out[0].frame[21] != 0xd0 {
		t.Errorf("after the change it is %#x, want 0xd0", out[0].frame[21])
	}
	err := sw.SetCRC("c_crc8", v1model.CRC{Polynomial: 0x100})
	if !errors.Is(err, v1model.ErrInvalid) {
		t.Errorf("nine bits: %v", err)
	}
	if err := sw.SetCRC("c_xxh", v1model.CRC{}); !errors.Is(err, v1model.ErrInvalid) {
		t.Errorf("no custom CRC: %v", err)
	}
}

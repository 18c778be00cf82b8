package v1model_test

import (
	"errors"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// AllCells changes every cell of an array, and no other negative index means anything.
func TestAllCells(t *testing.T) {
	sw := newSwitch(t, "stateful", v1model.Config{})
	config := &v1model.MeterConfig{CIR: 1, CBurst: 2, PIR: 3, PBurst: 4}
	cell := func(index int) []v1model.Op {
		return []v1model.Op{{Type: v1model.OpModify, Entity: &v1model.MeterCell{
			Meter: "ingress.packet_meter", Index: index, Config: config}}}
	}
	if errs := sw.Update(cell(v1model.AllCells)); errs != nil {
		t.Fatal(errs)
	}
	for i := range 4 {
		got, err := sw.Meter("ingress.packet_meter", i)
		if err != nil || got == nil || *got != *config {
			t.Errorf("meter %d: %v, %v", i, got, err)
		}
	}
	for _, index := range []int{-2, 4} {
		if errs := sw.Update(cell(index)); errs == nil || !errors.Is(errs[0], v1model.ErrRange) {
			t.Errorf("index %d: %v", index, errs)
		}
	}
}

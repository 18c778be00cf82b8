package v1model_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// clock is a time that tests set, in microseconds.
type clock struct{ now uint64 }

func (c *clock) read() uint64 { return c.now }

// colors sends n frames and writes down the colour of each.
func colors(w *v1model.Worker, n int, frame []byte) string {
	var b strings.Builder
	for range n {
		out := process(w, 0, frame)
		b.WriteByte("gyr"[out[0].frame[4]])
	}
	return b.String()
}

func metered(flow byte) *v1model.Entry {
	return &v1model.Entry{Table: "ingress.metered_table", Match: []v1model.Match{{Value: []byte{flow}}},
		Action: "ingress.police", Params: [][]byte{{1}}}
}

func TestMeterCellsAreIndependent(t *testing.T) {
	var c clock
	sw := newSwitch(t, "stateful", v1model.Config{Now: c.read})
	w := sw.NewWorker()
	config := v1model.MeterConfig{CIR: 1, CBurst: 2, PIR: 2, PBurst: 4}
	apply(t, sw, modify(&v1model.MeterCell{Meter: "ingress.packet_meter", Index: 1, Config: &config}),
		modify(&v1model.MeterCell{Meter: "ingress.byte_meter", Index: 1,
			Config: &v1model.MeterConfig{CIR: 0, CBurst: 12, PIR: 0, PBurst: 24}}))
	config.CBurst = 100 // what was written is a copy
	for _, step := range []struct {
		kind, flow byte
		seconds    uint64
		want       string
	}{
		{kindPacketMeter, 1, 0, "ggyyrr"},
		{kindPacketMeter, 2, 0, "gggggg"},
		{kindPacketMeter, 1, 1, "gyrrrr"},
		{kindPacketMeter, 1, 10, "ggyyrr"},
		{kindByteMeter, 1, 0, "ggyyrr"}, // frames of 6 bytes
		{kindByteMeter, 0, 0, "gggggg"},
		{kindPacketMeter, 200, 0, "gggggg"}, // no such cell: the field stays 0
	} {
		c.now += step.seconds * 1e6
		if got := colors(w, 6, stateful(step.kind, step.flow, 0)); got != step.want {
			t.Errorf("kind %d, flow %d after %d s: %s, want %s", step.kind, step.flow, step.seconds, got,
				step.want)
		}
	}
	if got, err := sw.Meter("ingress.packet_meter", 1); err != nil || got.CBurst != 2 {
		t.Errorf("read %+v, %v", got, err)
	}
	if got, err := sw.Meter("ingress.packet_meter", 2); err != nil || got != nil {
		t.Errorf("a cell without configuration: %+v, %v", got, err)
	}
	if got := sw.Stats().Sent; got != 6*7 {
		t.Errorf("%d frames sent", got)
	}
}

func TestDirectMeterBelongsToItsEntry(t *testing.T) {
	var c clock
	sw := newSwitch(t, "stateful", v1model.Config{Now: c.read})
	w := sw.NewWorker()
	config := &v1model.MeterConfig{CBurst: 1, PBurst: 3, PIR: 1}
	apply(t, sw, append(insert(metered(1), metered(2)),
		modify(&v1model.DirectMeter{Entry: metered(1), Config: config}))...)
	if got := colors(w, 4, stateful(kindMetered, 1, 0)); got != "gyyr" {
		t.Errorf("flow 1: %s", got)
	}
	if got := colors(w, 4, stateful(kindMetered, 2, 0)); got != "gggg" {
		t.Errorf("flow 2, without configuration: %s", got)
	}
	must(t, sw.Modify(metered(1)))
	if got := colors(w, 1, stateful(kindMetered, 1, 0)); got != "r" {
		t.Errorf("after the entry was modified: %s", got)
	}
	if got, err := sw.DirectMeter(metered(1)); err != nil || *got != *config {
		t.Errorf("read %+v, %v", got, err)
	}
	must(t, sw.Delete(metered(1)))
	must(t, sw.Insert(metered(1)))
	if got, err := sw.DirectMeter(metered(1)); err != nil || got != nil {
		t.Errorf("a new entry: %+v, %v", got, err)
	}
}

func TestMeterRefusals(t *testing.T) {
	sw := newSwitch(t, "stateful", v1model.Config{})
	apply(t, sw, insert(metered(1))...)
	cell := func(name string, index int, c v1model.MeterConfig) *v1model.MeterCell {
		return &v1model.MeterCell{Meter: name, Index: index, Config: &c}
	}
	aging := &v1model.Entry{Table: "ingress.aging_table", Match: []v1model.Match{{Value: []byte{1}}},
		Action: "ingress.drop"}
	apply(t, sw, insert(aging)...)
	for _, c := range []struct {
		op   v1model.Op
		want error
		text string
	}{
		{modify(cell("nope", 0, v1model.MeterConfig{})), v1model.ErrUnknown, "ingress.byte_meter, ingress.pack"},
		{modify(cell("ingress.flow_meter", 0, v1model.MeterConfig{})), v1model.ErrUnknown, "indirect meter"},
		{modify(cell("ingress.byte_meter", 4, v1model.MeterConfig{})), v1model.ErrRange, "4 cells"},
		{insert(cell("ingress.byte_meter", 1, v1model.MeterConfig{}))[0], v1model.ErrInvalid, "modified"},
		{modify(cell("ingress.byte_meter", 1, v1model.MeterConfig{CIR: 1})), v1model.ErrInvalid, "peak rate"},
		{modify(cell("ingress.byte_meter", 1, v1model.MeterConfig{CIR: -1})), v1model.ErrInvalid, "negative"},
		{modify(cell("ingress.byte_meter", 1, v1model.MeterConfig{PIR: 1, EBurst: 1})), v1model.ErrInvalid,
			"single rate"},
		{modify(&v1model.DirectMeter{Entry: metered(2)}), v1model.ErrNotFound, ""},
		{modify(&v1model.DirectMeter{Entry: aging}), v1model.ErrUnknown, "no direct meter"},
		{remove(&v1model.DirectMeter{Entry: metered(1)}), v1model.ErrInvalid, "modified"},
	} {
		_, err := sw.UpdateAtomic([]v1model.Op{c.op})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s %+v: %v, want %v: %s", c.op.Type, c.op.Entity, err, c.want, c.text)
		}
	}
}

// A batch that fails leaves cells alone, too.
func TestFailedBatchLeavesCellsAlone(t *testing.T) {
	var c clock
	sw := newSwitch(t, "stateful", v1model.Config{Now: c.read})
	w := sw.NewWorker()
	apply(t, sw, append(insert(metered(1)),
		modify(&v1model.DirectMeter{Entry: metered(1), Config: &v1model.MeterConfig{PBurst: 2}}))...)
	if got := colors(w, 1, stateful(kindMetered, 1, 0)); got != "y" {
		t.Fatal(got)
	}
	_, err := sw.UpdateAtomic([]v1model.Op{
		modify(&v1model.DirectMeter{Entry: metered(1), Config: &v1model.MeterConfig{PBurst: 9, CBurst: 9}}),
		modify(&v1model.MeterCell{Meter: "ingress.byte_meter", Index: 1, Config: &v1model.MeterConfig{}}),
		remove(metered(2)),
	})
	if !errors.Is(err, v1model.ErrNotFound) {
		t.Fatal(err)
	}
	if got := colors(w, 2, stateful(kindMetered, 1, 0)); got != "yr" {
		t.Errorf("the direct meter goes on with %s", got)
	}
	if got, _ := sw.Meter("ingress.byte_meter", 1); got != nil {
		t.Errorf("the cell has %+v", got)
	}
	regs := newSwitch(t, "tables", v1model.Config{})
	must(t, regs.WriteRegister("ingress.seen", 1, []byte{7}))
	_, err = regs.UpdateAtomic([]v1model.Op{
		modify(&v1model.RegisterCell{Register: "ingress.seen", Index: 1, Value: []byte{8}}),
		modify(&v1model.RegisterCell{Register: "ingress.seen", Index: 4, Value: []byte{8}}),
	})
	if !errors.Is(err, v1model.ErrRange) {
		t.Fatal(err)
	}
	if got, _ := regs.ReadRegister("ingress.seen", 1); fmt.Sprintf("%x", got) != "00000007" {
		t.Errorf("the register has %x", got)
	}
	apply(t, regs, modify(&v1model.RegisterCell{Register: "ingress.seen", Index: 1, Value: []byte{8}}))
	if got, _ := regs.ReadRegister("ingress.seen", 1); fmt.Sprintf("%x", got) != "00000008" {
		t.Errorf("the register has %x", got)
	}
}

package p4rt

import (
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func meterEntity(id uint32, index *p4v1.Index, c *p4v1.MeterConfig) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_MeterEntry{MeterEntry: &p4v1.MeterEntry{
		MeterId: id, Index: index, Config: c}}}
}

func directMeterEntity(e *p4v1.TableEntry, c *p4v1.MeterConfig) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_DirectMeterEntry{
		DirectMeterEntry: &p4v1.DirectMeterEntry{TableEntry: e, Config: c}}}
}

func at(i int64) *p4v1.Index { return &p4v1.Index{Index: i} }

func TestMeters(t *testing.T) {
	r := newRig(t).withEntities()
	id := r.id("two_rates")
	some := &p4v1.MeterConfig{Cir: 1, Cburst: 2, Pir: 3, Pburst: 4}
	other := &p4v1.MeterConfig{Cir: 5, Cburst: 5, Pir: 5, Pburst: 5}
	r.mustWrite(modify(meterEntity(id, nil, some)), modify(meterEntity(id, at(2), other)),
		modify(meterEntity(id, at(3), nil)))
	r.mustRead(meterEntity(id, nil, nil), meterEntity(id, at(0), some), meterEntity(id, at(1), some),
		meterEntity(id, at(2), other), meterEntity(id, at(3), nil))
	r.mustRead(meterEntity(id, at(2), nil), meterEntity(id, at(2), other))
	if all, err := r.read(meterEntity(0, nil, nil)); err != nil || len(all) != 8 {
		t.Errorf("all meters: %d cells, %v", len(all), err)
	}
	counted := meterEntity(id, at(0), nil)
	counted.GetMeterEntry().CounterData = &p4v1.MeterCounterData{}
	r.mustRefuse(map[string]refusal{
		"insert":        {insert(meterEntity(id, at(0), some)), codes.InvalidArgument},
		"delete":        {remove(meterEntity(id, at(0), some)), codes.InvalidArgument},
		"negative":      {modify(meterEntity(id, at(-1), some)), codes.InvalidArgument},
		"too large":     {modify(meterEntity(id, at(4), some)), codes.OutOfRange},
		"unknown":       {modify(meterEntity(5, at(0), some)), codes.InvalidArgument},
		"negative rate": {modify(meterEntity(id, at(0), &p4v1.MeterConfig{Cir: -1})), codes.InvalidArgument},
		"counters":      {modify(counted), codes.Unimplemented},
	})
	if _, err := r.read(counted); codeOf(err) != codes.Unimplemented {
		t.Errorf("reading counters of a meter: %v", err)
	}
}

// What a configuration may have depends on the type of the meter.
func TestMeterTypes(t *testing.T) {
	config := entitiesConfig(t)
	for _, m := range config.GetP4Info().GetMeters() { // from annotations that p4c may not know yet
		switch m.GetPreamble().GetAlias() {
		case "one_rate":
			m.Spec.Type = p4config.MeterSpec_SINGLE_RATE_THREE_COLOR
		case "two_colors":
			m.Spec.Type = p4config.MeterSpec_SINGLE_RATE_TWO_COLOR
		}
	}
	r := newRig(t).with(config)
	same := p4v1.MeterConfig{Cir: 3, Cburst: 4, Pir: 3, Pburst: 4}
	with := func(change func(*p4v1.MeterConfig)) *p4v1.MeterConfig {
		c := proto.Clone(&same).(*p4v1.MeterConfig)
		change(c)
		return c
	}
	excess := with(func(c *p4v1.MeterConfig) { c.Eburst = 9 })
	two := with(func(c *p4v1.MeterConfig) { c.Pir = 7 })
	const bad = codes.InvalidArgument
	for name, want := range map[string][3]codes.Code{
		"two_rates":  {codes.OK, codes.OK, bad},
		"one_rate":   {codes.OK, bad, codes.OK},
		"two_colors": {codes.OK, bad, bad},
	} {
		for i, c := range []*p4v1.MeterConfig{&same, two, excess} {
			if got := r.write(modify(meterEntity(r.id(name), at(0), c)))[0]; got != want[i] {
				t.Errorf("%s, %v: %v, want %v", name, c, got, want[i])
			}
		}
	}
}

func TestDirectMeters(t *testing.T) {
	r := newRig(t).withEntities()
	config := &p4v1.MeterConfig{Cir: 1, Cburst: 1, Pir: 1, Pburst: 1}
	one := r.direct("metered_table", key(exact(1, "\x07")), "police", "\x01")
	two := r.direct("metered_table", key(exact(1, "\x08")), "police", "\x01")
	one.MeterConfig = config
	r.mustWrite(insert(tableEntity(one)), insert(tableEntity(two)))
	keyOf := func(e *p4v1.TableEntry) *p4v1.TableEntry {
		return &p4v1.TableEntry{TableId: e.TableId, Match: e.Match}
	}
	colour := func(flow uint16) byte {
		r.receive(5, keyed(2, flow))
		return r.receive(5, keyed(2, flow))[0].frame[3]
	}
	if got := colour(7); got != 2 { // one packet per second, and this is the second
		t.Errorf("colour %d of a full meter, want red", got)
	}
	if got := colour(8); got != 0 {
		t.Errorf("colour %d of an entry whose meter is not configured, want green", got)
	}
	all := &p4v1.TableEntry{TableId: one.TableId}
	r.mustRead(directMeterEntity(all, nil),
		directMeterEntity(keyOf(one), config), directMeterEntity(keyOf(two), nil))
	r.mustRead(directMeterEntity(&p4v1.TableEntry{}, nil),
		directMeterEntity(keyOf(one), config), directMeterEntity(keyOf(two), nil))
	// Only on request, and then only where there is one.
	plain := proto.Clone(one).(*p4v1.TableEntry)
	plain.MeterConfig = nil
	r.mustRead(tableEntity(all), tableEntity(plain), tableEntity(two))
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: one.TableId, MeterConfig: &p4v1.MeterConfig{}}),
		tableEntity(one), tableEntity(two))
	r.mustWrite(modify(directMeterEntity(keyOf(two), config)))
	r.mustRead(directMeterEntity(keyOf(two), nil), directMeterEntity(keyOf(two), config))
	// A MODIFY of the entry without a configuration removes it.
	r.mustWrite(modify(tableEntity(plain)))
	r.mustRead(directMeterEntity(keyOf(one), nil), directMeterEntity(keyOf(one), nil))
	absent := &p4v1.TableEntry{TableId: one.TableId, Match: key(exact(1, "\x09"))}
	r.mustRefuse(map[string]refusal{
		"no such entry": {modify(directMeterEntity(absent, config)), codes.NotFound},
		"no meter": {modify(directMeterEntity(&p4v1.TableEntry{TableId: r.id("counted_table"),
			Match: key(exact(1, "\x01"))}, config)), codes.InvalidArgument},
		"insert":         {insert(directMeterEntity(keyOf(two), config)), codes.InvalidArgument},
		"no table entry": {modify(directMeterEntity(nil, config)), codes.InvalidArgument},
	})
	if _, err := r.read(directMeterEntity(absent, nil)); codeOf(err) != codes.NotFound {
		t.Errorf("reading the meter of no entry: %v", err)
	}
}

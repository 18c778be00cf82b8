package p4rt

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

var errMeterCounters = unimplemented("meters of this switch do not count packets by colour")

// config translates the configuration of a meter; nil is the default, under which all packets are
// green. What is allowed depends on the type of the meter (specification, section "MeterEntry").
func (m *meter) config(c *p4v1.MeterConfig) (*v1model.MeterConfig, error) {
	if c == nil {
		return nil, nil
	}
	single := c.GetPir() == c.GetCir() && c.GetPburst() == c.GetCburst()
	switch {
	case c.GetCir() < 0 || c.GetCburst() < 0 || c.GetPir() < 0 || c.GetPburst() < 0 ||
		c.GetEburst() < 0:
		return nil, invalid("rates and bursts of meters must not be negative")
	case m.kind != p4config.MeterSpec_SINGLE_RATE_THREE_COLOR && c.GetEburst() != 0:
		return nil, invalid("meters of type %v have no eburst", m.kind)
	case m.kind != p4config.MeterSpec_TWO_RATE_THREE_COLOR && !single:
		return nil, invalid("meters of type %v need pir = cir and pburst = cburst", m.kind)
	}
	return &v1model.MeterConfig{CIR: c.GetCir(), CBurst: c.GetCburst(), PIR: c.GetPir(),
		PBurst: c.GetPburst(), EBurst: c.GetEburst()}, nil
}

// meterConfig is the reverse of config.
func meterConfig(c *v1model.MeterConfig) *p4v1.MeterConfig {
	if c == nil {
		return nil
	}
	return &p4v1.MeterConfig{Cir: c.CIR, Cburst: c.CBurst, Pir: c.PIR, Pburst: c.PBurst,
		Eburst: c.EBurst}
}

func (b *batch) meter(kind p4v1.Update_Type, e *p4v1.MeterEntry) error {
	m, err := b.p.meters.get(e.GetMeterId())
	if err != nil {
		return err
	}
	if err := onlyModify(kind, "meter", m.name); err != nil {
		return err
	}
	if e.GetCounterData() != nil {
		return errMeterCounters
	}
	i, err := cell(&m.object, e.GetIndex(), m.size)
	if err != nil {
		return err
	}
	config, err := m.config(e.GetConfig())
	if err != nil {
		return wrap(err, "meter %q", m.name)
	}
	b.live = append(b.live, b.now)
	b.op(v1model.OpModify, &v1model.MeterCell{Meter: m.name, Index: i, Config: config})
	return nil
}

func (b *batch) directMeter(kind p4v1.Update_Type, e *p4v1.DirectMeterEntry) error {
	t, entry, err := b.p.resourceEntry("direct meter", e.GetTableEntry(), (*table).hasMeter)
	if err != nil {
		return err
	}
	if err := onlyModify(kind, "direct meter of table", t.name); err != nil {
		return err
	}
	if e.GetCounterData() != nil {
		return errMeterCounters
	}
	config, err := t.meter.config(e.GetConfig())
	if err != nil {
		return wrap(err, "direct meter of table %q", t.name)
	}
	b.live = append(b.live, b.now)
	b.op(v1model.OpModify, &v1model.DirectMeter{Entry: entry, Config: config})
	return nil
}

package p4rt

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
)

// array is an indirect counter array.
type array struct {
	object
	size int
}

// meter is a meter array, or the direct meter of a table.
type meter struct {
	object
	size int
	kind p4config.MeterSpec_Type
}

// register is a register array.
type register struct {
	object
	size int
	data *dataType
}

// profile is an action profile, or an action selector.
type profile struct {
	object
	tables          []*table // at least one; all have the same actions
	selector        bool
	noWeights       bool // the switch decides
	maxGroupSize    int
	byMembers       bool // sizes count members, not weights
	maxMemberWeight int
}

// bindProfiles comes after the tables.
func (p *pipeline) bindProfiles(info *p4config.P4Info) error {
	for _, a := range info.GetActionProfiles() {
		o, err := p.names.claim("action profile", a.GetPreamble())
		if err != nil {
			return err
		}
		live := p.program.Profile(o.name)
		switch {
		case live == nil:
			return invalid("action profile %q of P4Info is not in the device config", o.name)
		case a.GetWithSelector() != (live.Selector != nil):
			return invalid("action profile %q: P4Info and the device config do not agree on whether it "+
				"has a selector", o.name)
		case a.GetSize() > int64(live.MaxSize):
			return invalid("action profile %q has size %d in P4Info and %d in the device config",
				o.name, a.GetSize(), live.MaxSize)
		case a.GetMaxGroupSize() < 0:
			return invalid("action profile %q: max_group_size is negative", o.name)
		}
		bound := &profile{
			object:          o,
			selector:        a.GetWithSelector(),
			noWeights:       a.GetWeightsDisallowed(),
			maxGroupSize:    int(a.GetMaxGroupSize()),
			byMembers:       a.GetSumOfMembers() != nil,
			maxMemberWeight: int(a.GetSumOfMembers().GetMaxMemberWeight()),
		}
		if err := p.bindProfileTables(bound, a.GetTableIds()); err != nil {
			return err
		}
		p.profiles.add(bound)
	}
	return p.checkImplementations(info)
}

func (p *pipeline) bindProfileTables(bound *profile, ids []uint32) error {
	for _, id := range ids {
		t := p.tables.byID[id]
		if _, absent := p.absent[id]; absent {
			continue
		}
		if t == nil {
			return invalid("action profile %q: no table has the id %#x", bound.name, id)
		}
		if live := p.program.Table(t.name).Profile; live == nil || live.Name != bound.name {
			return invalid("action profile %q: in the device config it does not implement table %q",
				bound.name, t.name)
		}
		t.profile = bound
		bound.tables = append(bound.tables, t)
	}
	if len(bound.tables) == 0 {
		return invalid("action profile %q has no table", bound.name)
	}
	return nil
}

// checkImplementations finds tables whose implementation is not the same in P4Info and program.
func (p *pipeline) checkImplementations(info *p4config.P4Info) error {
	for _, t := range info.GetTables() {
		bound := p.tables.byID[t.GetPreamble().GetId()]
		if bound == nil {
			continue // only P4Info has it
		}
		has := uint32(0)
		if bound.profile != nil {
			has = bound.profile.objectID()
		}
		switch {
		case has != t.GetImplementationId():
			return invalid("table %q: implementation %#x, but the action profile that lists it is %#x",
				bound.name, t.GetImplementationId(), has)
		case bound.profile == nil && p.program.Table(bound.name).Profile != nil:
			return invalid("table %q has an action profile in the device config and none in P4Info",
				bound.name)
		}
	}
	return nil
}

// bindDirect binds direct counters and meters to their tables.
func (p *pipeline) bindDirect(info *p4config.P4Info) error {
	for _, c := range info.GetDirectCounters() {
		t, err := p.owner("direct counter", c.GetPreamble(), c.GetDirectTableId())
		if err != nil {
			return err
		}
		if t == nil {
			continue
		}
		if p.program.Table(t.name).Counter == nil {
			return invalid("table %q has no direct counter in the device config", t.name)
		}
		t.counted = true
	}
	for _, m := range info.GetDirectMeters() {
		t, err := p.owner("direct meter", m.GetPreamble(), m.GetDirectTableId())
		if err != nil {
			return err
		}
		if t == nil {
			continue
		}
		if p.program.Table(t.name).Meter == nil {
			return invalid("table %q has no direct meter in the device config", t.name)
		}
		t.meter = &meter{kind: m.GetSpec().GetType()}
	}
	return nil
}

// owner returns the table of a direct resource; nil if only P4Info has it.
func (p *pipeline) owner(kind string, of *p4config.Preamble, id uint32) (*table, error) {
	o, err := p.names.claim(kind, of)
	if err != nil {
		return nil, err
	}
	if t := p.tables.byID[id]; t != nil {
		return t, nil
	}
	if _, absent := p.absent[id]; absent {
		return nil, nil
	}
	return nil, invalid("%s %q: no table has the id %#x", kind, o.name, id)
}

func (p *pipeline) bindCounters(info *p4config.P4Info) error {
	for _, c := range info.GetCounters() {
		o, err := p.names.claim("counter", c.GetPreamble())
		if err != nil {
			return err
		}
		live := p.program.Counter(o.name)
		if live == nil || live.Direct {
			return invalid("counter %q of P4Info is not in the device config", o.name)
		}
		if err := checkSize(o, c.GetSize(), live.Size); err != nil {
			return err
		}
		p.counters.add(&array{o, live.Size})
	}
	return nil
}

func (p *pipeline) bindMeters(info *p4config.P4Info) error {
	for _, m := range info.GetMeters() {
		o, err := p.names.claim("meter", m.GetPreamble())
		if err != nil {
			return err
		}
		live := p.program.Meter(o.name)
		if live == nil || live.Direct {
			return invalid("meter %q of P4Info is not in the device config", o.name)
		}
		if err := checkSize(o, m.GetSize(), live.Size); err != nil {
			return err
		}
		p.meters.add(&meter{o, live.Size, m.GetSpec().GetType()})
	}
	return nil
}

func (p *pipeline) bindRegisters(info *p4config.P4Info) error {
	for _, r := range info.GetRegisters() {
		o, err := p.names.claim("register", r.GetPreamble())
		if err != nil {
			return err
		}
		live := p.program.Register(o.name)
		if live == nil {
			return invalid("register %q of P4Info is not in the device config", o.name)
		}
		if err := checkSize(o, int64(r.GetSize()), live.Size); err != nil {
			return err
		}
		data, err := readType(o, r.GetTypeSpec(), info.GetTypeInfo())
		if err != nil {
			return err
		}
		switch {
		case data.kind == dataStruct || data.kind == dataTuple:
			return unimplemented("register %q: cells of bmv2 hold one number, not a %v", o.name, data)
		case data.width != live.Width && !data.translated:
			return invalid("register %q has %d bits in P4Info and %d in the device config",
				o.name, data.width, live.Width)
		}
		data.width = live.Width
		p.registers.add(&register{o, live.Size, data})
	}
	return nil
}

func checkSize(o object, info int64, live int) error {
	if info != int64(live) {
		return invalid("%q has size %d in P4Info and %d in the device config", o.name, info, live)
	}
	return nil
}

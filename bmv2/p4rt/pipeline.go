package p4rt

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// pipeline is one forwarding pipeline: a switch and the dictionary between it and P4Info. Only the
// digests and the switch behind it change after it was built.
type pipeline struct {
	config  *p4v1.ForwardingPipelineConfig
	program *bmv2.Program
	sw      *v1model.Switch

	tables      map[uint32]*table
	tableOrder  []*table
	tableNames  map[string]*table
	counters    map[uint32]*counter
	countOrder  []*counter
	registers   map[uint32]*register
	digests     map[uint32]*digest
	digestOrder []*digest
	digestOf    map[*bmv2.FieldList]*digest
	packetIn    *packetHeader // nil: frames go to the controller as they are
	packetOut   *packetHeader
}

// table is a table under both its names.
type table struct {
	id            uint32
	name          string
	fields        []matchField
	actions       map[uint32]*action
	actionNames   map[string]*action
	ranked        bool // entries have a priority
	fixed         bool // const entries
	fixedDefault  bool
	directCounter bool
	idleTimeout   bool
}

// matchField is one key field. The key of a switch's entry has the order of the fields here.
type matchField struct {
	id    uint32
	name  string
	kind  p4config.MatchField_MatchType
	width int // bits
}

// action is an action as one table refers to it.
type action struct {
	id     uint32
	name   string
	params []param
	scope  p4config.ActionRef_Scope
}

type param struct {
	id    uint32
	name  string
	width int // bits
}

// counter is an indirect counter array.
type counter struct {
	id   uint32
	name string
	size int
}

// register is a register array.
type register struct {
	id    uint32
	name  string
	size  int
	width int // bits
}

// newPipeline binds P4Info to a program. The error is an INVALID_ARGUMENT that names the first
// object which the two do not agree on.
func newPipeline(config *p4v1.ForwardingPipelineConfig, program *bmv2.Program) (*pipeline, error) {
	info := config.GetP4Info()
	p := &pipeline{
		config:     config,
		program:    program,
		tables:     make(map[uint32]*table),
		tableNames: make(map[string]*table),
		counters:   make(map[uint32]*counter),
		registers:  make(map[uint32]*register),
		digests:    make(map[uint32]*digest),
		digestOf:   make(map[*bmv2.FieldList]*digest),
	}
	for _, bind := range []func(*p4config.P4Info) error{
		p.refuse, p.bindTables, p.bindCounters, p.bindRegisters, p.bindDigests, p.bindPackets,
	} {
		if err := bind(info); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// refuse names what this server has no counterpart for.
func (p *pipeline) refuse(info *p4config.P4Info) error {
	switch {
	case len(info.GetActionProfiles()) > 0:
		return unimplemented("action profile %q: action profiles are not supported",
			info.GetActionProfiles()[0].GetPreamble().GetName())
	case len(info.GetMeters()) > 0:
		return unimplemented("meter %q: meters are not supported",
			info.GetMeters()[0].GetPreamble().GetName())
	case len(info.GetDirectMeters()) > 0:
		return unimplemented("meter %q: meters are not supported",
			info.GetDirectMeters()[0].GetPreamble().GetName())
	}
	return nil
}

func (p *pipeline) bindTables(info *p4config.P4Info) error {
	actions := make(map[uint32]*p4config.Action)
	for _, a := range info.GetActions() {
		actions[a.GetPreamble().GetId()] = a
	}
	for _, t := range info.GetTables() {
		bound, err := p.bindTable(t, actions)
		if err != nil {
			return err
		}
		if p.tables[bound.id] != nil || p.tableNames[bound.name] != nil {
			return invalid("table %q: its id %#x or its name appears twice", bound.name, bound.id)
		}
		p.tables[bound.id], p.tableNames[bound.name] = bound, bound
		p.tableOrder = append(p.tableOrder, bound)
	}
	for _, c := range info.GetDirectCounters() {
		t := p.tables[c.GetDirectTableId()]
		if t == nil {
			return invalid("direct counter %q: no table has the id %#x",
				c.GetPreamble().GetName(), c.GetDirectTableId())
		}
		t.directCounter = true
	}
	return nil
}

func (p *pipeline) bindTable(
	t *p4config.Table, actions map[uint32]*p4config.Action,
) (*table, error) {
	name := t.GetPreamble().GetName()
	live := p.program.Table(name)
	if live == nil {
		return nil, invalid("table %q of P4Info is not in the device config", name)
	}
	if len(live.Key) != len(t.GetMatchFields()) {
		return nil, invalid("table %q has %d key fields in P4Info and %d in the device config",
			name, len(t.GetMatchFields()), len(live.Key))
	}
	bound := &table{
		id:           t.GetPreamble().GetId(),
		name:         name,
		actions:      make(map[uint32]*action),
		actionNames:  make(map[string]*action),
		fixed:        t.GetIsConstTable(),
		fixedDefault: t.GetConstDefaultActionId() != 0,
		idleTimeout:  t.GetIdleTimeoutBehavior() == p4config.Table_NOTIFY_CONTROL,
	}
	if err := bound.bindFields(t, live); err != nil {
		return nil, err
	}
	for _, ref := range t.GetActionRefs() {
		if err := bound.bindAction(ref, actions[ref.GetId()], live); err != nil {
			return nil, err
		}
	}
	return bound, nil
}

func (t *table) bindFields(info *p4config.Table, live *bmv2.Table) error {
	for i, f := range info.GetMatchFields() {
		m := matchField{f.GetId(), f.GetName(), f.GetMatchType(), int(f.GetBitwidth())}
		switch m.kind {
		case p4config.MatchField_TERNARY, p4config.MatchField_RANGE, p4config.MatchField_OPTIONAL:
			t.ranked = true
		case p4config.MatchField_EXACT, p4config.MatchField_LPM:
		default:
			return invalid("table %q, key field %q: match type %v is not supported; "+
				"valid are exact, lpm, ternary, range, optional", t.name, m.name, f.GetMatchType())
		}
		if m.width < 1 || m.width < live.Key[i].Width {
			return invalid("table %q, key field %q has %d bits in P4Info and %d in the device config",
				t.name, m.name, m.width, live.Key[i].Width)
		}
		t.fields = append(t.fields, m)
	}
	return nil
}

func (t *table) bindAction(ref *p4config.ActionRef, info *p4config.Action, live *bmv2.Table) error {
	name := info.GetPreamble().GetName()
	target := live.Action(name)
	if info == nil || target == nil {
		return invalid("table %q: action %#x (%q) is not in the device config", t.name, ref.GetId(), name)
	}
	if len(target.Params) != len(info.GetParams()) {
		return invalid("action %q has %d parameters in P4Info and %d in the device config",
			name, len(info.GetParams()), len(target.Params))
	}
	a := &action{id: ref.GetId(), name: name, scope: ref.GetScope()}
	for _, p := range info.GetParams() {
		if p.GetBitwidth() < 1 {
			return invalid("action %q, parameter %q: types without a width in bits are not supported",
				name, p.GetName())
		}
		a.params = append(a.params, param{p.GetId(), p.GetName(), int(p.GetBitwidth())})
	}
	t.actions[a.id], t.actionNames[a.name] = a, a
	return nil
}

func (p *pipeline) bindCounters(info *p4config.P4Info) error {
	for _, c := range info.GetCounters() {
		name := c.GetPreamble().GetName()
		live := p.program.Counter(name)
		if live == nil || live.Direct {
			return invalid("counter %q of P4Info is not in the device config", name)
		}
		bound := &counter{c.GetPreamble().GetId(), name, live.Size}
		p.counters[bound.id] = bound
		p.countOrder = append(p.countOrder, bound)
	}
	return nil
}

func (p *pipeline) bindRegisters(info *p4config.P4Info) error {
	for _, r := range info.GetRegisters() {
		name := r.GetPreamble().GetName()
		live := p.program.Register(name)
		if live == nil {
			return invalid("register %q of P4Info is not in the device config", name)
		}
		id := r.GetPreamble().GetId()
		p.registers[id] = &register{id, name, live.Size, live.Width}
	}
	return nil
}

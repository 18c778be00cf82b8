package p4rt

import (
	"strings"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"

	"github.com/turbokv/turbokv/bmv2"
)

// table is a table under both its names.
type table struct {
	object
	fields       []matchField
	actions      map[uint32]*action
	actionNames  map[string]*action
	profile      *profile // nil: entries have actions of their own
	ranked       bool     // entries have a priority
	fixed        bool     // const entries
	initial      bool     // the program has entries, which the switch does not let go
	fixedDefault bool
	idleTimeout  bool
	counted      bool   // has a direct counter
	meter        *meter // the direct meter, or nil
}

// matchField is one key field. The key of a switch's entry has the order of the fields here.
type matchField struct {
	id    uint32
	name  string
	kind  p4config.MatchField_MatchType
	width int // bits in the switch
	sdn   int // bits at the controller, where its type is translated; else 0
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
	width int // bits in the switch
}

func (p *pipeline) bindTables(info *p4config.P4Info) error {
	actions := make(map[uint32]*p4config.Action)
	for _, a := range info.GetActions() {
		o, err := p.names.claim("action", a.GetPreamble())
		if err != nil {
			return err
		}
		actions[o.id] = a
	}
	for _, t := range info.GetTables() {
		if err := p.bindTable(t, actions, info.GetTypeInfo()); err != nil {
			return err
		}
	}
	return p.checkAbsent(info)
}

// checkAbsent lets tables pass that only P4Info has: p4c leaves those without effect out of the device
// config. Where that has a table which P4Info lacks, too, the two are of different programs. Tables
// that p4c makes of statements are in no P4Info.
func (p *pipeline) checkAbsent(info *p4config.P4Info) error {
	for _, t := range info.GetTables() {
		name, absent := p.absent[t.GetPreamble().GetId()]
		for _, live := range p.program.Tables() {
			if absent && p.tableOf[live.Name] == nil && !strings.HasPrefix(live.Name, "tbl_") {
				return invalid("table %q of P4Info is not in the device config", name)
			}
		}
	}
	return nil
}

func (p *pipeline) bindTable(
	t *p4config.Table, actions map[uint32]*p4config.Action, types *p4config.P4TypeInfo,
) error {
	o, err := p.names.claim("table", t.GetPreamble())
	if err != nil {
		return err
	}
	live := p.program.Table(o.name)
	if live == nil {
		p.absent[o.id] = o.name
		return nil
	}
	bound := &table{
		object:       o,
		actions:      make(map[uint32]*action),
		actionNames:  make(map[string]*action),
		fixed:        t.GetIsConstTable(),
		initial:      live.Const(),
		fixedDefault: t.GetConstDefaultActionId() != 0,
		idleTimeout:  t.GetIdleTimeoutBehavior() == p4config.Table_NOTIFY_CONTROL,
	}
	switch {
	case len(live.Key) != len(t.GetMatchFields()):
		return invalid("table %q has %d key fields in P4Info and %d in the device config",
			o.name, len(t.GetMatchFields()), len(live.Key))
	case bound.idleTimeout && !live.IdleTimeout:
		return invalid("table %q has idle timeouts in P4Info and none in the device config", o.name)
	case !live.Const() && t.GetSize() > int64(live.MaxSize):
		return invalid("table %q has size %d in P4Info and %d in the device config",
			o.name, t.GetSize(), live.MaxSize)
	}
	if err := bound.bindFields(t, live, types); err != nil {
		return err
	}
	for _, ref := range t.GetActionRefs() {
		if err := bound.bindAction(ref, actions[ref.GetId()], live, types); err != nil {
			return err
		}
	}
	p.tables.add(bound)
	p.tableOf[bound.name] = bound
	return nil
}

func (t *table) bindFields(
	info *p4config.Table, live *bmv2.Table, types *p4config.P4TypeInfo,
) error {
	seen := make(map[uint32]bool)
	for i, f := range info.GetMatchFields() {
		m, err := newMatchField(f, live.Key[i].Width, types)
		if err != nil {
			return wrap(err, "table %q", t.name)
		}
		switch m.kind {
		case p4config.MatchField_TERNARY, p4config.MatchField_RANGE, p4config.MatchField_OPTIONAL:
			t.ranked = true
		}
		if k := live.Key[i].Kind; k != switchKinds[m.kind] {
			return invalid("table %q, key field %q is %v in P4Info and %v in the device config",
				t.name, m.name, m.kind, k)
		}
		if seen[m.id] {
			return invalid("table %q: two key fields have id %d", t.name, m.id)
		}
		seen[m.id] = true
		t.fields = append(t.fields, m)
	}
	return nil
}

// switchKinds says which kind a match type of P4Runtime has in the switch.
var switchKinds = map[p4config.MatchField_MatchType]bmv2.MatchKind{
	p4config.MatchField_EXACT:    bmv2.MatchExact,
	p4config.MatchField_LPM:      bmv2.MatchLPM,
	p4config.MatchField_TERNARY:  bmv2.MatchTernary,
	p4config.MatchField_RANGE:    bmv2.MatchRange,
	p4config.MatchField_OPTIONAL: bmv2.MatchTernary,
}

// newMatchField binds a key field of a table or a part of a value set; width is that of the switch.
func newMatchField(
	f *p4config.MatchField, width int, types *p4config.P4TypeInfo,
) (matchField, error) {
	m := matchField{id: f.GetId(), name: f.GetName(), kind: f.GetMatchType(), width: width}
	if switchKinds[m.kind] == 0 {
		return m, invalid("key field %q: match type %v is not supported; "+
			"valid are exact, lpm, ternary, range, optional", m.name, f.GetMatchType())
	}
	sdn, err := sdnWidth(f.GetTypeName(), types)
	if err != nil {
		return m, wrap(err, "key field %q", m.name)
	}
	if err := checkWidth(int(f.GetBitwidth()), width, sdn); err != nil {
		return m, wrap(err, "key field %q", m.name)
	}
	if sdn != width {
		m.sdn = sdn
	}
	return m, nil
}

// sdnWidth returns the bits that numbers of a type have at the controller; 0 if the type is not
// translated.
func sdnWidth(name *p4config.P4NamedType, types *p4config.P4TypeInfo) (int, error) {
	translated := types.GetNewTypes()[name.GetName()].GetTranslatedType()
	switch {
	case translated == nil:
		return 0, nil
	case translated.GetSdnBitwidth() > 0:
		return int(translated.GetSdnBitwidth()), nil
	}
	return 0, stringTranslation(name.GetName())
}

// checkWidth compares the width that P4Info gives with that of the switch.
func checkWidth(info, live, sdn int) error {
	switch {
	case sdn != 0 && info != sdn:
		return invalid("%d bits, but its translated type has %d", info, sdn)
	case sdn == 0 && info != live && info != 0: // 0: types that have no width in P4, such as error
		return invalid("%d bits in P4Info and %d in the device config", info, live)
	}
	return nil
}

func (t *table) bindAction(
	ref *p4config.ActionRef, info *p4config.Action, live *bmv2.Table, types *p4config.P4TypeInfo,
) error {
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
	for i, p := range info.GetParams() {
		sdn, err := sdnWidth(p.GetTypeName(), types)
		if err == nil {
			err = checkWidth(int(p.GetBitwidth()), target.Params[i].Width, sdn)
		}
		if err != nil {
			return wrap(err, "action %q, parameter %q", name, p.GetName())
		}
		if a.index(p.GetId()) >= 0 {
			return invalid("action %q: two parameters have id %d", name, p.GetId())
		}
		a.params = append(a.params, param{p.GetId(), p.GetName(), target.Params[i].Width})
	}
	t.actions[a.id], t.actionNames[a.name] = a, a
	return nil
}

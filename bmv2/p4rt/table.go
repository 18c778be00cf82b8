package p4rt

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// entryMeta is what a controller stores with an entry and the switch does not look at.
type entryMeta struct {
	controller uint64 // controller_metadata, deprecated
	opaque     []byte // metadata
	timeoutNs  int64  // idle_timeout_ns
}

func metaOf(e *p4v1.TableEntry) any {
	m := entryMeta{e.GetControllerMetadata(), e.GetMetadata(), e.GetIdleTimeoutNs()}
	if m.controller == 0 && len(m.opaque) == 0 && m.timeoutNs == 0 {
		return nil
	}
	return &m
}

func (m *entryMeta) restore(e *p4v1.TableEntry) {
	e.ControllerMetadata = m.controller
	e.Metadata = m.opaque
	e.IdleTimeoutNs = m.timeoutNs
}

// table finds a table by the id that a controller sent.
func (p *pipeline) table(id uint32) (*table, error) {
	if t := p.tables[id]; t != nil {
		return t, nil
	}
	return nil, invalid("no table has the id %#x", id)
}

// tableOps translates an update of a table entry into operations of the switch.
func (p *pipeline) tableOps(kind p4v1.Update_Type, e *p4v1.TableEntry) ([]v1model.Op, error) {
	t, err := p.table(e.GetTableId())
	if err != nil {
		return nil, err
	}
	if err := t.checkExtras(e); err != nil {
		return nil, err
	}
	if e.GetIsDefaultAction() {
		return t.defaultOps(kind, e)
	}
	entry := &v1model.Entry{Table: t.name, Meta: metaOf(e)}
	if entry.Match, entry.Priority, err = t.key(e); err != nil {
		return nil, err
	}
	op, err := opType(kind)
	if err != nil {
		return nil, err
	}
	if op == v1model.OpDelete {
		return []v1model.Op{{Type: op, Entity: entry}}, nil
	}
	if e.GetAction() == nil {
		return nil, invalid("table %q: the entry has no action", t.name)
	}
	if entry.Action, entry.Params, err = t.action(e); err != nil {
		return nil, err
	}
	ops := []v1model.Op{{Type: op, Entity: entry}}
	if d := e.GetCounterData(); d != nil {
		ops = append(ops, v1model.Op{Type: v1model.OpModify,
			Entity: &v1model.DirectCounter{Entry: entry, Value: counterValue(d)}})
	}
	return ops, nil
}

// checkExtras refuses members that the table has no use for.
func (t *table) checkExtras(e *p4v1.TableEntry) error {
	switch {
	case e.GetTimeSinceLastHit() != nil:
		return invalid("table %q: time_since_last_hit must not be set in a write", t.name)
	case e.GetIdleTimeoutNs() < 0:
		return invalid("table %q: idle_timeout_ns must not be negative", t.name)
	case e.GetIdleTimeoutNs() > 0 && !t.idleTimeout:
		return invalid("table %q does not support idle timeouts; idle_timeout_ns must be 0", t.name)
	case e.GetMeterConfig() != nil || e.GetMeterCounterData() != nil:
		return invalid("table %q has no direct meter", t.name)
	case e.GetCounterData() != nil && !t.directCounter:
		return invalid("table %q has no direct counter", t.name)
	}
	return nil
}

// defaultOps translates a change of what the table does on a miss; an entry without an action
// restores what the program says.
func (t *table) defaultOps(kind p4v1.Update_Type, e *p4v1.TableEntry) ([]v1model.Op, error) {
	switch {
	case kind != p4v1.Update_MODIFY:
		return nil, invalid("table %q: a default entry takes MODIFY only, not %v", t.name, kind)
	case len(e.GetMatch()) > 0 || e.GetPriority() != 0:
		return nil, invalid("table %q: a default entry has no match and no priority", t.name)
	case t.fixedDefault:
		return nil, status.Errorf(codes.PermissionDenied, "table %q: the default action is const", t.name)
	case e.GetAction() == nil:
		d := &v1model.DefaultEntry{Table: t.name}
		return []v1model.Op{{Type: v1model.OpDelete, Entity: d}}, nil
	}
	d := &v1model.DefaultEntry{Table: t.name, Meta: metaOf(e)}
	var err error
	if d.Action, d.Params, err = t.action(e); err != nil {
		return nil, err
	}
	return []v1model.Op{{Type: v1model.OpModify, Entity: d}}, nil
}

// opType translates the type of an update.
func opType(kind p4v1.Update_Type) (v1model.OpType, error) {
	switch kind {
	case p4v1.Update_INSERT:
		return v1model.OpInsert, nil
	case p4v1.Update_MODIFY:
		return v1model.OpModify, nil
	case p4v1.Update_DELETE:
		return v1model.OpDelete, nil
	}
	return 0, invalid("update type %v: valid are INSERT, MODIFY and DELETE", kind)
}

// key translates the match of an entry.
func (t *table) key(e *p4v1.TableEntry) ([]v1model.Match, int32, error) {
	switch {
	case len(e.GetMatch()) > len(t.fields):
		return nil, 0, invalid("table %q: %d match fields, the key has %d",
			t.name, len(e.GetMatch()), len(t.fields))
	case t.ranked && e.GetPriority() <= 0:
		return nil, 0, invalid("table %q: ternary, range and optional matches need a priority above 0",
			t.name)
	case !t.ranked && e.GetPriority() != 0:
		return nil, 0, invalid("table %q: exact and lpm matches have no priority", t.name)
	}
	given := 0
	match := make([]v1model.Match, len(t.fields))
	for i, f := range t.fields {
		sent := findField(e.GetMatch(), f.id)
		if sent == nil {
			if f.kind == p4config.MatchField_EXACT {
				return nil, 0, invalid("table %q: exact key field %q is missing", t.name, f.name)
			}
			match[i].Any = true
			continue
		}
		given++
		var err error
		if match[i], err = f.match(sent); err != nil {
			return nil, 0, invalid("table %q, key field %q: %s", t.name, f.name, text(err))
		}
	}
	if given != len(e.GetMatch()) {
		return nil, 0, invalid("table %q: a match field has an unknown id or appears twice", t.name)
	}
	return match, e.GetPriority(), nil
}

func findField(fields []*p4v1.FieldMatch, id uint32) *p4v1.FieldMatch {
	for _, f := range fields {
		if f.GetFieldId() == id {
			return f
		}
	}
	return nil
}

// action translates the action of an entry.
func (t *table) action(e *p4v1.TableEntry) (string, [][]byte, error) {
	sent := e.GetAction().GetAction()
	if sent == nil {
		return "", nil, invalid("table %q takes direct actions only", t.name)
	}
	a := t.actions[sent.GetActionId()]
	if a == nil {
		return "", nil, invalid("table %q has no action with the id %#x", t.name, sent.GetActionId())
	}
	if err := t.checkScope(a, e.GetIsDefaultAction()); err != nil {
		return "", nil, err
	}
	params, err := a.values(sent.GetParams())
	if err != nil {
		return "", nil, invalid("table %q, action %q: %s", t.name, a.name, text(err))
	}
	return a.name, params, nil
}

// values orders the parameters as the action declares them.
func (a *action) values(sent []*p4v1.Action_Param) ([][]byte, error) {
	if len(sent) != len(a.params) {
		return nil, invalid("%d parameters, want %d", len(sent), len(a.params))
	}
	if len(a.params) == 0 {
		return nil, nil
	}
	values := make([][]byte, len(a.params))
	for _, s := range sent {
		i := a.index(s.GetParamId())
		if i < 0 || values[i] != nil {
			return nil, invalid("parameter id %d is unknown or appears twice", s.GetParamId())
		}
		var err error
		if values[i], err = fit(s.GetValue(), a.params[i].width); err != nil {
			return nil, invalid("parameter %q: %s", a.params[i].name, text(err))
		}
	}
	return values, nil
}

func (a *action) index(id uint32) int {
	for i, p := range a.params {
		if p.id == id {
			return i
		}
	}
	return -1
}

// tableEntry translates an entry of the switch for a controller.
func (t *table) tableEntry(e *v1model.Entry) *p4v1.TableEntry {
	out := &p4v1.TableEntry{
		TableId:  t.id,
		Priority: e.Priority,
		Action:   t.tableAction(e.Action, e.Params),
	}
	for i, f := range t.fields {
		if m := f.fieldMatch(&e.Match[i]); m != nil {
			out.Match = append(out.Match, m)
		}
	}
	if m, ok := e.Meta.(*entryMeta); ok {
		m.restore(out)
	}
	return out
}

// defaultEntry translates what the table does on a miss; d is nil for tables without a default.
func (t *table) defaultEntry(d *v1model.DefaultEntry) *p4v1.TableEntry {
	out := &p4v1.TableEntry{TableId: t.id, IsDefaultAction: true}
	if d == nil {
		return out
	}
	out.Action = t.tableAction(d.Action, d.Params)
	if m, ok := d.Meta.(*entryMeta); ok {
		m.restore(out)
	}
	return out
}

// tableAction translates an action. One that P4Info does not list, such as a hidden NoAction, is
// left out.
func (t *table) tableAction(name string, values [][]byte) *p4v1.TableAction {
	a := t.actionNames[name]
	if a == nil {
		return nil
	}
	out := &p4v1.Action{ActionId: a.id}
	for i, p := range a.params {
		out.Params = append(out.Params, &p4v1.Action_Param{ParamId: p.id, Value: canonical(values[i])})
	}
	return &p4v1.TableAction{Type: &p4v1.TableAction_Action{Action: out}}
}

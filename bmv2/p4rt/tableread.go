package p4rt

import (
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// tableEntry translates an entry of the switch for a controller.
func (t *table) tableEntry(e *v1model.Entry) *p4v1.TableEntry {
	out := t.entryKey(e)
	out.IsConst = t.fixed || t.initial
	m, ok := e.Meta.(*entryMeta)
	if ok {
		m.restore(out)
	}
	switch {
	case t.profile == nil:
		out.Action = t.tableAction(e.Action, e.Params)
	case ok && m.ref != nil:
		out.Action = m.ref
	default:
		out.Action = referenceAction(e.Ref)
	}
	return out
}

// entryKey returns what identifies an entry.
func (t *table) entryKey(e *v1model.Entry) *p4v1.TableEntry {
	return &p4v1.TableEntry{
		TableId: t.id, Priority: e.Priority, Match: fieldMatches(t.fields, e.Match),
	}
}

// fieldMatches translates the conditions on a key for a controller.
func fieldMatches(fields []matchField, match []v1model.Match) []*p4v1.FieldMatch {
	out := make([]*p4v1.FieldMatch, 0, len(fields))
	for i := range fields {
		if m := fields[i].fieldMatch(&match[i]); m != nil {
			out = append(out, m)
		}
	}
	return out
}

// defaultEntry translates what the table does on a miss; d is nil for tables without a default.
func (t *table) defaultEntry(d *v1model.DefaultEntry) *p4v1.TableEntry {
	out := &p4v1.TableEntry{TableId: t.id, IsDefaultAction: true, IsConst: t.fixedDefault}
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
	out := t.directAction(name, values)
	if out == nil {
		return nil
	}
	return &p4v1.TableAction{Type: &p4v1.TableAction_Action{Action: out}}
}

func (t *table) directAction(name string, values [][]byte) *p4v1.Action {
	a := t.actionNames[name]
	if a == nil {
		return nil
	}
	out := &p4v1.Action{ActionId: a.id}
	for i, p := range a.params {
		out.Params = append(out.Params, &p4v1.Action_Param{ParamId: p.id, Value: canonical(values[i])})
	}
	return out
}

// filter says which entries of a table a read is about.
type filter struct {
	action     string // "": any
	priority   int32
	controller uint64
	opaque     string
}

func (t *table) filter(e *p4v1.TableEntry) (filter, error) {
	f := filter{priority: e.GetPriority(), controller: e.GetControllerMetadata(),
		opaque: string(e.GetMetadata())}
	if e.GetAction() == nil {
		return f, nil
	}
	sent := e.GetAction().GetAction()
	if sent == nil || t.profile != nil {
		return f, unimplemented("table %q: entries can be selected by the action of direct tables only",
			t.name)
	}
	a := t.actions[sent.GetActionId()]
	if a == nil {
		return f, invalid("table %q has no action with the id %#x", t.name, sent.GetActionId())
	}
	f.action = a.name
	return f, nil
}

func (f *filter) admits(e *v1model.Entry) bool {
	if f.action != "" && f.action != e.Action || f.priority != 0 && f.priority != e.Priority {
		return false
	}
	return f.admitsMeta(e.Meta)
}

func (f *filter) admitsMeta(meta any) bool {
	if f.controller == 0 && f.opaque == "" {
		return true
	}
	m, ok := meta.(*entryMeta)
	return ok && (f.controller == 0 || f.controller == m.controller) &&
		(f.opaque == "" || f.opaque == string(m.opaque))
}

package p4rt

import (
	"time"

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
	ref        *p4v1.TableAction
}

func metaOf(e *p4v1.TableEntry) any {
	m := entryMeta{controller: e.GetControllerMetadata(), opaque: e.GetMetadata(),
		timeoutNs: e.GetIdleTimeoutNs()}
	if e.GetAction().GetActionProfileActionSet() != nil {
		m.ref = e.GetAction()
	}
	if m.controller == 0 && len(m.opaque) == 0 && m.timeoutNs == 0 && m.ref == nil {
		return nil
	}
	return &m
}

func (m *entryMeta) restore(e *p4v1.TableEntry) {
	e.ControllerMetadata = m.controller
	e.Metadata = m.opaque
	e.IdleTimeoutNs = m.timeoutNs
}

// tableEntry translates an update of a table entry.
func (b *batch) tableEntry(kind p4v1.Update_Type, e *p4v1.TableEntry) error {
	if name, absent := b.p.absent[e.GetTableId()]; absent {
		return status.Errorf(codes.FailedPrecondition,
			"table %q is not in the device config: the compiler left it out, because it has no effect", name)
	}
	t, err := b.p.tables.get(e.GetTableId())
	if err != nil {
		return err
	}
	op, err := opType(kind)
	switch {
	case err != nil:
		return err
	case e.GetIsConst():
		return invalid("table %q: is_const must not be set in a write", t.name)
	case e.GetIsDefaultAction():
		return b.defaultEntry(t, kind, e)
	}
	entry := &v1model.Entry{Table: t.name}
	if entry.Match, entry.Priority, err = t.key(e); err != nil {
		return err
	}
	switch {
	case op == v1model.OpDelete && t.fixed || op == v1model.OpInsert && t.fixed:
		return t.isConst()
	case op == v1model.OpDelete:
		b.op(op, entry)
		return nil
	}
	if err := t.checkExtras(e); err != nil {
		return err
	}
	switch {
	case e.GetAction() != nil && t.fixed:
		return t.isConst()
	case e.GetAction() == nil && op == v1model.OpInsert:
		return invalid("table %q: the entry has no action", t.name)
	case e.GetAction() != nil:
		if err := b.entryAction(t, entry, e); err != nil {
			return err
		}
	}
	return b.resources(t, op, entry, e)
}

// entryAction fills in what the entry does.
func (b *batch) entryAction(t *table, entry *v1model.Entry, e *p4v1.TableEntry) (err error) {
	entry.Meta = metaOf(e)
	entry.IdleTimeout = time.Duration(e.GetIdleTimeoutNs())
	if t.profile != nil {
		entry.Ref, err = t.reference(e.GetAction())
		return err
	}
	entry.Action, entry.Params, err = t.action(e.GetAction(), false)
	return err
}

// resources adds the operations on an entry and its direct resources. A MODIFY without an action
// leaves the entry as it is.
func (b *batch) resources(
	t *table, op v1model.OpType, entry *v1model.Entry, e *p4v1.TableEntry,
) error {
	b.op(op, entry)
	if d := e.GetCounterData(); d != nil {
		b.op(v1model.OpModify, &v1model.DirectCounter{Entry: entry, Value: counterValue(d)})
	}
	if t.meter == nil || op == v1model.OpInsert && e.GetMeterConfig() == nil {
		return nil
	}
	config, err := t.meter.config(e.GetMeterConfig())
	if err != nil {
		return err
	}
	if op == v1model.OpModify {
		b.live = append(b.live, b.now)
	}
	b.op(v1model.OpModify, &v1model.DirectMeter{Entry: entry, Config: config})
	return nil
}

func (t *table) isConst() error {
	return status.Errorf(codes.PermissionDenied, "table %q: its entries are const", t.name)
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
	case e.GetMeterConfig() != nil && t.meter == nil:
		return invalid("table %q has no direct meter", t.name)
	case e.GetMeterCounterData() != nil && t.meter == nil:
		return invalid("table %q has no direct meter", t.name)
	case e.GetMeterCounterData() != nil:
		return errMeterCounters
	case e.GetCounterData() != nil && !t.counted:
		return invalid("table %q has no direct counter", t.name)
	}
	return nil
}

// defaultEntry translates a change of what the table does on a miss; an entry without an action
// restores what the program says.
func (b *batch) defaultEntry(t *table, kind p4v1.Update_Type, e *p4v1.TableEntry) error {
	switch {
	case kind != p4v1.Update_MODIFY:
		return invalid("table %q: a default entry takes MODIFY only, not %v", t.name, kind)
	case len(e.GetMatch()) > 0 || e.GetPriority() != 0:
		return invalid("table %q: a default entry has no match and no priority", t.name)
	case e.GetIdleTimeoutNs() != 0 || e.GetTimeSinceLastHit() != nil:
		return invalid("table %q: a default entry has no idle timeout", t.name)
	case t.fixedDefault:
		return status.Errorf(codes.PermissionDenied, "table %q: the default action is const", t.name)
	}
	if err := t.checkExtras(e); err != nil {
		return err
	}
	if e.GetCounterData() != nil || e.GetMeterConfig() != nil {
		return unimplemented("table %q: the default entry has no counter and no meter", t.name)
	}
	if e.GetAction() == nil {
		b.op(v1model.OpDelete, &v1model.DefaultEntry{Table: t.name})
		return nil
	}
	d := &v1model.DefaultEntry{Table: t.name, Meta: metaOf(e)}
	var err error
	if d.Action, d.Params, err = t.action(e.GetAction(), true); err != nil {
		return err
	}
	b.op(v1model.OpModify, d)
	return nil
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
	case len(t.fields) == 0:
		return nil, 0, invalid("table %q has no key and so no entries but the default entry", t.name)
	case len(e.GetMatch()) > len(t.fields):
		return nil, 0, invalid("table %q: %d match fields, the key has %d",
			t.name, len(e.GetMatch()), len(t.fields))
	case t.ranked && e.GetPriority() <= 0:
		return nil, 0, invalid("table %q: ternary, range and optional matches need a priority above 0",
			t.name)
	case !t.ranked && e.GetPriority() != 0:
		return nil, 0, invalid("table %q: exact and lpm matches have no priority", t.name)
	}
	match, err := matches(t.fields, e.GetMatch())
	if err != nil {
		return nil, 0, wrap(err, "table %q", t.name)
	}
	return match, e.GetPriority(), nil
}

// matches translates the conditions on the fields of a key, in the order of the key.
func matches(fields []matchField, sent []*p4v1.FieldMatch) ([]v1model.Match, error) {
	given := 0
	match := make([]v1model.Match, len(fields))
	for i := range fields {
		f := &fields[i]
		m := findField(sent, f.id)
		if m == nil {
			if f.kind == p4config.MatchField_EXACT {
				return nil, invalid("exact key field %q is missing", f.name)
			}
			match[i].Any = true
			continue
		}
		given++
		var err error
		if match[i], err = f.match(m); err != nil {
			return nil, wrap(err, "key field %q", f.name)
		}
	}
	if given != len(sent) {
		return nil, invalid("a match field has an unknown id or appears twice")
	}
	return match, nil
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
func (t *table) action(sent *p4v1.TableAction, isDefault bool) (string, [][]byte, error) {
	if sent.GetAction() == nil {
		return "", nil, invalid("table %q takes direct actions here, not %T", t.name, sent.GetType())
	}
	return t.direct(sent.GetAction(), isDefault)
}

// direct translates an action with its parameters.
func (t *table) direct(sent *p4v1.Action, isDefault bool) (string, [][]byte, error) {
	a := t.actions[sent.GetActionId()]
	if a == nil {
		return "", nil, invalid("table %q has no action with the id %#x", t.name, sent.GetActionId())
	}
	if err := t.checkScope(a, isDefault); err != nil {
		return "", nil, err
	}
	params, err := a.values(sent.GetParams())
	if err != nil {
		return "", nil, wrap(err, "table %q, action %q", t.name, a.name)
	}
	return a.name, params, nil
}

// checkScope refuses an action where its table does not allow it.
func (t *table) checkScope(a *action, isDefault bool) error {
	switch {
	case a.scope == p4config.ActionRef_TABLE_ONLY && isDefault:
		return status.Errorf(codes.PermissionDenied,
			"table %q: action %q cannot be the default action", t.name, a.name)
	case a.scope == p4config.ActionRef_DEFAULT_ONLY && !isDefault:
		return status.Errorf(codes.PermissionDenied,
			"table %q: action %q can be the default action only", t.name, a.name)
	}
	return nil
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
			return nil, wrap(err, "parameter %q", a.params[i].name)
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

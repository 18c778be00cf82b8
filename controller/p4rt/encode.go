package p4rt

import (
	"fmt"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

var operations = map[tables.Operation]p4v1.Update_Type{
	tables.Insert: p4v1.Update_INSERT,
	tables.Modify: p4v1.Update_MODIFY,
	tables.Delete: p4v1.Update_DELETE,
}

// Update returns the P4Runtime message of one update.
func (i *Info) Update(u tables.Update) (*p4v1.Update, error) {
	entity, err := i.entity(u)
	if err != nil {
		return nil, err
	}
	op, ok := operations[u.Op]
	if !ok {
		return nil, fmt.Errorf("%v: the operation must be insert, modify or delete", u)
	}
	return &p4v1.Update{Type: op, Entity: entity}, nil
}

func (i *Info) entity(u tables.Update) (*p4v1.Entity, error) {
	switch {
	case u.Entry != nil:
		e, err := i.Entry(*u.Entry, u.Op != tables.Delete)
		return &p4v1.Entity{Entity: &p4v1.Entity_TableEntry{TableEntry: e}}, err
	case u.CloneSession != nil:
		return cloneSessionEntity(*u.CloneSession), nil
	case u.Digest != nil:
		d, err := i.digests.find(u.Digest.Name)
		if err != nil {
			return nil, err
		}
		return digestEntity(d.id, u.Digest), nil
	}
	return nil, fmt.Errorf("update of nothing")
}

// Entry returns the P4Runtime message of a table entry, without its action if that is not wanted.
func (i *Info) Entry(e tables.Entry, withAction bool) (*p4v1.TableEntry, error) {
	t, err := i.tables.find(e.Table)
	if err != nil {
		return nil, err
	}
	if t.priority != (e.Priority != 0) {
		return nil, fmt.Errorf("table %s: priority %d: must be set if and only if a field is "+
			"ternary, range or optional", t.name, e.Priority)
	}
	out := &p4v1.TableEntry{TableId: t.id, Priority: e.Priority}
	for _, m := range e.Match {
		f, ok := t.fields[m.Field]
		if !ok {
			return nil, fmt.Errorf("table %s, field %q: %w; it has %s", t.name, m.Field,
				ErrUnknownName,
				choices(t.fields))
		}
		match, err := f.encode(m)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", t.name, err)
		}
		if match != nil {
			out.Match = append(out.Match, match)
		}
	}
	if err := t.checkExact(e); err != nil || !withAction {
		return out, err
	}
	out.Action, err = t.action(e)
	return out, err
}

// checkExact refuses an entry that leaves out an exact field: there is no "any" for those.
func (t *tableInfo) checkExact(e tables.Entry) error {
	for name, f := range t.fields {
		if _, ok := e.Field(name); !ok && f.kind == tables.Exact {
			return fmt.Errorf("table %s: exact field %s is missing", t.name, name)
		}
	}
	return nil
}

func (t *tableInfo) action(e tables.Entry) (*p4v1.TableAction, error) {
	a, ok := t.actions[e.Action]
	if !ok {
		return nil, fmt.Errorf("table %s, action %q: %w; it has %s", t.name, e.Action,
			ErrUnknownName,
			choices(t.actions))
	}
	if len(e.Params) != len(a.params) {
		return nil, fmt.Errorf("table %s, action %s: %d parameters: must be %s", t.name, a.name,
			len(e.Params), choices(a.params))
	}
	action := &p4v1.Action{ActionId: a.id}
	for _, p := range e.Params {
		info, ok := a.params[p.Name]
		if !ok {
			return nil, fmt.Errorf("action %s, parameter %q: %w; it has %s", a.name, p.Name,
				ErrUnknownName, choices(a.params))
		}
		if err := fits(p.Name, p.Value, info.bits); err != nil {
			return nil, fmt.Errorf("action %s: %w", a.name, err)
		}
		action.Params = append(action.Params, &p4v1.Action_Param{
			ParamId: info.id, Value: []byte(p.Value),
		})
	}
	return &p4v1.TableAction{Type: &p4v1.TableAction_Action{Action: action}}, nil
}

// fits refuses values that are not canonical or too wide.
func fits(what string, v tables.Value, bits int) error {
	if v == "" || v != tables.Bytes([]byte(v)) {
		return fmt.Errorf("%s: value %v is not canonical", what, v)
	}
	if v.BitLen() > bits {
		return fmt.Errorf("%s: value %v needs %d bits: it has %d", what, v, v.BitLen(), bits)
	}
	return nil
}

// encode returns nil for a match that holds for everything: P4Runtime wants it left out.
func (f *fieldInfo) encode(m tables.Match) (*p4v1.FieldMatch, error) {
	if m.Kind != f.kind {
		return nil, fmt.Errorf("field %s: match %v: must be %v", f.name, m.Kind, f.kind)
	}
	if err := fits("field "+f.name, m.Value, f.bits); err != nil {
		return nil, err
	}
	out := &p4v1.FieldMatch{FieldId: f.id}
	switch value := []byte(m.Value); f.kind {
	case tables.Exact:
		out.FieldMatchType = &p4v1.FieldMatch_Exact_{Exact: &p4v1.FieldMatch_Exact{Value: value}}
	case tables.Optional:
		out.FieldMatchType = &p4v1.FieldMatch_Optional_{
			Optional: &p4v1.FieldMatch_Optional{Value: value}}
	case tables.LPM:
		return f.encodeLPM(out, m)
	default:
		return f.encodePair(out, m)
	}
	return out, nil
}

func (f *fieldInfo) encodeLPM(out *p4v1.FieldMatch, m tables.Match) (*p4v1.FieldMatch, error) {
	if m.Prefix < 0 || m.Prefix > f.bits {
		return nil, fmt.Errorf("field %s: prefix length %d: must be 0 to %d", f.name, m.Prefix,
			f.bits)
	}
	if m.Prefix == 0 {
		return nil, nil
	}
	if trailing(m.Value) < f.bits-m.Prefix {
		return nil, fmt.Errorf("field %s: %v/%d has bits set behind the prefix", f.name, m.Value,
			m.Prefix)
	}
	out.FieldMatchType = &p4v1.FieldMatch_Lpm{Lpm: &p4v1.FieldMatch_LPM{
		Value: []byte(m.Value), PrefixLen: int32(m.Prefix)}}
	return out, nil
}

// trailing counts the zero bits at the end; of zero itself there is no end.
func trailing(v tables.Value) (n int) {
	for i := len(v) - 1; i >= 0; i-- {
		for b := v[i]; b != 0; b >>= 1 {
			if b&1 != 0 {
				return n
			}
			n++
		}
		if v[i] == 0 {
			n += 8
		}
	}
	return 1 << 30
}

// encodePair encodes ternary and range matches. The ends of a range are padded to the full width,
// because PI takes a short low and high for the width of the field (device_mgr.cpp and
// match_key_helpers.cpp as of 2026-06).
func (f *fieldInfo) encodePair(out *p4v1.FieldMatch, m tables.Match) (*p4v1.FieldMatch, error) {
	if err := fits("field "+f.name, m.Extra, f.bits); err != nil {
		return nil, err
	}
	if f.kind == tables.Ternary {
		if m.Extra.BitLen() == 0 {
			return nil, nil
		}
		out.FieldMatchType = &p4v1.FieldMatch_Ternary_{Ternary: &p4v1.FieldMatch_Ternary{
			Value: []byte(m.Value), Mask: []byte(m.Extra)}}
		return out, nil
	}
	low, high := make([]byte, (f.bits+7)/8), make([]byte, (f.bits+7)/8)
	m.Value.Fill(low)
	m.Extra.Fill(high)
	if string(low) > string(high) {
		return nil, fmt.Errorf("field %s: range %v..%v ends before it starts", f.name, m.Value,
			m.Extra)
	}
	out.FieldMatchType = &p4v1.FieldMatch_Range_{Range: &p4v1.FieldMatch_Range{Low: low,
		High: high}}
	return out, nil
}

func cloneSessionEntity(c tables.CloneSession) *p4v1.Entity {
	entry := &p4v1.CloneSessionEntry{SessionId: c.ID}
	for _, r := range c.Replicas {
		// The number form of the port is the older one, which every server knows.
		entry.Replicas = append(entry.Replicas, &p4v1.Replica{
			PortKind: &p4v1.Replica_EgressPort{EgressPort: r.Port}, Instance: r.Instance,
		})
	}
	return &p4v1.Entity{Entity: &p4v1.Entity_PacketReplicationEngineEntry{
		PacketReplicationEngineEntry: &p4v1.PacketReplicationEngineEntry{
			Type: &p4v1.PacketReplicationEngineEntry_CloneSessionEntry{CloneSessionEntry: entry},
		}}}
}

func digestEntity(id uint32, d *tables.Digest) *p4v1.Entity {
	entry := &p4v1.DigestEntry{DigestId: id}
	if d != nil {
		entry.Config = &p4v1.DigestEntry_Config{MaxTimeoutNs: d.MaxTimeoutNS,
			MaxListSize: d.MaxListSize, AckTimeoutNs: d.AckTimeoutNS}
	}
	return &p4v1.Entity{Entity: &p4v1.Entity_DigestEntry{DigestEntry: entry}}
}

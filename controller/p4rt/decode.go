package p4rt

import (
	"fmt"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

// DecodeEntry returns the table entry in a P4Runtime message, normalized.
func (i *Info) DecodeEntry(m *p4v1.TableEntry) (tables.Entry, error) {
	t, err := i.tables.findID(m.GetTableId())
	if err != nil {
		return tables.Entry{}, err
	}
	e := tables.Entry{Table: t.name, Priority: m.GetPriority()}
	for _, f := range m.GetMatch() {
		info, ok := t.byID[f.GetFieldId()]
		if !ok {
			return tables.Entry{}, fmt.Errorf("table %s, field with id %d: %w", t.name,
				f.GetFieldId(),
				ErrUnknownName)
		}
		match, err := info.decode(f)
		if err != nil {
			return tables.Entry{}, fmt.Errorf("table %s: %w", t.name, err)
		}
		e.Match = append(e.Match, match)
	}
	if err := i.decodeAction(&e, m.GetAction()); err != nil {
		return tables.Entry{}, fmt.Errorf("table %s: %w", t.name, err)
	}
	e.Normalize()
	return e, nil
}

func (i *Info) decodeAction(e *tables.Entry, m *p4v1.TableAction) error {
	action := m.GetAction()
	if action == nil {
		return fmt.Errorf("entry without a direct action")
	}
	info, err := i.actions.findID(action.GetActionId())
	if err != nil {
		return err
	}
	e.Action = info.name
	for _, p := range action.GetParams() {
		param, ok := info.byID[p.GetParamId()]
		if !ok {
			return fmt.Errorf("action %s, parameter with id %d: %w", info.name, p.GetParamId(),
				ErrUnknownName)
		}
		e.Params = append(e.Params, tables.Param{Name: param.name,
			Value: tables.Bytes(p.GetValue())})
	}
	return nil
}

func (f *fieldInfo) decode(m *p4v1.FieldMatch) (tables.Match, error) {
	out := tables.Match{Field: f.name, Kind: f.kind}
	switch {
	case f.kind == tables.Exact && m.GetExact() != nil:
		out.Value = tables.Bytes(m.GetExact().GetValue())
	case f.kind == tables.Optional && m.GetOptional() != nil:
		out.Value = tables.Bytes(m.GetOptional().GetValue())
	case f.kind == tables.LPM && m.GetLpm() != nil:
		out.Value = tables.Bytes(m.GetLpm().GetValue())
		out.Prefix = int(m.GetLpm().GetPrefixLen())
	case f.kind == tables.Ternary && m.GetTernary() != nil:
		out.Value = tables.Bytes(m.GetTernary().GetValue())
		out.Extra = tables.Bytes(m.GetTernary().GetMask())
	case f.kind == tables.Range && m.GetRange() != nil:
		out.Value = tables.Bytes(m.GetRange().GetLow())
		out.Extra = tables.Bytes(m.GetRange().GetHigh())
	default:
		return out, fmt.Errorf("field %s: the match is not %v", f.name, f.kind)
	}
	return out, nil
}

func decodeCloneSession(m *p4v1.CloneSessionEntry) tables.CloneSession {
	c := tables.CloneSession{ID: m.GetSessionId()}
	for _, r := range m.GetReplicas() {
		port := r.GetEgressPort()
		if b := r.GetPort(); len(b) > 0 {
			n, _ := tables.Bytes(b).Uint64()
			port = uint32(n)
		}
		c.Replicas = append(c.Replicas, tables.Replica{Port: port, Instance: r.GetInstance()})
	}
	return c
}

func (i *Info) decodeDigestConfig(m *p4v1.DigestEntry) (tables.Digest, error) {
	d, err := i.digests.findID(m.GetDigestId())
	if err != nil {
		return tables.Digest{}, err
	}
	c := m.GetConfig()
	return tables.Digest{Name: d.name, MaxTimeoutNS: c.GetMaxTimeoutNs(),
		MaxListSize: c.GetMaxListSize(), AckTimeoutNS: c.GetAckTimeoutNs()}, nil
}

// DigestList is a list of reports of one kind.
type DigestList struct {
	Name    string
	Entries [][]tables.Value // members of the struct, in their order
}

// decodeDigests takes the data of each report: a struct, or a single bit string.
func (i *Info) decodeDigests(m *p4v1.DigestList) (DigestList, error) {
	d, err := i.digests.findID(m.GetDigestId())
	if err != nil {
		return DigestList{}, err
	}
	out := DigestList{Name: d.name}
	for _, data := range m.GetData() {
		members := data.GetStruct().GetMembers()
		if members == nil {
			members = []*p4v1.P4Data{data}
		}
		var values []tables.Value
		for _, member := range members {
			values = append(values, tables.Bytes(member.GetBitstring()))
		}
		out.Entries = append(out.Entries, values)
	}
	return out, nil
}

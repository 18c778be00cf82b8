package p4rt

import (
	"errors"
	"io"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// eof turns the regular end of a stream into nil.
func eof(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (r *rig) tableID(name string) uint32 {
	for _, t := range r.info.GetTables() {
		if t.GetPreamble().GetName() == name {
			return t.GetPreamble().GetId()
		}
	}
	r.t.Fatalf("no table %q", name)
	return 0
}

func (r *rig) actionID(name string) uint32 {
	for _, a := range r.info.GetActions() {
		if a.GetPreamble().GetName() == name {
			return a.GetPreamble().GetId()
		}
	}
	r.t.Fatalf("no action %q", name)
	return 0
}

// id finds an object of any kind by its name; the alias, its last part, is enough.
func (r *rig) id(name string) uint32 {
	r.t.Helper()
	found := uint32(0)
	r.info.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if !f.IsList() {
			return true
		}
		for i := range v.List().Len() {
			p, ok := v.List().Get(i).Message().Interface().(interface{ GetPreamble() *p4config.Preamble })
			if ok && (p.GetPreamble().GetName() == name || p.GetPreamble().GetAlias() == name) {
				found = p.GetPreamble().GetId()
			}
		}
		return true
	})
	if found == 0 {
		r.t.Fatalf("P4Info has no object %q", name)
	}
	return found
}

// action builds an action; params are in the order of the action.
func (r *rig) action(name string, params ...string) *p4v1.Action {
	a := &p4v1.Action{ActionId: r.id(name)}
	for i, value := range params {
		a.Params = append(a.Params, &p4v1.Action_Param{ParamId: uint32(i + 1), Value: []byte(value)})
	}
	return a
}

// direct builds an entry of any table by its alias.
func (r *rig) direct(
	table string, match []*p4v1.FieldMatch, action string, params ...string,
) *p4v1.TableEntry {
	return &p4v1.TableEntry{TableId: r.id(table), Match: match,
		Action: &p4v1.TableAction{Type: &p4v1.TableAction_Action{Action: r.action(action, params...)}}}
}

func (r *rig) counterID() uint32  { return r.info.GetCounters()[0].GetPreamble().GetId() }
func (r *rig) registerID() uint32 { return r.info.GetRegisters()[0].GetPreamble().GetId() }
func (r *rig) digestID() uint32   { return r.info.GetDigests()[0].GetPreamble().GetId() }

// entry builds a table entry; params are in the order of the action.
func (r *rig) entry(
	table string, match []*p4v1.FieldMatch, action string, params ...string,
) *p4v1.TableEntry {
	e := &p4v1.TableEntry{TableId: r.tableID(table), Match: match}
	if action == "" {
		return e
	}
	a := &p4v1.Action{ActionId: r.actionID(action)}
	for i, value := range params {
		a.Params = append(a.Params, &p4v1.Action_Param{ParamId: uint32(i + 1), Value: []byte(value)})
	}
	e.Action = &p4v1.TableAction{Type: &p4v1.TableAction_Action{Action: a}}
	return e
}

func ranked(e *p4v1.TableEntry, priority int32) *p4v1.TableEntry {
	e.Priority = priority
	return e
}

func key(fields ...*p4v1.FieldMatch) []*p4v1.FieldMatch { return fields }

func exact(id uint32, value string) *p4v1.FieldMatch {
	return &p4v1.FieldMatch{FieldId: id, FieldMatchType: &p4v1.FieldMatch_Exact_{
		Exact: &p4v1.FieldMatch_Exact{Value: []byte(value)}}}
}

func optional(id uint32, value string) *p4v1.FieldMatch {
	return &p4v1.FieldMatch{FieldId: id, FieldMatchType: &p4v1.FieldMatch_Optional_{
		Optional: &p4v1.FieldMatch_Optional{Value: []byte(value)}}}
}

func lpm(id uint32, value string, bits int32) *p4v1.FieldMatch {
	return &p4v1.FieldMatch{FieldId: id, FieldMatchType: &p4v1.FieldMatch_Lpm{
		Lpm: &p4v1.FieldMatch_LPM{Value: []byte(value), PrefixLen: bits}}}
}

func ternary(id uint32, value, mask string) *p4v1.FieldMatch {
	return &p4v1.FieldMatch{FieldId: id, FieldMatchType: &p4v1.FieldMatch_Ternary_{
		Ternary: &p4v1.FieldMatch_Ternary{Value: []byte(value), Mask: []byte(mask)}}}
}

func interval(id uint32, low, high string) *p4v1.FieldMatch {
	return &p4v1.FieldMatch{FieldId: id, FieldMatchType: &p4v1.FieldMatch_Range_{
		Range: &p4v1.FieldMatch_Range{Low: []byte(low), High: []byte(high)}}}
}

func insert(e *p4v1.Entity) *p4v1.Update {
	return &p4v1.Update{Type: p4v1.Update_INSERT, Entity: e}
}

func modify(e *p4v1.Entity) *p4v1.Update {
	return &p4v1.Update{Type: p4v1.Update_MODIFY, Entity: e}
}

func remove(e *p4v1.Entity) *p4v1.Update {
	return &p4v1.Update{Type: p4v1.Update_DELETE, Entity: e}
}

func session(id uint32, bytes int32, replicas ...*p4v1.Replica) *p4v1.Entity {
	return replicationEntity(&p4v1.PacketReplicationEngineEntry{
		Type: &p4v1.PacketReplicationEngineEntry_CloneSessionEntry{
			CloneSessionEntry: &p4v1.CloneSessionEntry{
				SessionId: id, PacketLengthBytes: bytes, Replicas: replicas,
			}}})
}

func group(id uint32, replicas ...*p4v1.Replica) *p4v1.Entity {
	return replicationEntity(&p4v1.PacketReplicationEngineEntry{
		Type: &p4v1.PacketReplicationEngineEntry_MulticastGroupEntry{
			MulticastGroupEntry: &p4v1.MulticastGroupEntry{
				MulticastGroupId: id, Replicas: replicas,
			}}})
}

func replica(port, instance uint32) *p4v1.Replica {
	return &p4v1.Replica{PortKind: &p4v1.Replica_EgressPort{EgressPort: port}, Instance: instance}
}

func counterEntity(e *p4v1.CounterEntry) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_CounterEntry{CounterEntry: e}}
}

func directEntity(e *p4v1.TableEntry, d *p4v1.CounterData) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_DirectCounterEntry{
		DirectCounterEntry: &p4v1.DirectCounterEntry{TableEntry: e, Data: d}}}
}

func registerEntity(id uint32, index *p4v1.Index, value string) *p4v1.Entity {
	e := &p4v1.RegisterEntry{RegisterId: id, Index: index}
	if value != "" {
		e.Data = &p4v1.P4Data{Data: &p4v1.P4Data_Bitstring{Bitstring: []byte(value)}}
	}
	return &p4v1.Entity{Entity: &p4v1.Entity_RegisterEntry{RegisterEntry: e}}
}

func digestEntity(id uint32, config *p4v1.DigestEntry_Config) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_DigestEntry{
		DigestEntry: &p4v1.DigestEntry{DigestId: id, Config: config}}}
}

func grpcStatus(err error) *status.Status { return status.Convert(err) }

// ethernet returns a frame for the destination whose last byte is given.
func ethernet(dst byte) []byte {
	f := make([]byte, 60)
	f[5], f[11] = dst, 0x11
	f[12], f[13] = 0x12, 0x34
	return f
}

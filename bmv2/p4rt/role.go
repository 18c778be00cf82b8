package p4rt

import (
	"bytes"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/anypb"
)

// Bounds of roles, which the server remembers as long as it lives.
const (
	maxRoles      = 64
	maxRoleName   = 256     // bytes
	maxRoleConfig = 1 << 16 // bytes
)

// role is a part of the control plane: its name and what its controllers may do. The zero value is
// the default role, which may do everything.
type role struct {
	name   string
	config *anypb.Any // as the controller sent it; nil: everything is allowed
	scope  *scope     // what config says; nil: everything
}

// newRole reads the role of an arbitration message.
func newRole(m *p4v1.Role) (role, error) {
	r := role{name: m.GetName(), config: m.GetConfig()}
	switch {
	case len(r.name) > maxRoleName:
		return r, invalid("the role's name has %d bytes, at most %d are allowed",
			len(r.name), maxRoleName)
	case r.config == nil:
		return r, nil
	case r.name == "":
		return r, invalid("the default role has access to everything and takes no config")
	}
	var err error
	r.scope, err = newScope(r.config)
	return r, err
}

// message is the role as controllers hear of it; nil for the default role.
func (r role) message() *p4v1.Role {
	if r.name == "" {
		return nil
	}
	return &p4v1.Role{Name: r.name, Config: r.config}
}

// scopeType is the one scheme of role configs that this server knows, which is Stratum's:
//
//	package stratum;
//	message P4RoleConfig {
//	  message PacketFilter { uint32 metadata_id = 1; bytes value = 2; }
//	  repeated uint32 exclusive_p4_ids = 1;
//	  repeated uint32 shared_p4_ids = 2;
//	  PacketFilter packet_in_filter = 3;
//	  bool receives_packet_ins = 4;
//	  bool can_push_pipeline = 5;
//	}
const scopeType = "stratum.P4RoleConfig"

// scope is what a role may do. It reads and writes the objects with the ids it lists, those of
// P4Info; direct resources have the id of their table, and all of the packet replication engine has
// the id 0. What one role has exclusively, no other role with a config may list.
type scope struct {
	exclusive, shared map[uint32]bool
	packetIns         bool
	filter            *packetFilter // nil: all packets
	pipeline          bool          // may set the pipeline
}

// packetFilter lets only those packets through that have a value in a field of the packet_in header.
type packetFilter struct {
	field uint32
	value []byte // canonical
}

// newScope decodes a role config.
func newScope(config *anypb.Any) (*scope, error) {
	if name := config.MessageName(); name != scopeType {
		return nil, invalid("role config of type %q: only %q is known", config.GetTypeUrl(), scopeType)
	}
	if n := len(config.GetValue()); n > maxRoleConfig {
		return nil, invalid("role config of %d bytes, at most %d are allowed", n, maxRoleConfig)
	}
	s := &scope{exclusive: make(map[uint32]bool), shared: make(map[uint32]bool)}
	if !eachField(config.GetValue(), s.set) {
		return nil, invalid("the role config is no valid %s", scopeType)
	}
	return s, nil
}

// set takes one field of a P4RoleConfig; unknown ones are ignored.
func (s *scope) set(f protoField) bool {
	switch f.number {
	case 1:
		return f.uint32s(s.exclusive)
	case 2:
		return f.uint32s(s.shared)
	case 3:
		s.filter = &packetFilter{value: canonical(nil)}
		return f.kind == protowire.BytesType && eachField(f.bytes, s.filter.set)
	case 4:
		s.packetIns = f.varint != 0
		return f.kind == protowire.VarintType
	case 5:
		s.pipeline = f.varint != 0
		return f.kind == protowire.VarintType
	}
	return true
}

func (p *packetFilter) set(f protoField) bool {
	switch f.number {
	case 1:
		p.field = uint32(f.varint)
		return f.kind == protowire.VarintType
	case 2:
		p.value = canonical(f.bytes)
		return f.kind == protowire.BytesType
	}
	return true
}

// protoField is a field on the wire; kind says which of the values counts.
type protoField struct {
	number protowire.Number
	kind   protowire.Type
	varint uint64
	bytes  []byte
}

// uint32s adds the numbers of a repeated field, packed or not, to a set.
func (f protoField) uint32s(to map[uint32]bool) bool {
	if f.kind == protowire.VarintType {
		to[uint32(f.varint)] = true
		return true
	}
	if f.kind != protowire.BytesType {
		return false
	}
	for rest := f.bytes; len(rest) > 0; {
		v, n := protowire.ConsumeVarint(rest)
		if n < 0 {
			return false
		}
		to[uint32(v)] = true
		rest = rest[n:]
	}
	return true
}

// eachField visits the fields of a message; it reports false when the message is broken or a visit
// said so.
func eachField(message []byte, visit func(protoField) bool) bool {
	for rest := message; len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return false
		}
		rest = rest[n:]
		f := protoField{number: number, kind: kind}
		switch kind {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(rest)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(rest)
		default:
			n = protowire.ConsumeFieldValue(number, kind, rest)
		}
		if n < 0 || !visit(f) {
			return false
		}
		rest = rest[n:]
	}
	return true
}

// allows reports whether the role may touch the object with an id of P4Info.
func (s *scope) allows(id uint32) bool {
	return s == nil || s.exclusive[id] || s.shared[id]
}

// mayPush reports whether the role may set the pipeline.
func (s *scope) mayPush() bool { return s == nil || s.pipeline }

// takes reports whether the role is told of a packet.
func (s *scope) takes(m *p4v1.PacketIn) bool {
	if s == nil {
		return true
	}
	if !s.packetIns || s.filter == nil {
		return s.packetIns
	}
	for _, f := range m.GetMetadata() {
		if f.GetMetadataId() == s.filter.field {
			return bytes.Equal(f.GetValue(), s.filter.value)
		}
	}
	return false
}

// checkExclusive refuses a role that lists what another one has for itself, or the other way round.
func checkExclusive(r role, others map[string]*election) error {
	if r.scope == nil {
		return nil
	}
	for name, e := range others {
		other := e.role.scope
		if name == r.name || other == nil {
			continue
		}
		for id := range r.scope.exclusive {
			if other.allows(id) {
				return invalid("role %q wants id %#x for itself, but role %q has it", r.name, id, name)
			}
		}
		for id := range other.exclusive {
			if r.scope.allows(id) {
				return invalid("role %q lists id %#x, which role %q has for itself", r.name, id, name)
			}
		}
	}
	return nil
}

// entityID returns the id of P4Info that an entity belongs to; 0 for packet replication.
func entityID(e *p4v1.Entity) uint32 {
	switch e := e.GetEntity().(type) {
	case *p4v1.Entity_TableEntry:
		return e.TableEntry.GetTableId()
	case *p4v1.Entity_ActionProfileMember:
		return e.ActionProfileMember.GetActionProfileId()
	case *p4v1.Entity_ActionProfileGroup:
		return e.ActionProfileGroup.GetActionProfileId()
	case *p4v1.Entity_MeterEntry:
		return e.MeterEntry.GetMeterId()
	case *p4v1.Entity_DirectMeterEntry:
		return e.DirectMeterEntry.GetTableEntry().GetTableId()
	case *p4v1.Entity_CounterEntry:
		return e.CounterEntry.GetCounterId()
	case *p4v1.Entity_DirectCounterEntry:
		return e.DirectCounterEntry.GetTableEntry().GetTableId()
	case *p4v1.Entity_ValueSetEntry:
		return e.ValueSetEntry.GetValueSetId()
	case *p4v1.Entity_RegisterEntry:
		return e.RegisterEntry.GetRegisterId()
	case *p4v1.Entity_DigestEntry:
		return e.DigestEntry.GetDigestId()
	}
	return 0
}

// mayWriteEntity refuses an update of what the role does not have.
func (s *scope) mayWriteEntity(e *p4v1.Entity) error {
	if s == nil {
		return nil
	}
	if id := entityID(e); !s.allows(id) {
		return status.Errorf(codes.PermissionDenied, "the role may not write the object with id %#x", id)
	}
	return nil
}

package p4rt

import (
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// Limits of the packet replication engine, those of simple_switch.
const (
	maxReplicationID = 1<<15 - 1 // of clone sessions and multicast groups
	maxPort          = 1<<9 - 1  // the port fields of v1model have 9 bits
	maxInstance      = 1<<16 - 1 // egress_rid has 16 bits
)

// replicationOps translates an update of a clone session or a multicast group. The message itself
// is kept with the switch's entity, so that a controller reads what it wrote.
func replicationOps(
	kind p4v1.Update_Type, e *p4v1.PacketReplicationEngineEntry,
) ([]v1model.Op, error) {
	op, err := opType(kind)
	if err != nil {
		return nil, err
	}
	var entity v1model.Entity
	switch e := e.GetType().(type) {
	case *p4v1.PacketReplicationEngineEntry_CloneSessionEntry:
		entity, err = cloneSession(e.CloneSessionEntry, op)
	case *p4v1.PacketReplicationEngineEntry_MulticastGroupEntry:
		entity, err = multicastGroup(e.MulticastGroupEntry, op)
	default:
		err = invalid("a replication entry is a clone session or a multicast group")
	}
	if err != nil {
		return nil, err
	}
	return []v1model.Op{{Type: op, Entity: entity}}, nil
}

func cloneSession(e *p4v1.CloneSessionEntry, op v1model.OpType) (*v1model.CloneSession, error) {
	id := e.GetSessionId()
	if id < 1 || id > maxReplicationID {
		return nil, invalid("clone session %d is not in 1..%d", id, maxReplicationID)
	}
	s := &v1model.CloneSession{ID: uint16(id)}
	if op == v1model.OpDelete {
		return s, nil
	}
	switch {
	case e.GetClassOfService() != 0:
		return nil, unimplemented("clone session %d: classes of service are not supported", id)
	case e.GetPacketLengthBytes() < 0:
		return nil, invalid("clone session %d: packet length %d is negative",
			id, e.GetPacketLengthBytes())
	}
	s.MaxBytes = int(e.GetPacketLengthBytes())
	s.Meta = proto.Clone(e)
	var err error
	if s.Replicas, err = replicas(e.GetReplicas()); err != nil {
		return nil, invalid("clone session %d: %s", id, text(err))
	}
	return s, nil
}

func multicastGroup(
	e *p4v1.MulticastGroupEntry, op v1model.OpType,
) (*v1model.MulticastGroup, error) {
	id := e.GetMulticastGroupId()
	if id == 0 {
		return nil, invalid("0 is not a multicast group")
	}
	if id > maxReplicationID {
		return nil, status.Errorf(codes.OutOfRange,
			"multicast group %d is not in 1..%d", id, maxReplicationID)
	}
	g := &v1model.MulticastGroup{ID: uint16(id)}
	if op == v1model.OpDelete {
		return g, nil
	}
	g.Meta = proto.Clone(e)
	var err error
	if g.Replicas, err = replicas(e.GetReplicas()); err != nil {
		return nil, invalid("multicast group %d: %s", id, text(err))
	}
	return g, nil
}

func replicas(sent []*p4v1.Replica) ([]v1model.Replica, error) {
	out := make([]v1model.Replica, 0, len(sent))
	seen := make(map[v1model.Replica]bool)
	for _, r := range sent {
		port, err := replicaPort(r)
		if err != nil {
			return nil, err
		}
		if r.GetInstance() > maxInstance {
			return nil, invalid("instance %d is not in 0..%d", r.GetInstance(), maxInstance)
		}
		if len(r.GetBackupReplicas()) > 0 {
			return nil, invalid("backup replicas are not supported")
		}
		replica := v1model.Replica{Port: port, Instance: uint16(r.GetInstance())}
		if seen[replica] {
			return nil, invalid("port %d, instance %d appears twice", port, replica.Instance)
		}
		seen[replica] = true
		out = append(out, replica)
	}
	return out, nil
}

func replicaPort(r *p4v1.Replica) (uint16, error) {
	var port uint64
	switch kind := r.GetPortKind().(type) {
	case *p4v1.Replica_EgressPort:
		port = uint64(kind.EgressPort)
	case *p4v1.Replica_Port:
		value, err := fit(kind.Port, 64)
		if err != nil {
			return 0, err
		}
		for _, b := range value {
			port = port<<8 | uint64(b)
		}
	default:
		return 0, invalid("a replica has no port")
	}
	if port > maxPort {
		return 0, invalid("port %d is not in 0..%d", port, maxPort)
	}
	return uint16(port), nil
}

// readReplication emits one clone session or multicast group, or all of the kind when the id is 0.
func (p *pipeline) readReplication(e *p4v1.PacketReplicationEngineEntry, emit emitter) error {
	switch e := e.GetType().(type) {
	case *p4v1.PacketReplicationEngineEntry_CloneSessionEntry:
		return p.readSessions(e.CloneSessionEntry.GetSessionId(), emit)
	case *p4v1.PacketReplicationEngineEntry_MulticastGroupEntry:
		return p.readGroups(e.MulticastGroupEntry.GetMulticastGroupId(), emit)
	}
	return invalid("a replication entry is a clone session or a multicast group")
}

func (p *pipeline) readSessions(id uint32, emit emitter) error {
	found := id == 0
	for _, s := range p.sw.CloneSessions() {
		entry, ok := s.Meta.(*p4v1.CloneSessionEntry)
		if !ok || id != 0 && uint32(s.ID) != id {
			continue
		}
		found = true
		if err := emit(replicationEntity(&p4v1.PacketReplicationEngineEntry{
			Type: &p4v1.PacketReplicationEngineEntry_CloneSessionEntry{CloneSessionEntry: entry},
		})); err != nil {
			return err
		}
	}
	if !found {
		return status.Errorf(codes.NotFound, "clone session %d does not exist", id)
	}
	return nil
}

func (p *pipeline) readGroups(id uint32, emit emitter) error {
	found := id == 0
	for _, g := range p.sw.MulticastGroups() {
		entry, ok := g.Meta.(*p4v1.MulticastGroupEntry)
		if !ok || id != 0 && uint32(g.ID) != id {
			continue
		}
		found = true
		if err := emit(replicationEntity(&p4v1.PacketReplicationEngineEntry{
			Type: &p4v1.PacketReplicationEngineEntry_MulticastGroupEntry{MulticastGroupEntry: entry},
		})); err != nil {
			return err
		}
	}
	if !found {
		return status.Errorf(codes.NotFound, "multicast group %d does not exist", id)
	}
	return nil
}

func replicationEntity(e *p4v1.PacketReplicationEngineEntry) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_PacketReplicationEngineEntry{
		PacketReplicationEngineEntry: e,
	}}
}

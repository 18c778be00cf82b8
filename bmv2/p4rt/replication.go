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

// replication translates an update of a clone session or a multicast group. The message itself is
// kept with the switch's entity, so that a controller reads what it wrote.
func (b *batch) replication(kind p4v1.Update_Type, e *p4v1.PacketReplicationEngineEntry) error {
	op, err := opType(kind)
	if err != nil {
		return err
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
		return err
	}
	b.op(op, entity)
	return nil
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
	if s.Replicas, s.Backups, err = replicas(e.GetReplicas()); err != nil {
		return nil, wrap(err, "clone session %d", id)
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
	if g.Replicas, g.Backups, err = replicas(e.GetReplicas()); err != nil {
		return nil, wrap(err, "multicast group %d", id)
	}
	return g, nil
}

// replicas translates the copies of a group or session, with their backups; those are nil when no
// copy has any. No pair of port and instance may be there twice, and no copy may have a backup at
// its own port (specification, section "MulticastGroupEntry").
func replicas(sent []*p4v1.Replica) (out []v1model.Replica, backups [][]v1model.Replica, err error) {
	out = make([]v1model.Replica, 0, len(sent))
	seen := make(map[v1model.Replica]bool)
	for i, r := range sent {
		port, err := replicaPort(r)
		if err != nil {
			return nil, nil, err
		}
		one, err := newReplica(port, r.GetInstance(), seen)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, one)
		for _, b := range r.GetBackupReplicas() {
			if backups == nil {
				backups = make([][]v1model.Replica, len(sent))
			}
			backup, err := portNumber(b.GetPort())
			if err != nil {
				return nil, nil, err
			}
			if backup == port {
				return nil, nil, invalid("a backup of port %d has the same port", port)
			}
			other, err := newReplica(backup, b.GetInstance(), seen)
			if err != nil {
				return nil, nil, err
			}
			backups[i] = append(backups[i], other)
		}
	}
	return out, backups, nil
}

func newReplica(port uint16, instance uint32, seen map[v1model.Replica]bool) (v1model.Replica, error) {
	r := v1model.Replica{Port: port, Instance: uint16(instance)}
	switch {
	case instance > maxInstance:
		return r, invalid("instance %d is not in 0..%d", instance, maxInstance)
	case seen[r]:
		return r, invalid("port %d, instance %d appears twice", port, instance)
	}
	seen[r] = true
	return r, nil
}

func replicaPort(r *p4v1.Replica) (uint16, error) {
	switch kind := r.GetPortKind().(type) {
	case *p4v1.Replica_EgressPort:
		if kind.EgressPort > maxPort {
			return 0, invalid("port %d is not in 0..%d", kind.EgressPort, maxPort)
		}
		return uint16(kind.EgressPort), nil
	case *p4v1.Replica_Port:
		return portNumber(kind.Port)
	}
	return 0, invalid("a replica has no port")
}

// portNumber takes a port as a byte string.
func portNumber(sent []byte) (uint16, error) {
	value, err := fit(sent, 16)
	if err != nil {
		return 0, wrap(err, "port")
	}
	port := uint16(value[0])<<8 | uint16(value[1])
	if port > maxPort {
		return 0, invalid("port %d is not in 0..%d", port, maxPort)
	}
	return port, nil
}

func replicationEntity(e *p4v1.PacketReplicationEngineEntry) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_PacketReplicationEngineEntry{
		PacketReplicationEngineEntry: e,
	}}
}

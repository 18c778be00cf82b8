package v1model

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// Values of standard_metadata.instance_type.
const (
	instanceNormal       = 0
	instanceIngressClone = 1
	instanceEgressClone  = 2
	instanceRecirculated = 4
	instanceReplication  = 5
	instanceResubmitted  = 6
)

// metadata gives access to the fields of standard metadata. A field that the program does not
// have, or that it never reads although only the architecture writes it, is the zero Field.
type metadata struct {
	ingressPort, egressSpec, egressPort, instanceType, packetLength engine.Field
	mcastGrp, egressRid                                             engine.Field
	parserError, checksumError                                      engine.Field
	ingressTime, egressTime, enqueueTime                            engine.Field

	enqueueDepth, dequeueDepth, dequeueDelta engine.Field
	queueing                                 bool // one of these three is there
}

func newMetadata(m *engine.Machine) (*metadata, error) {
	md := &metadata{}
	fields := []struct {
		dst      *engine.Field
		name     string
		extra    string // the intrinsic header that the field has in P4_14 and in aliases
		required bool
		always   bool // the architecture itself reads it
	}{
		{&md.ingressPort, "ingress_port", "", true, false},
		{&md.egressSpec, "egress_spec", "", true, true},
		{&md.egressPort, "egress_port", "", true, false},
		{&md.instanceType, "instance_type", "", true, false},
		{&md.packetLength, "packet_length", "", true, false},
		{&md.mcastGrp, "mcast_grp", "intrinsic_metadata", false, true},
		{&md.egressRid, "egress_rid", "intrinsic_metadata", false, false},
		{&md.parserError, "parser_error", "", false, false},
		{&md.checksumError, "checksum_error", "", false, false},
		{&md.ingressTime, "ingress_global_timestamp", "intrinsic_metadata", false, false},
		{&md.egressTime, "egress_global_timestamp", "intrinsic_metadata", false, false},
		{&md.enqueueTime, "enq_timestamp", "queueing_metadata", false, false},
		{&md.enqueueDepth, "enq_qdepth", "queueing_metadata", false, false},
		{&md.dequeueDepth, "deq_qdepth", "queueing_metadata", false, false},
		{&md.dequeueDelta, "deq_timedelta", "queueing_metadata", false, false},
	}
	for _, f := range fields {
		ref, ok := find(m.Program, f.extra, f.name)
		if !ok && f.required {
			return nil, fmt.Errorf("program %q has no field standard_metadata.%s",
				m.Program.Name, f.name)
		}
		if !ok || !f.always && !m.Reads(ref) {
			continue
		}
		var err error
		if *f.dst, err = m.Field(ref); err != nil {
			return nil, err
		}
	}
	md.queueing = md.enqueueDepth.Present() || md.dequeueDepth.Present() || md.dequeueDelta.Present()
	return md, nil
}

// setQueue tells a packet what waits at its port. Egress runs before that queue, not behind it as in
// simple_switch: both depths are what the packet finds there, the time is how long it is going to wait.
func (md *metadata) setQueue(st *engine.State, frames, wait uint64) {
	md.enqueueDepth.Set(st, min(frames, md.enqueueDepth.Max()))
	md.dequeueDepth.Set(st, min(frames, md.dequeueDepth.Max()))
	md.dequeueDelta.Set(st, min(wait, md.dequeueDelta.Max()))
}

func find(p *bmv2.Program, extra, name string) (bmv2.FieldRef, bool) {
	if extra != "" {
		if ref, ok := p.Field(extra, name); ok {
			return ref, true
		}
	}
	return p.Field("standard_metadata", name)
}

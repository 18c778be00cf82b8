package p4rt

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// pipeline is one forwarding pipeline: a switch and the dictionary between it and P4Info. Only the
// digests and the switch behind it change after it was built.
type pipeline struct {
	config  *p4v1.ForwardingPipelineConfig
	program *bmv2.Program
	sw      *v1model.Switch

	names     names
	tables    objects[*table]
	profiles  objects[*profile]
	counters  objects[*array]
	meters    objects[*meter]
	registers objects[*register]
	sets      objects[*valueSet]
	digests   objects[*digest]
	digestOf  map[*bmv2.FieldList]*digest
	tableOf   map[string]*table
	absent    map[uint32]string // tables that only P4Info has
	packetIn  *packetHeader     // nil: frames go to the controller as they are
	packetOut *packetHeader
}

// newPipeline binds P4Info to a program. The error is an INVALID_ARGUMENT that names the first
// object which the two do not agree on, or an UNIMPLEMENTED for what the switch does not have.
func newPipeline(config *p4v1.ForwardingPipelineConfig, program *bmv2.Program) (*pipeline, error) {
	info := config.GetP4Info()
	p := &pipeline{
		config:    config,
		program:   program,
		tables:    objects[*table]{kind: "table"},
		profiles:  objects[*profile]{kind: "action profile"},
		counters:  objects[*array]{kind: "indirect counter"},
		meters:    objects[*meter]{kind: "indirect meter"},
		registers: objects[*register]{kind: "register"},
		sets:      objects[*valueSet]{kind: "value set"},
		digests:   objects[*digest]{kind: "digest"},
		digestOf:  make(map[*bmv2.FieldList]*digest),
		tableOf:   make(map[string]*table),
		absent:    make(map[uint32]string),
	}
	for _, bind := range []func(*p4config.P4Info) error{
		p.refuse, p.bindTables, p.bindProfiles, p.bindDirect, p.bindCounters, p.bindMeters,
		p.bindRegisters, p.bindSets, p.bindDigests, p.bindPackets,
	} {
		if err := bind(info); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// refuse names what this server has no counterpart for.
func (p *pipeline) refuse(info *p4config.P4Info) error {
	for _, e := range info.GetExterns() {
		return unimplemented("extern type %q: this switch has no externs beyond those of P4Runtime",
			e.GetExternTypeName())
	}
	return nil
}

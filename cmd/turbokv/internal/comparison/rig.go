package comparison

import (
	"context"
	"net/netip"
	"time"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/transport"
)

// Rig is the cluster that is measured. Its nodes coordinate for those that ask them.
type Rig interface {
	// Connect returns a socket of a host of its own in the data network.
	Connect() (transport.Conn, error)
	// Service is the service address, Master where the master answers.
	Service() netip.AddrPort
	Master() netip.AddrPort
	// Status and CreateKeyspace are those of the controller's admin service.
	Status(ctx context.Context) (admin.Status, error)
	CreateKeyspace(ctx context.Context, spec admin.KeyspaceSpec) error
	// Used returns the processor time that each part has used so far, this process being the
	// clients; nothing where that is not known.
	Used() map[Part]time.Duration
}

// Part is a part of the rig whose processor time is told.
type Part string

// The parts.
const (
	PartSwitch  Part = "switch"
	PartNodes   Part = "nodes"
	PartMaster  Part = "master"
	PartClients Part = "clients"
)

// Parts are all parts.
var Parts = []Part{PartSwitch, PartNodes, PartMaster, PartClients}

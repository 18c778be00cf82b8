package command

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/comparison"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/gateway"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/transport"
)

// tunnels is a rack whose cables are UDP tunnels on the loopback interface.
type tunnels struct {
	*faultLab
	limits limits
}

func (a *app) openTunnels(ctx context.Context, f compareFlags, dir string) (*tunnels, error) {
	lab, err := a.openLab(ctx, layout.Plan{
		Nodes: f.nodes, Base: f.base, DataDir: dir, Coordinate: true, NoBalance: true,
	})
	if err != nil {
		return nil, err
	}
	return &tunnels{faultLab: lab}, nil
}

func (t *tunnels) describe() string {
	return fmt.Sprintf("%d nodes and the built-in switch as processes, UDP tunnels as cables", t.plan.Nodes)
}

func (t *tunnels) close() error { return errors.Join(t.limits.release(), t.faultLab.close()) }

func (t *tunnels) limit(cores float64) error {
	for i := range t.plan.Nodes {
		if err := t.limits.addProcess(t.faultLab, layout.NodeName(i), cores); err != nil {
			return err
		}
	}
	return t.limits.addProcess(t.faultLab, layout.MasterName, cores)
}

// Connect implements comparison.Rig.
func (t *tunnels) Connect() (transport.Conn, error) { return gateway.Dial(t.site.file.Gateway) }

// Service implements comparison.Rig.
func (t *tunnels) Service() netip.AddrPort { return t.site.file.Service }

// Master implements comparison.Rig.
func (t *tunnels) Master() netip.AddrPort { return t.plan.Master() }

// Status implements comparison.Rig.
func (t *tunnels) Status(ctx context.Context) (admin.Status, error) { return t.site.Status(ctx) }

// CreateKeyspace implements comparison.Rig.
func (t *tunnels) CreateKeyspace(ctx context.Context, spec admin.KeyspaceSpec) error {
	return t.site.CreateKeyspace(ctx, spec)
}

// Used implements comparison.Rig.
func (t *tunnels) Used() map[comparison.Part]time.Duration {
	pids := map[comparison.Part][]int{comparison.PartClients: {os.Getpid()}}
	add := func(part comparison.Part, name string) {
		if pid, err := t.group.PID(name); err == nil { // else it is not running
			pids[part] = append(pids[part], pid)
		}
	}
	add(comparison.PartSwitch, layout.SwitchName)
	add(comparison.PartMaster, layout.MasterName)
	for i := range t.plan.Nodes {
		add(comparison.PartNodes, layout.NodeName(i))
	}
	return comparison.UsedBy(pids)
}

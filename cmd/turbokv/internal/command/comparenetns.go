package command

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/comparison"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
)

// namespaces is a rack in network namespaces. Behind the nodes there are two more hosts: one with the
// sockets of this process, which are the clients, and one for the master.
type namespaces struct {
	*admin.Client
	app         *app
	run         *netns.Run
	plan        *netplan.Plan
	clients     topology.Host
	masterAddr  netip.AddrPort
	pids        map[comparison.Part][]int
	limits      limits
	nodes       int
	description string
}

// masterProcess is the name and the role of the process of the master.
const masterProcess = "master"

func (a *app) openNamespaces(
	ctx context.Context, f compareFlags, dir string,
) (n *namespaces, err error) {
	n = &namespaces{app: a, nodes: f.nodes}
	if err := n.makePlan(f, dir); err != nil {
		return nil, err
	}
	events := netns.Events{}
	if a.verbose {
		events = a.netEvents()
	}
	if n.run, err = (netns.Config{Ready: readyTimeout, Events: events}).Up(ctx, n.plan); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	ready, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := prepare(ready, n.plan.AdminTarget(), kv.DurabilityMemory); err != nil {
		return nil, err
	}
	if err := n.findProcesses(); err != nil {
		return nil, err
	}
	n.Client, err = netns.Admin(n.plan)
	return n, err
}

// makePlan draws the rack and adds to its plan what is particular to a comparison.
func (n *namespaces) makePlan(f compareFlags, dir string) error {
	net := topology.Shape{Kind: "single", Nodes: f.nodes, Clients: 2}.Network()
	for i := range net.Links {
		net.Links[i].Delay = f.delay
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	can, err := netns.Try()
	if err != nil {
		return err
	}
	n.plan, err = netplan.New(net, netplan.Options{
		Dir: dir, Binary: self, Prefix: fmt.Sprintf("tkvcmp%d-", os.Getpid()),
		Switch: netplan.Kind(f.kind), Can: can, Volatile: f.durability == kv.DurabilityMemory.String(),
	})
	if err != nil {
		return usagef("%w", err)
	}
	last := len(net.Hosts)
	n.clients = net.Hosts[last-2]
	n.addCoordinators(net.Hosts[last-1])
	n.description = fmt.Sprintf("%d nodes and the switch (%s) in network namespaces, veth links", f.nodes,
		f.kind)
	if f.delay > 0 {
		n.description += fmt.Sprintf(" of %v each way (%s)", f.delay, n.plan.ShapingNote)
	}
	return nil
}

// addCoordinators has the nodes coordinate, runs a master on its host, and keeps the balancer still.
func (n *namespaces) addCoordinators(master topology.Host) {
	for i := range n.plan.Processes {
		p := &n.plan.Processes[i]
		switch p.Role {
		case netplan.NodeRole:
			p.Args = append(p.Args, "--coordinate")
		case netplan.ControllerRole:
			p.Args = append(p.Args, "--no-balance")
		}
	}
	n.masterAddr = netip.AddrPortFrom(master.Addr.Addr(), coordinate.MasterPort)
	n.plan.Processes = append(n.plan.Processes, netplan.Process{
		Name: masterProcess, Role: masterProcess, Place: master.Name,
		Log: filepath.Join(n.plan.Dir, masterProcess+".log"),
		Args: []string{n.plan.Binary, "master", "--addr", n.masterAddr.String(),
			"--controller", n.plan.AdminTarget()},
	})
}

// findProcesses keeps the process ids of the parts whose processor time is told.
func (n *namespaces) findProcesses() error {
	n.pids = map[comparison.Part][]int{comparison.PartClients: {os.Getpid()}}
	part := map[netplan.Role]comparison.Part{
		netplan.SwitchRole: comparison.PartSwitch, netplan.NodeRole: comparison.PartNodes,
		masterProcess: comparison.PartMaster,
	}
	for _, p := range n.plan.Processes {
		pid, err := n.run.PID(p.Name)
		if err != nil {
			return err
		}
		if part, ok := part[p.Role]; ok {
			n.pids[part] = append(n.pids[part], pid)
		}
	}
	return nil
}

func (n *namespaces) describe() string { return n.description }

func (n *namespaces) close() error {
	err := n.limits.release()
	if n.Client != nil {
		err = errors.Join(err, n.Client.Close())
	}
	return errors.Join(err, n.run.Close())
}

func (n *namespaces) limit(cores float64) error {
	for _, pid := range slices.Concat(n.pids[comparison.PartNodes], n.pids[comparison.PartMaster]) {
		if err := n.limits.add(pid, cores, n.app.Err); err != nil {
			return err
		}
	}
	return nil
}

// Connect implements comparison.Rig. A socket stays in the namespace in which it was opened.
func (n *namespaces) Connect() (conn transport.Conn, err error) {
	path, err := n.run.Namespace(n.clients.Name)
	if err != nil {
		return nil, err
	}
	err = netns.Inside(path, func() (err error) {
		conn, err = transport.ListenUDP(netip.AddrPortFrom(n.clients.Addr.Addr(), 0))
		return err
	})
	return conn, err
}

// Service implements comparison.Rig.
func (n *namespaces) Service() netip.AddrPort { return n.plan.Service }

// Master implements comparison.Rig.
func (n *namespaces) Master() netip.AddrPort { return n.masterAddr }

// CreateKeyspace implements comparison.Rig.
func (n *namespaces) CreateKeyspace(ctx context.Context, spec admin.KeyspaceSpec) error {
	_, err := n.Client.CreateKeyspace(ctx, spec)
	return err
}

// Used implements comparison.Rig.
func (n *namespaces) Used() map[comparison.Part]time.Duration { return comparison.UsedBy(n.pids) }

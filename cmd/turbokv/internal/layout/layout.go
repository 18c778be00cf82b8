// Package layout is the address plan of a cluster on one machine: which part listens where, which
// switch port leads to whom, and the command line of every part when each is a process.
package layout

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/wire"
)

// GatewaySlots is how many client processes may be connected at a time.
const GatewaySlots = 32

// DefaultBase is the lowest port number that a cluster uses; it uses those up to
// DefaultBase+maxOffset.
const DefaultBase = 21590

// Offsets of port numbers from the base.
const (
	offController    = 0
	offP4Runtime     = 1
	offUp            = 2
	offHTTP          = 3
	offSwitchMetrics = 4
	offStandby       = 5 // and the following: controllers besides the first
	offGatewaySwitch = 10
	offGatewayClient = offGatewaySwitch + 100
	offNodeSwitch    = offGatewayClient + 100
	offNodeHost      = offNodeSwitch + 100
	offNodeMetrics   = offNodeHost + 100
	maxOffset        = offNodeMetrics + 100
)

// Numbers of switch ports.
const (
	firstNodePort    = 1
	firstGatewayPort = 100
)

// The data network, which exists only inside of the switch and its cables.
var (
	controlHost = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 254, 1}), clientPort)
	gatewayHost = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 200, 1}), clientPort)
)

// MaxControllers is how many controllers a cluster can have.
const MaxControllers = offGatewaySwitch - offStandby + 1

// clientPort is the UDP port of clients in the data network; any would do.
const clientPort = wire.Port + 1

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// SpareNodes is how many nodes a cluster of processes can get while it runs: the switch has ports for
// them from the start.
const SpareNodes = 8

// Plan is the plan of one cluster.
type Plan struct {
	Nodes   int    // at the start
	Base    int    // lowest port number
	DataDir string // folder of all that survives a restart
	// Controllers is how many processes control the cluster, one at a time; 0 stands for 1. Several
	// need a Store in etcd; else it is a file in DataDir.
	Controllers int
	Store       string
	// Coordinate has the nodes coordinate for clients that ask them, and adds a master.
	Coordinate bool
	// NoBalance has the controller leave the levelling of load to operators.
	NoBalance bool
}

// Validate tells what is wrong with a plan.
func (p Plan) Validate() error {
	switch {
	case p.Nodes < 1 || p.Nodes > cluster.MaxNodes:
		return fmt.Errorf("%d nodes: must be 1 to %d", p.Nodes, cluster.MaxNodes)
	case p.Base < 1024 || p.Base+maxOffset > 1<<16:
		return fmt.Errorf("base port %d: must be 1024 to %d", p.Base, 1<<16-maxOffset)
	case p.DataDir == "":
		return errors.New("no data directory")
	case p.Controllers < 0 || p.Controllers > MaxControllers:
		return fmt.Errorf("%d controllers: must be 1 to %d", p.Controllers, MaxControllers)
	case p.Controllers > 1 && p.Store == "":
		return fmt.Errorf("%d controllers: they need a store in etcd", p.Controllers)
	}
	return nil
}

func (p Plan) local(offset int) netip.AddrPort {
	return netip.AddrPortFrom(loopback, uint16(p.Base+offset))
}

// Controller is where nodes and operators reach the controller; with several, there are commas
// between their addresses.
func (p Plan) Controller() string {
	addresses := []string{p.local(offController).String()}
	for i := 1; i < p.Controllers; i++ {
		addresses = append(addresses, p.local(offStandby+i-1).String())
	}
	return strings.Join(addresses, ",")
}

// P4Runtime is where the controller reaches the switch.
func (p Plan) P4Runtime() string { return p.local(offP4Runtime).String() }

// Up is where `turbokv up` itself is asked for what only it can do.
func (p Plan) Up() string { return p.local(offUp).String() }

// HTTP is where the web page and the metrics of the whole cluster are served by default.
func (p Plan) HTTP() string { return p.local(offHTTP).String() }

// SwitchMetrics is where the switch process serves its metrics.
func (p Plan) SwitchMetrics() string { return p.local(offSwitchMetrics).String() }

// NodeMetrics is where the process of node i, from 0 on, serves its metrics.
func (p Plan) NodeMetrics(i int) string { return p.local(offNodeMetrics + i).String() }

// Ports is how many nodes the switch process has ports for.
func (p Plan) Ports() int { return min(p.Nodes+SpareNodes, cluster.MaxNodes) }

// ClusterFile is what clients must know.
func (p Plan) ClusterFile() clusterfile.File {
	return clusterfile.File{
		Service: cluster.Service, Admin: p.Controller(), Up: p.Up(),
		Gateway: clusterfile.Gateway{
			Switch: p.local(offGatewaySwitch), Client: p.local(offGatewayClient),
			Host: gatewayHost, Slots: GatewaySlots,
		},
	}
}

// Process is the command line of one part.
type Process struct {
	Name string
	Args []string
}

// Processes are the parts in the order in which to start them.
func (p Plan) Processes() []Process {
	out := []Process{p.switchProcess()}
	for i, addr := range strings.Split(p.Controller(), ",") {
		out = append(out, p.controllerProcess(i, addr))
	}
	for i := range p.Nodes {
		out = append(out, p.NodeProcess(i))
	}
	if p.Coordinate {
		out = append(out, p.masterProcess())
	}
	return out
}

// masterSlot is the slot of the gateway that a master takes: the last, which clients try last.
const masterSlot = GatewaySlots - 1

// Master is where a master answers in the data network.
func (p Plan) Master() netip.AddrPort {
	host := gatewayHost.Addr().As4()
	host[3] += masterSlot
	return netip.AddrPortFrom(netip.AddrFrom4(host), coordinate.MasterPort)
}

func (p Plan) masterProcess() Process {
	return Process{MasterName, []string{
		"master", "--addr", p.Master().String(), "--controller", p.Controller(),
		"--network", fmt.Sprintf("tunnel:%v,%v", p.local(offGatewayClient+masterSlot),
			p.local(offGatewaySwitch+masterSlot)),
	}}
}

// GatewayPorts are the ports of the switch for client processes.
func (p Plan) GatewayPorts() (specs []port.Spec) {
	for i := range GatewaySlots {
		specs = append(specs, p.cable(firstGatewayPort+i, offGatewaySwitch+i, offGatewayClient+i))
	}
	return specs
}

// cable is a switch port that is a tunnel between two offsets.
func (p Plan) cable(number, switchEnd, hostEnd int) port.Spec {
	return port.Spec{Number: uint16(number), UDP: port.UDPConfig{
		Local: p.local(switchEnd).String(), Remote: p.local(hostEnd).String(),
	}}
}

func (p Plan) switchProcess() Process {
	args := []string{"switch", "--grpc-addr", p.P4Runtime(), "--metrics", p.SwitchMetrics()}
	for i := range p.Ports() {
		spec := p.cable(firstNodePort+i, offNodeSwitch+i, offNodeHost+i)
		args = append(args, "-i", spec.String())
	}
	for _, spec := range p.GatewayPorts() {
		args = append(args, "-i", spec.String())
	}
	return Process{SwitchName, args}
}

// controllerProcess is the command line of controller i, from 0 on. All have one address in the data
// network, because one at a time has the switch send it what comes there.
func (p Plan) controllerProcess(i int, addr string) Process {
	name := "controller"
	if i > 0 {
		name += strconv.Itoa(i + 1)
	}
	store := cmp.Or(p.Store, filepath.Join(p.DataDir, "controller.db"))
	args := []string{
		"controller", "--listen", addr, "--p4runtime", p.P4Runtime(),
		"--store", store, "--expect-nodes", strconv.Itoa(p.Nodes),
		"--service", cluster.Service.Addr().String(), "--addr", controlHost.String(),
	}
	if p.NoBalance {
		args = append(args, "--no-balance")
	}
	return Process{name, args}
}

// NodeAddr is the address of node i, from 0 on, in the data network.
func NodeAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), wire.Port)
}

// NodeDir is the folder of node i, from 0 on, in a data directory.
func NodeDir(dataDir string, i int) string {
	return filepath.Join(dataDir, NodeName(i))
}

// MasterName and SwitchName are the names of these processes.
const (
	MasterName = "master"
	SwitchName = "switch"
)

// NodeName is the name of the process of node i, from 0 on.
func NodeName(i int) string { return fmt.Sprintf("node%d", i+1) }

// NodesIn counts the nodes that a data directory has folders of, up to the highest number.
func NodesIn(dataDir string) (n int) {
	for i := range cluster.MaxNodes {
		if info, err := os.Stat(NodeDir(dataDir, i)); err == nil && info.IsDir() {
			n = i + 1
		}
	}
	return n
}

// NodeProcess is the command line of node i, 0 <= i < Ports().
func (p Plan) NodeProcess(i int) Process {
	name, addr := NodeName(i), NodeAddr(i)
	args := []string{
		"node", "--addr", addr.String(), "--port", strconv.Itoa(firstNodePort + i),
		"--network", fmt.Sprintf("tunnel:%v,%v", p.local(offNodeHost+i), p.local(offNodeSwitch+i)),
		"--controller", p.Controller(), "--data-dir", NodeDir(p.DataDir, i),
		"--metrics", p.NodeMetrics(i),
	}
	if p.Coordinate {
		args = append(args, "--coordinate")
	}
	return Process{name, args}
}

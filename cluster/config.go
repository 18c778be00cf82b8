package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode"
	"github.com/turbokv/turbokv/storagenode/engine"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// Config describes a cluster. The zero value is one of DefaultNodes nodes whose data is gone when it
// is closed.
type Config struct {
	// Nodes is the number of storage nodes, 1 to MaxNodes; 0 stands for DefaultNodes.
	Nodes int
	// DataDir keeps the controller's store and the nodes' data. Empty stands for a temporary
	// directory that Close removes.
	DataDir string
	// Engine is the durable engine of the nodes; empty stands for engine.DefaultDurable.
	Engine engine.Kind
	// P4Runtime and Controller are where the switch and the controller listen, host:port. Empty
	// stands for a free port of the loopback interface.
	P4Runtime, Controller string
	// Ports are further ports of the switch, such as tunnels for other processes. Their numbers
	// must lie above MaxNodes and below FirstClientPort, or be at least LastClientPort+1.
	Ports map[uint16]port.Port
	// NodeConn, if it is set, puts something around the socket of each node, such as a coordinator
	// of package coordinate/coordinator. It is told where the controller is, host:port.
	NodeConn func(conn transport.Conn, controller string) (transport.Conn, error)
	// Events reports what happens.
	Events Events
}

// Events are told what happens; each may be nil. They are called from several goroutines and must
// return soon.
type Events struct {
	Controller func(controller.Event)
	// Node reports a replica that serves, recovers, lost its data or failed.
	Node func(node kv.NodeID, id kv.SubRangeID, state serverlib.State)
}

// Numbers of switch ports: nodes take 1 to MaxNodes, clients of this process FirstClientPort to
// LastClientPort.
const (
	DefaultNodes    = 5
	MaxNodes        = 64
	FirstClientPort = 200
	LastClientPort  = 449
)

// queueLength is the capacity of an in-memory cable in frames per direction: several windows of a
// client, 8 MB.
const queueLength = 4096

// The data network, which exists only inside the switch and its cables.
var (
	// Service is the service address of every cluster of this package.
	Service     = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 255, 1}), wire.Port)
	controlHost = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 254, 1}), clientPort)
)

// clientPort is the UDP port of clients in the data network; any would do.
const clientPort = wire.Port + 1

// nodeAddr is the address of node i, 0 <= i < MaxNodes.
func nodeAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), wire.Port)
}

// clientAddr is the address of the client on a switch port.
func clientAddr(number uint16) netip.AddrPort {
	i := number - FirstClientPort
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 201, byte(i + 1)}), clientPort)
}

func (c Config) complete() (Config, error) {
	if c.Nodes == 0 {
		c.Nodes = DefaultNodes
	}
	if c.Nodes < 1 || c.Nodes > MaxNodes {
		return c, fmt.Errorf("cluster: %d nodes: must be 1 to %d", c.Nodes, MaxNodes)
	}
	for number := range c.Ports {
		if number <= MaxNodes || number >= FirstClientPort && number <= LastClientPort {
			return c, fmt.Errorf("cluster: port %d is taken by the cluster itself", number)
		}
	}
	return c, nil
}

// listen opens a TCP listener; an empty address stands for a free port of the loopback interface.
func listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return net.Listen("tcp", addr)
}

func (e Events) node(id kv.NodeID) storagenode.Events {
	return storagenode.Events{StateChanged: func(s kv.SubRangeID, state serverlib.State) {
		if e.Node != nil {
			e.Node(id, s, state)
		}
	}}
}

// Errors of a cluster.
var (
	// ErrClosed says that the cluster was closed.
	ErrClosed = errors.New("cluster is closed")
	// ErrClients says that all switch ports for clients are taken.
	ErrClients = errors.New("no switch port is free for another client")
	// ErrNoNode says that there is no node of that number.
	ErrNoNode = errors.New("no such node")
)

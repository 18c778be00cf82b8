package netplan

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/wire"
)

// Options are what a topology does not say. The zero value of each stands for its default, but for Dir
// and Binary.
type Options struct {
	Dir    string // folder of the run, absolute
	Binary string // path of the turbokv program, absolute
	Prefix string // of the names of namespaces; default "tkv-"
	Switch Kind   // default Builtin
	// SimpleSwitch is the program of kind BMv2; default "simple_switch_grpc".
	SimpleSwitch string
	// Service and Controller are addresses in the data network; default 10.255.0.1 and 10.254.0.1.
	Service, Controller netip.Addr
	// Store keeps the controller's directory; default a file in Dir.
	Store string
	// Expect is how many nodes must have connected before anything is placed; default: all.
	Expect int
	// MTU is that of the data network, in bytes; default 1500.
	MTU int
	// Shaping is who shapes links; default: see Choose. Can is what the kernel is able to do.
	Shaping Shaping
	Can     Capabilities
	// StaticARP gives hosts permanent entries instead of having them ask.
	StaticARP bool
	// Volatile nodes have no data directory.
	Volatile bool
}

// Defaults of Options.
const (
	DefaultPrefix       = "tkv-"
	DefaultSimpleSwitch = "simple_switch_grpc"
	defaultMTU          = 1500
)

// minMTU is what a packet of the store fills. maxMTU is what the ports of each switch move.
const minMTU = wire.MaxPacketSize + wire.UDPSize + wire.IPv4Size

var maxMTU = map[Kind]int{Builtin: 2000, BMv2: 9000}

// complete fills in defaults.
func (o Options) complete(n *topology.Network) (Options, error) {
	nodes := 0
	for _, h := range n.Hosts {
		if h.Role == topology.Node {
			nodes++
		}
	}
	o.Prefix = cmp.Or(o.Prefix, DefaultPrefix)
	o.Switch = cmp.Or(o.Switch, Builtin)
	o.SimpleSwitch = cmp.Or(o.SimpleSwitch, DefaultSimpleSwitch)
	o.Store = cmp.Or(o.Store, filepath.Join(o.Dir, storeFile))
	o.Expect = cmp.Or(o.Expect, nodes)
	o.MTU = cmp.Or(o.MTU, defaultMTU)
	if !o.Service.IsValid() {
		o.Service = netip.AddrFrom4([4]byte{10, 255, 0, 1})
	}
	if !o.Controller.IsValid() {
		o.Controller = netip.AddrFrom4([4]byte{10, 254, 0, 1})
	}
	return o, o.check(n, nodes)
}

func (o Options) check(n *topology.Network, nodes int) error {
	switch {
	case !filepath.IsAbs(o.Dir) || !filepath.IsAbs(o.Binary):
		return fmt.Errorf("folder %q and program %q must be absolute paths", o.Dir, o.Binary)
	case len(o.Dir)+1+len(adminSocket) > maxSocketPath:
		return fmt.Errorf("folder %s: its path is too long for a socket in it, at most %d bytes", o.Dir,
			maxSocketPath-1-len(adminSocket))
	case o.Switch != Builtin && o.Switch != BMv2:
		return fmt.Errorf("switch %q: must be %s or %s", o.Switch, Builtin, BMv2)
	case nodes == 0:
		return fmt.Errorf("no host has the role %q: there must be a storage node", topology.Node)
	case o.Expect < 1 || o.Expect > nodes:
		return fmt.Errorf("%d nodes expected: the topology has %d", o.Expect, nodes)
	case o.MTU < minMTU || o.MTU > maxMTU[o.Switch]:
		return fmt.Errorf("MTU %d: must be %d to %d", o.MTU, minMTU, maxMTU[o.Switch])
	case !o.Service.Is4() || !o.Controller.Is4() || o.Service == o.Controller:
		return fmt.Errorf("service %v and controller %v: must be two IPv4 addresses", o.Service,
			o.Controller)
	}
	for _, h := range n.Hosts {
		switch a := h.Addr.Addr(); {
		case a == o.Service || a == o.Controller:
			return fmt.Errorf("host %s: address %v is that of the service or of the controller", h.Name, a)
		case management.Contains(a):
			return fmt.Errorf("host %s: %v lies in the management network, %v", h.Name, h.Addr, management)
		}
	}
	return nil
}

// service returns the address of the service with its port.
func (o Options) service() netip.AddrPort { return netip.AddrPortFrom(o.Service, wire.Port) }

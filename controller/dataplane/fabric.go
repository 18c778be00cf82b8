package dataplane

import (
	"net/netip"
	"slices"

	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// FabricConfig is how the switches of a network are joined, and what of it works now.
type FabricConfig struct {
	Network *topology.Network
	Down    []int    // links that carry nothing, as indexes in Network.Links
	Lost    []string // switches that are known to forward nothing
	// Controller is the controller's own address in the data network, and its MAC; the zero value: it
	// has none. Carrier is the switch to whose CPU port it is attached; empty: to none at present.
	Controller Route
	Carrier    string
}

// Fabric is what follows from a FabricConfig for every switch: which ways lead where. It is immutable,
// and safe to read anywhere; when something changes, make another.
//
// Requests go by the tree: from a rack up, and from there down to the rack that is home of the key, up
// no more (valley-free). All else goes by IPv4 along shortest paths. Where nothing leads to a place, the
// ways of the network as it was built stay: what gets lost there is sent again, and a table that does
// not change needs no repair.
type Fabric struct {
	cfg    FabricConfig
	net    *topology.Network
	number map[string]int // position of a switch in net.Switches
	ports  [][]port       // of each switch, towards other switches
	built  paths          // with everything in order
	now    paths
	rackOf map[netip.Prefix]int // subnets that lie in one rack
}

// port is an end of a link between two switches.
type port struct {
	number Port
	peer   int
	step   int // +1: the peer is above, -1: below
	works  bool
}

// NewFabric finds all ways. It takes time in the order of switches times links.
func NewFabric(cfg FabricConfig) *Fabric {
	f := &Fabric{cfg: cfg, net: cfg.Network, number: make(map[string]int)}
	for i, s := range f.net.Switches {
		f.number[s.Name] = i
	}
	for _, s := range f.net.Switches {
		f.ports = append(f.ports, f.portsOf(s))
	}
	f.built = f.paths(func(port) bool { return true })
	f.now = f.paths(func(p port) bool { return p.works })
	f.rackOf = f.subnets()
	return f
}

func (f *Fabric) portsOf(s topology.Switch) (out []port) {
	for _, x := range f.net.Neighbours(s.Name) {
		peer, ok := f.number[x.End.Name]
		if !ok {
			continue
		}
		out = append(out, port{
			number: Port(x.Port), peer: peer, step: f.net.Switches[peer].Level - s.Level,
			works: !slices.Contains(f.cfg.Down, x.Link) && !slices.Contains(f.cfg.Lost, s.Name) &&
				!slices.Contains(f.cfg.Lost, x.End.Name),
		})
	}
	return out
}

// subnets finds the subnets of which all hosts are in one rack: one route leads to all of them.
func (f *Fabric) subnets() map[netip.Prefix]int {
	out := make(map[netip.Prefix]int)
	racks := make([]int, len(f.net.Hosts))
	for i, h := range f.net.Hosts {
		rack, _ := f.net.Rack(h.Name)
		racks[i] = f.number[rack.Name]
		out[h.Addr.Masked()] = racks[i]
	}
	for subnet, rack := range out {
		for i, h := range f.net.Hosts {
			if subnet.Contains(h.Addr.Addr()) && racks[i] != rack {
				delete(out, subnet)
			}
		}
	}
	return out
}

// rack returns the number of a rack; -1 if there is none of that name.
func (f *Fabric) rack(name string) int {
	if i, ok := f.number[name]; ok && f.net.Switches[i].Level == 0 {
		return i
	}
	return -1
}

// host is a machine that the topology names, as a route of its rack.
func (f *Fabric) host(h topology.Host) Route {
	at, _ := f.net.Rack(h.Name)
	r := Route{Addr: h.Addr.Addr(), MAC: h.MAC, Port: Port(at.Port), Switch: at.Name}
	if r.MAC == (wire.MAC{}) {
		r.MAC = transport.MACOf(r.Addr)
	}
	return r
}

// Names reports whether the topology itself gives a route to a host.
func (f *Fabric) Names(r Route) bool {
	return slices.ContainsFunc(f.net.Hosts, func(h topology.Host) bool { return f.host(h) == r })
}

// Joins reports whether a port of a switch leads to another switch.
func (f *Fabric) Joins(name string, number Port) bool {
	at, ok := f.number[name]
	return ok && slices.ContainsFunc(f.ports[at], func(p port) bool { return p.number == number })
}

package netplan

import (
	"encoding/binary"
	"net/netip"

	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
)

// strangeGateway is the gateway of hosts in whose subnet no address is free.
var strangeGateway = netip.AddrFrom4([4]byte{169, 254, 1, 1})

// gateways gives each host its default route and, if asked for, its ARP entries.
func (m *maker) gateways() {
	owned := make(map[netip.Addr]bool)
	for _, h := range m.Topology.Hosts {
		owned[h.Addr.Addr()] = true
	}
	for _, h := range m.Topology.Hosts {
		p := m.place(h.Name)
		via, ok := freeIn(h.Addr, owned)
		if !ok {
			via = strangeGateway
		}
		p.Routes = append(p.Routes, Route{Via: via, Interface: "eth0", Onlink: !ok})
		if m.o.StaticARP {
			p.Neighbours = m.neighboursOf(h, via)
		}
	}
}

// neighboursOf lists whom a host would ask for by ARP: the gateway, and the others of its subnet. All
// of them are reached through the switch, which looks at no destination MAC.
func (m *maker) neighboursOf(h topology.Host, via netip.Addr) []Neighbour {
	gateway := transport.GatewayMAC.String()
	out := []Neighbour{{via, gateway, "eth0"}}
	add := func(a netip.Addr) {
		if a != h.Addr.Addr() && h.Addr.Contains(a) {
			out = append(out, Neighbour{a, gateway, "eth0"})
		}
	}
	for _, other := range m.Topology.Hosts {
		add(other.Addr.Addr())
	}
	add(m.o.Service)
	add(m.o.Controller)
	return out
}

// freeIn returns the highest address of a subnet that is nobody's. Subnets of one or two addresses have
// none to spare.
func freeIn(p netip.Prefix, owned map[netip.Addr]bool) (netip.Addr, bool) {
	if p.Bits() > 30 {
		return netip.Addr{}, false
	}
	first := p.Masked().Addr()
	size := uint32(1) << (32 - p.Bits())
	at := first.As4()
	base := binary.BigEndian.Uint32(at[:])
	for i := size - 2; i > 0; i-- { // without those of the subnet itself and of broadcast
		binary.BigEndian.PutUint32(at[:], base+i)
		if a := netip.AddrFrom4(at); !owned[a] {
			return a, true
		}
	}
	return netip.Addr{}, false
}

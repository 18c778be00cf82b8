package netplan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// New plans a network. The topology is left as it is; the plan holds a copy with the device id and the
// P4Runtime address of every switch.
func New(n *topology.Network, o Options) (*Plan, error) {
	o, err := o.complete(n)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	p := &Plan{
		Dir: o.Dir, Binary: o.Binary, Prefix: o.Prefix, Switch: o.Switch, Topology: copyOf(n), Service: o.service(),
		Controller: netip.AddrPortFrom(o.Controller, wire.Port+1),
		Admin:      netip.AddrPortFrom(loopback, adminPort),
		HTTP:       netip.AddrPortFrom(loopback, httpPort),
	}
	p.Shaping, p.ShapingNote, err = Choose(n, o.Switch, o.Shaping, o.Can)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	m := &maker{Plan: p, o: o}
	m.places()
	m.dataCables()
	m.managementCables()
	m.addressSwitches()
	m.gateways()
	if err := m.checkNames(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	m.processes()
	if err := m.files(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	for i := range p.Places {
		p.Places[i].Setup = m.setup(p.Places[i])
	}
	return p, nil
}

func copyOf(n *topology.Network) *topology.Network {
	return &topology.Network{
		Hosts: slices.Clone(n.Hosts), Switches: slices.Clone(n.Switches), Links: slices.Clone(n.Links),
	}
}

// maker is a plan in the making.
type maker struct {
	*Plan
	o       Options
	control map[string]control // by place
}

// control is a cable of the management network.
type control struct{ ctl, far netip.Addr }

func (m *maker) places() {
	for _, h := range m.Topology.Hosts {
		m.Places = append(m.Places, Place{Name: h.Name, Kind: HostPlace, Commands: h.Commands})
	}
	for _, s := range m.Topology.Switches {
		m.Places = append(m.Places, Place{Name: s.Name, Kind: SwitchPlace})
	}
	m.Places = append(m.Places, Place{Name: Ctl, Kind: ControllerPlace})
}

// place returns a place to change.
func (m *maker) place(name string) *Place {
	i := slices.IndexFunc(m.Places, func(p Place) bool { return p.Name == name })
	return &m.Places[i] // the names are those of the topology, or ours
}

func (m *maker) dataCables() {
	for i := range m.Topology.Links {
		l := &m.Topology.Links[i]
		m.Cables = append(m.Cables, Cable{A: m.dataEnd(l, l.A), B: m.dataEnd(l, l.B)})
	}
}

// dataEnd adds the interface of one end of a link.
func (m *maker) dataEnd(l *topology.Link, e topology.End) End {
	x := Interface{Name: "eth0", MTU: m.o.MTU, Shape: l}
	if host, ok := m.Topology.Host(e.Name); ok {
		x.Addr, x.MAC, x.NoChecksumOffload = host.Addr, macOf(host).String(), true
	} else {
		x.Name = fmt.Sprintf("%s-eth%d", e.Name, e.Port)
	}
	p := m.place(e.Name)
	p.Interfaces = append(p.Interfaces, x)
	return End{e.Name, x.Name}
}

// macOf is the Ethernet address of a host.
func macOf(h topology.Host) wire.MAC {
	if h.MAC != (wire.MAC{}) {
		return h.MAC
	}
	return transport.MACOf(h.Addr.Addr())
}

// management holds the cables between "ctl" and all others, 64 to a /24.
var (
	management = netip.MustParsePrefix("10.253.0.0/16")
	loopback   = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

const (
	managementBits = 30
	managementMTU  = 1500
)

func (m *maker) managementCables() {
	m.control = make(map[string]control)
	add := func(name string) {
		ctl := management.Addr().As4()
		at := 4 * len(m.control)
		ctl[2], ctl[3] = byte(at>>8), byte(at)+1
		c := control{ctl: netip.AddrFrom4(ctl)}
		c.far = c.ctl.Next()
		m.control[name] = c
		m.Cables = append(m.Cables, Cable{A: m.managementEnd(Ctl, "c-"+name, c.ctl),
			B: m.managementEnd(name, "ctl0", c.far), Management: true})
	}
	for _, s := range m.Topology.Switches {
		add(s.Name)
	}
	for _, h := range m.Topology.Hosts {
		if h.Role == topology.Node {
			add(h.Name)
		}
	}
}

func (m *maker) managementEnd(place, name string, addr netip.Addr) End {
	p := m.place(place)
	p.Interfaces = append(p.Interfaces, Interface{
		Name: name, Addr: netip.PrefixFrom(addr, managementBits), MTU: managementMTU,
	})
	return End{place, name}
}

// addressSwitches gives each switch a device id of its own and a P4Runtime address.
func (m *maker) addressSwitches() {
	used := make(map[uint64]bool)
	for _, s := range m.Topology.Switches {
		used[s.DeviceID] = true
	}
	next := uint64(1)
	for i := range m.Topology.Switches {
		s := &m.Topology.Switches[i]
		for ; s.DeviceID == 0 && used[next]; next++ {
		}
		if s.DeviceID == 0 {
			s.DeviceID, used[next] = next, true
		}
		s.P4Runtime = m.at(s.Name, p4runtimePort).String()
	}
}

// at is an address in the management network.
func (m *maker) at(place string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(m.control[place].far, port)
}

// checkNames demands that names fit the kernel and that there are no two of one.
func (m *maker) checkNames() error {
	const maxInterface = 15 // IFNAMSIZ less the zero byte
	for _, p := range m.Places {
		if p.Kind != ControllerPlace && (p.Name == Ctl || p.Name == ControllerName) {
			return fmt.Errorf("%s %s: the name is the controller's", p.Kind, p.Name)
		}
		for _, x := range p.Interfaces {
			if len(x.Name) > maxInterface {
				return fmt.Errorf("%s: interface %s would have a name of more than %d bytes: give a shorter "+
					"name to the host or the switch", p.Name, x.Name, maxInterface)
			}
		}
	}
	return nil
}

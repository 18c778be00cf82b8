package netplan

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/wire"
)

// Ports of services in the management network.
const (
	adminPort     = 21590
	httpPort      = 21593
	p4runtimePort = 9559
	metricsPort   = 21594
	tracePort     = 21595
)

// cpuPort is the switch port of packet-in and packet-out.
const cpuPort = 510

func (m *maker) processes() {
	for _, s := range m.Topology.Switches {
		if m.o.Switch == BMv2 {
			m.add(m.simpleSwitch(s))
		} else {
			m.add(m.builtinSwitch(s))
		}
	}
	m.add(m.controllerProcess())
	for _, h := range m.Topology.Hosts {
		if h.Role == topology.Node {
			m.add(m.node(h))
		}
	}
}

// add completes a process that is named after its place.
func (m *maker) add(p Process) {
	if p.Place == "" {
		p.Place = p.Name
	}
	p.Log = m.path(p.Name + ".log")
	m.Processes = append(m.Processes, p)
}

func (m *maker) builtinSwitch(s topology.Switch) Process {
	p := Process{Name: s.Name, Role: SwitchRole, Metrics: m.at(s.Name, metricsPort),
		Trace: m.at(s.Name, tracePort)}
	p.Args = []string{m.o.Binary, "switch", "--device-id", strconv.FormatUint(s.DeviceID, 10),
		"--grpc-addr", s.P4Runtime, "--cpu-port", strconv.Itoa(cpuPort), "--metrics", p.Metrics.String(),
		"--trace", p.Trace.String()}
	for _, x := range m.Topology.Neighbours(s.Name) {
		p.Args = append(p.Args, "-i", portOf(s, x)+m.portOptions(x))
	}
	return p
}

func (m *maker) simpleSwitch(s topology.Switch) Process {
	args := []string{m.o.SimpleSwitch, "--no-p4", "--device-id", strconv.FormatUint(s.DeviceID, 10)}
	for _, x := range m.Topology.Neighbours(s.Name) {
		args = append(args, "-i", portOf(s, x))
	}
	args = append(args, "--", "--cpu-port", strconv.Itoa(cpuPort), "--grpc-server-addr", s.P4Runtime)
	return Process{Name: s.Name, Role: SwitchRole, Args: args}
}

// portOf is a port as both kinds of switches take it.
func portOf(s topology.Switch, x topology.Neighbour) string {
	return fmt.Sprintf("%d@%s-eth%d", x.Port, s.Name, x.Port)
}

// portOptions is what a port of the built-in switch does to the packets of its link. A host does not
// shape what it sends, so the port does it for both directions.
func (m *maker) portOptions(x topology.Neighbour) string {
	if m.Shaping != ShapedBySwitch {
		return ""
	}
	var b strings.Builder
	l := m.Topology.Links[x.Link]
	if l.Delay > 0 {
		fmt.Fprintf(&b, ",delay=%v", l.Delay)
	}
	if l.Loss > 0 {
		b.WriteString(",loss=" + decimal(l.Loss))
	}
	if l.Bandwidth > 0 {
		b.WriteString(",rate=" + decimal(l.Bandwidth) + "Mbit")
	}
	if l.Queue > 0 && b.Len() > 0 {
		fmt.Fprintf(&b, ",queue=%d", l.Queue)
	}
	if _, host := m.Topology.Host(x.End.Name); host && b.Len() > 0 {
		b.WriteString(",both")
	}
	return b.String()
}

// decimal writes a number without an exponent.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (m *maker) controllerProcess() Process {
	everywhere := netip.IPv4Unspecified()
	p := Process{Name: ControllerName, Role: ControllerRole, Place: Ctl, Metrics: m.HTTP}
	p.Args = []string{m.o.Binary, "controller",
		"--listen", netip.AddrPortFrom(everywhere, adminPort).String(),
		"--http", netip.AddrPortFrom(everywhere, httpPort).String(),
		"--store", m.o.Store, "--expect-nodes", strconv.Itoa(m.o.Expect),
		"--service", m.o.Service.String(), "--addr", m.Controller.String(),
		"--topology", m.path(topologyFile)}
	return p
}

func (m *maker) node(h topology.Host) Process {
	p := Process{Name: h.Name, Role: NodeRole, Metrics: m.at(h.Name, metricsPort)}
	rack, _ := m.Topology.Rack(h.Name) // every host has one
	p.Args = []string{m.o.Binary, "node",
		"--addr", netip.AddrPortFrom(h.Addr.Addr(), wire.Port).String(), "--network", "udp",
		"--port", strconv.FormatUint(uint64(rack.Port), 10),
		"--controller", netip.AddrPortFrom(m.control[h.Name].ctl, adminPort).String(),
		"--metrics", p.Metrics.String(), "--switch", rack.Name}
	if h.MAC != (wire.MAC{}) {
		p.Args = append(p.Args, "--mac", h.MAC.String())
	}
	if !m.o.Volatile {
		p.Args = append(p.Args, "--data-dir", m.path(h.Name))
	}
	return p
}

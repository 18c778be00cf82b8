package controller

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/links"
	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/topology"
	"google.golang.org/grpc"
)

// Config is what a controller must know. Service, Store, one of Switches and Topology, and one of
// Listen and Listener are required.
type Config struct {
	// Store is the path of the file that keeps the directory, or etcd://host:port[,host:port]/prefix
	// when several controllers share one (see package controller/store/etcd): Run only.
	Store string
	// Listen is the address of the gRPC server for nodes and operators, host:port.
	Listen string
	// Listener is used instead of Listen if it is set. The controller closes it.
	Listener net.Listener
	// ServerOptions configure the gRPC server, for example its credentials.
	ServerOptions []grpc.ServerOption

	// Topology is how switches and hosts hang together; nil: there is one switch, in Switches. Its
	// switches are controlled at the addresses that it gives, with SwitchOptions, unless Switches lists
	// them all by name.
	Topology *topology.Network
	Switches []Switch
	// SwitchOptions must at least choose the transport credentials.
	SwitchOptions []grpc.DialOption
	// Links says how links between switches are watched; the zero value stands for the defaults.
	Links links.Config
	// Pipeline is the program of the switches; the zero value stands for the embedded one.
	Pipeline p4rt.Pipeline

	// Service is the IPv4 address to which clients send.
	Service netip.Addr
	// Address is the controller's own IPv4 address in the data network, and the UDP port of its
	// client. Keyspaces are published from it; without one they are not, and clients must be given
	// descriptors.
	Address netip.AddrPort

	// ExpectNodes is how many nodes must have connected before anything is placed; 0 stands for 1.
	ExpectNodes int
	// ReportInterval is how often nodes report; 0 stands for 1 s.
	ReportInterval time.Duration
	// BeatInterval is how often nodes give a sign of life; 0 stands for 100 ms.
	BeatInterval time.Duration
	// PollInterval is how often the counters of switches are read; 0 stands for 1 s.
	PollInterval time.Duration
	// Policy says when to fail nodes, to repair and to balance; its Health.BeatInterval is set to
	// BeatInterval. Nodes are probed only through Address.
	Policy core.Policy
	// MaxHosts and HostAge bound what is learned about hosts; 0 stands for the defaults of
	// package dataplane.
	MaxHosts int
	HostAge  time.Duration

	Events Events
}

// Switch is how to reach one switch.
type Switch struct {
	Name     string // as nodes name it in their hello; may be empty if there is only one
	Target   string // gRPC address of its P4Runtime server, host:port
	DeviceID uint64 // 0 stands for 1
	// DialOptions must at least choose the transport credentials.
	DialOptions []grpc.DialOption
}

// The default intervals: often enough for a person who watches, rare enough to cost nothing. Beats are
// so frequent because a node that hangs is noticed after some of them are missing.
const (
	defaultBeatInterval   = 100 * time.Millisecond
	defaultReportInterval = time.Second
	defaultPollInterval   = time.Second
)

// complete fills in the defaults and refuses what cannot work.
func (c Config) complete() (Config, error) {
	c.BeatInterval = cmp.Or(c.BeatInterval, defaultBeatInterval)
	c.Policy.Health.BeatInterval = c.BeatInterval
	c.Policy.Health.CanProbe = false // until the switch that carries probes is connected
	c.ReportInterval = cmp.Or(c.ReportInterval, defaultReportInterval)
	c.PollInterval = cmp.Or(c.PollInterval, defaultPollInterval)
	switch {
	case c.Store == "":
		return c, fmt.Errorf("controller: no path of a store")
	case c.Listen == "" && c.Listener == nil:
		return c, fmt.Errorf("controller: no address to listen on")
	case !c.Service.Unmap().Is4():
		return c, fmt.Errorf("controller: service address %v: must be IPv4", c.Service)
	case c.Address.IsValid() && (!c.Address.Addr().Unmap().Is4() || c.Address.Port() == 0):
		return c, fmt.Errorf("controller: own address %v: must be IPv4 with a port", c.Address)
	}
	if err := c.completeSwitches(); err != nil {
		return c, fmt.Errorf("controller: %w", err)
	}
	if c.Pipeline.P4Info == nil {
		info, err := p4src.P4Info()
		if err != nil {
			return c, fmt.Errorf("controller: %w", err)
		}
		c.Pipeline = p4rt.Pipeline{P4Info: info, DeviceConfig: p4src.DeviceConfig()}
	}
	return c, nil
}

// completeSwitches finds out which switches there are, and puts them in order, racks first: nodes that
// name no switch belong to the first one.
func (c *Config) completeSwitches() error {
	c.Switches = slices.Clone(c.Switches)
	if c.Topology != nil {
		c.Policy.Health.Data = true // who has hosts and cables has sessions that go another way
		if err := c.adoptTopology(); err != nil {
			return fmt.Errorf("topology: %w", err)
		}
	}
	switch {
	case len(c.Switches) == 0:
		return fmt.Errorf("no switch")
	case len(c.Switches) > 1 && c.Topology == nil:
		return fmt.Errorf("%d switches without a topology: it must say how they are joined", len(c.Switches))
	}
	names := make(map[string]bool)
	for i := range c.Switches {
		s := &c.Switches[i]
		s.DeviceID = cmp.Or(s.DeviceID, 1)
		if names[s.Name] || s.Target == "" {
			return fmt.Errorf("switch %q at %q: names must differ, targets be set", s.Name, s.Target)
		}
		names[s.Name] = true
	}
	return nil
}

// adoptTopology takes the switches of the topology, or checks that Switches lists all of them.
func (c *Config) adoptTopology() error {
	if len(c.Switches) == 0 {
		for _, s := range c.Topology.Switches {
			if s.P4Runtime == "" {
				return fmt.Errorf("switch %s has no p4runtime: must be the host:port of its P4Runtime server",
					s.Name)
			}
			c.Switches = append(c.Switches, Switch{Name: s.Name, Target: s.P4Runtime, DeviceID: s.DeviceID,
				DialOptions: c.SwitchOptions})
		}
	}
	for _, s := range c.Switches {
		if _, ok := c.Topology.Switch(s.Name); !ok {
			return fmt.Errorf("there is no switch %q: must be one of %v", s.Name, namesOf(c.Topology.Switches))
		}
	}
	if len(c.Switches) != len(c.Topology.Switches) {
		return fmt.Errorf("%d of %d switches are given: must be all or none", len(c.Switches),
			len(c.Topology.Switches))
	}
	slices.SortStableFunc(c.Switches, func(a, b Switch) int {
		return cmp.Compare(c.level(a.Name), c.level(b.Name))
	})
	for _, h := range c.Topology.Hosts {
		if a := h.Addr.Addr(); a == c.Service.Unmap() || a == c.Address.Addr().Unmap() {
			return fmt.Errorf("host %s has the address %v of the service or of the controller", h.Name, a)
		}
	}
	return nil
}

// level returns the level of a switch, 0 without a topology.
func (c *Config) level(name string) int {
	if c.Topology == nil {
		return 0
	}
	s, _ := c.Topology.Switch(name)
	return s.Level
}

func namesOf(switches []topology.Switch) (out []string) {
	for _, s := range switches {
		out = append(out, s.Name)
	}
	return out
}

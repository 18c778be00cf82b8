package controller

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/topology"
)

func treeConfig(t *testing.T) Config {
	t.Helper()
	shape, err := topology.ParseShape("spine-leaf:2x3x2")
	if err != nil {
		t.Fatal(err)
	}
	net := shape.Network()
	for i := range net.Switches {
		net.Switches[i].P4Runtime = "127.0.0.1:1"
	}
	return Config{Store: "s", Listen: "l", Service: netip.MustParseAddr("10.255.0.1"), Topology: net}
}

func TestATopologyGivesTheSwitchesRacksFirst(t *testing.T) {
	cfg := treeConfig(t)
	cfg.Topology.Switches[0].Level, cfg.Topology.Switches[4].Level = 1, 0 // in another order
	got, err := cfg.complete()
	if err != nil || len(got.Switches) != 5 || got.level(got.Switches[0].Name) != 0 ||
		got.level(got.Switches[4].Name) != 1 || got.Switches[0].DeviceID != 1 {
		t.Fatalf("%+v, %v", got.Switches, err)
	}
}

func TestWrongSwitchesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Config)
		want  string
	}{
		"no address":   {func(c *Config) { c.Topology.Switches[3].P4Runtime = "" }, "s4 has no p4runtime"},
		"no such one":  {func(c *Config) { c.Switches = []Switch{{Name: "s9", Target: "t"}} }, "must be one of"},
		"not all":      {func(c *Config) { c.Switches = []Switch{{Name: "s1", Target: "t"}} }, "1 of 5"},
		"no topology":  {func(c *Config) { c.Topology, c.Switches = nil, make([]Switch, 2) }, "without a topology"},
		"service":      {func(c *Config) { c.Service = c.Topology.Hosts[0].Addr.Addr() }, "h1 has the address"},
		"no switch":    {func(c *Config) { c.Topology = nil }, "no switch"},
		"wrong target": {func(c *Config) { c.Topology, c.Switches = nil, make([]Switch, 1) }, "targets be set"},
	} {
		cfg := treeConfig(t)
		c.spoil(&cfg)
		if _, err := cfg.complete(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
}

func TestNodesAreWhereTheTopologySaysOrTheyDo(t *testing.T) {
	cfg := treeConfig(t)
	known, other := kv.NodeIDOf(cfg.Topology.Hosts[3].Addr.Addr()), kv.NodeID(0x0a090909)
	for _, c := range []struct {
		node directory.Node
		want topology.End
		err  string
	}{
		{directory.Node{ID: known}, topology.End{Name: "s2", Port: 1}, ""},
		{directory.Node{ID: known, Port: 7}, topology.End{Name: "s2", Port: 1}, ""},
		{directory.Node{ID: known, Switch: "s1", Port: 7}, topology.End{Name: "s1", Port: 7}, ""}, // moved
		{directory.Node{ID: other, Switch: "s3", Port: 9}, topology.End{Name: "s3", Port: 9}, ""},
		{directory.Node{ID: other, Port: 9}, topology.End{}, "names no switch"},
		{directory.Node{ID: other, Switch: "s4", Port: 9}, topology.End{}, "must be one of [s1 s2 s3]"},
		{directory.Node{ID: other, Switch: "s1", Port: 4}, topology.End{}, "a cable leads from there to s4-p1"},
	} {
		n := c.node
		err := cfg.place(&n)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v: %v, want %q in it", c.node, err, c.err)
			}
		case err != nil || n.Switch != c.want.Name || n.Port != c.want.Port:
			t.Errorf("%+v: at %s-p%d, %v; want %v", c.node, n.Switch, n.Port, err, c.want)
		}
	}
}

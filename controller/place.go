package controller

import (
	"fmt"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/topology"
)

// place finds out where a node is attached that names no switch, and refuses a place where no host can
// be. Without a topology all nodes are at the one switch.
func (c *Config) place(n *directory.Node) error {
	if c.Topology == nil {
		return nil
	}
	if n.Switch == "" && !c.find(n) && len(c.Topology.Switches) > 1 {
		return fmt.Errorf("%w: node %v names no switch, and the topology has no host of that address: it "+
			"must name one of %v", directory.ErrInvalid, n.ID, c.racks())
	}
	if n.Switch == "" {
		n.Switch = c.Topology.Switches[0].Name
	}
	at, ok := c.Topology.Switch(n.Switch)
	if !ok || at.Level > 0 {
		return fmt.Errorf("%w: node %v is attached to switch %q: must be one of %v", directory.ErrInvalid, n.ID,
			n.Switch, c.racks())
	}
	for _, x := range c.Topology.Neighbours(n.Switch) {
		if _, joins := c.Topology.Switch(x.End.Name); joins && x.Port == n.Port {
			return fmt.Errorf("%w: node %v is attached to port %v: a cable leads from there to %v",
				directory.ErrInvalid, n.ID, topology.End{Name: n.Switch, Port: n.Port}, x.End)
		}
	}
	return nil
}

// find looks a node up in the topology.
func (c *Config) find(n *directory.Node) bool {
	for _, h := range c.Topology.Hosts {
		if h.Addr.Addr() == n.ID.Addr() {
			at, _ := c.Topology.Rack(h.Name)
			n.Switch, n.Port = at.Name, at.Port
			return true
		}
	}
	return false
}

// racks lists the switches to which hosts can be attached.
func (c *Config) racks() (out []string) {
	for _, s := range c.Topology.Switches {
		if s.Level == 0 {
			out = append(out, s.Name)
		}
	}
	return out
}

package topology

import (
	"fmt"
	"net/netip"
)

// Bounds of what a switch program and an address plan can take.
const (
	maxPort  = 509 // of a switch: 510 is the controller's, 511 means "drop"
	maxNames = 15  // bytes of a name: the kernel's limit for interfaces holds "name-ethN" apart
)

// check tells what is wrong with a network whose levels are known.
func (n *Network) check() error {
	if len(n.Switches) == 0 {
		return fmt.Errorf("no switch")
	}
	if err := n.checkNames(); err != nil {
		return err
	}
	if err := n.checkAddresses(); err != nil {
		return err
	}
	for i, l := range n.Links {
		if err := n.checkLink(l); err != nil {
			return fmt.Errorf("link %d, %v to %v: %w", i+1, l.A, l.B, err)
		}
	}
	return n.checkAttached()
}

func (n *Network) checkNames() error {
	seen := make(map[string]bool)
	add := func(what, name string) error {
		switch {
		case name == "" || len(name) > maxNames:
			return fmt.Errorf("%s %q: its name must have 1 to %d bytes", what, name, maxNames)
		case seen[name]:
			return fmt.Errorf("%s %q: the name is given twice", what, name)
		}
		for _, c := range name {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
				return fmt.Errorf("%s %q: its name must be of letters, digits and '_'", what, name)
			}
		}
		seen[name] = true
		return nil
	}
	for _, h := range n.Hosts {
		if err := add("host", h.Name); err != nil {
			return err
		}
	}
	for _, s := range n.Switches {
		if err := add("switch", s.Name); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) checkAddresses() error {
	at := make(map[netip.Addr]string)
	for _, h := range n.Hosts {
		switch {
		case !h.Addr.IsValid() || !h.Addr.Addr().Is4():
			return fmt.Errorf("host %s: ip %v: must be an IPv4 address with a prefix length", h.Name, h.Addr)
		case at[h.Addr.Addr()] != "":
			return fmt.Errorf("hosts %s and %s have one address, %v", at[h.Addr.Addr()], h.Name,
				h.Addr.Addr())
		case h.Role != Client && h.Role != Node:
			return fmt.Errorf("host %s: role %q: must be %s or %s", h.Name, h.Role, Client, Node)
		}
		at[h.Addr.Addr()] = h.Name
	}
	return nil
}

func (n *Network) checkLink(l Link) error {
	for _, e := range []End{l.A, l.B} {
		_, host := n.Host(e.Name)
		_, sw := n.Switch(e.Name)
		switch {
		case !host && !sw:
			return fmt.Errorf("there is no host or switch %q", e.Name)
		case host && e.Port != 0:
			return fmt.Errorf("%v: a host has no ports", e)
		case sw && (e.Port == 0 || e.Port > maxPort):
			return fmt.Errorf("%v: ports of a switch are 1 to %d, written %s-p1", e, maxPort, e.Name)
		}
	}
	a, aSwitch := n.Switch(l.A.Name)
	b, bSwitch := n.Switch(l.B.Name)
	switch {
	case !aSwitch && !bSwitch:
		return fmt.Errorf("one end must be a switch")
	case aSwitch && bSwitch && a.Level-b.Level != 1 && b.Level-a.Level != 1:
		return fmt.Errorf("levels %d and %d: links join neighbouring levels", a.Level, b.Level)
	case aSwitch != bSwitch && a.Level+b.Level != 0:
		return fmt.Errorf("hosts hang on switches of level 0")
	case l.Delay < 0 || l.Bandwidth < 0 || l.Queue < 0:
		return fmt.Errorf("delay, bandwidth and queue must not be negative")
	case !(l.Loss >= 0 && l.Loss <= 1):
		return fmt.Errorf("loss %v: must be 0 to 1", l.Loss)
	}
	return nil
}

// checkAttached demands one cable per host and per port.
func (n *Network) checkAttached() error {
	used := make(map[End]bool)
	for _, l := range n.Links {
		for _, e := range []End{l.A, l.B} {
			if used[e] {
				return fmt.Errorf("%v: two links end there", e)
			}
			used[e] = true
		}
	}
	for _, h := range n.Hosts {
		if !used[End{Name: h.Name}] {
			return fmt.Errorf("host %s: no link leads to it", h.Name)
		}
	}
	return nil
}

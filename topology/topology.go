package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/turbokv/turbokv/wire"
)

// Role is what a host is there for.
type Role string

// The roles.
const (
	Client Role = "client" // people and programs that use the store; the default
	Node   Role = "node"   // a storage node
)

// Host is a machine on one port of a switch.
type Host struct {
	Name     string
	Addr     netip.Prefix // its address and the size of its subnet
	MAC      wire.MAC     // zero: derived from the address
	Role     Role
	Commands []string // shell commands that its owner wants run in it at the start
}

// Switch is one switch.
type Switch struct {
	Name string
	// Level is the distance from the hosts: 0 for a switch with hosts (top of rack).
	Level     int
	DeviceID  uint64 // of P4Runtime; 0 stands for 1
	P4Runtime string // host:port of its P4Runtime server; empty if it is not known yet
}

// End is one end of a link.
type End struct {
	Name string // of a host or a switch
	Port uint32 // of a switch, from 1; 0 for a host
}

// String gives the form of topology files: h1, or s1-p2.
func (e End) String() string {
	if e.Port == 0 {
		return e.Name
	}
	return fmt.Sprintf("%s-p%d", e.Name, e.Port)
}

// Link is a cable. Its properties hold for each direction; zero values stand for an ideal one.
type Link struct {
	A, B      End
	Delay     time.Duration
	Bandwidth float64 // megabit per second
	Loss      float64 // probability that a frame disappears, 0 to 1
	Queue     int     // frames that may wait for the bandwidth; 0 stands for a default
}

// Other returns the end that is not the named one's.
func (l Link) Other(name string) End {
	if l.A.Name == name {
		return l.B
	}
	return l.A
}

// At returns the end of the named one.
func (l Link) At(name string) End {
	if l.A.Name == name {
		return l.A
	}
	return l.B
}

// Network is a whole topology. Hosts, switches and links are in natural order of their names.
type Network struct {
	Hosts    []Host
	Switches []Switch
	Links    []Link
}

// Host returns the host of that name.
func (n *Network) Host(name string) (Host, bool) {
	i := slices.IndexFunc(n.Hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return n.Hosts[i], true
}

// Switch returns the switch of that name.
func (n *Network) Switch(name string) (Switch, bool) {
	i := slices.IndexFunc(n.Switches, func(s Switch) bool { return s.Name == name })
	if i < 0 {
		return Switch{}, false
	}
	return n.Switches[i], true
}

// Levels is the number of levels; 1 for a single rack.
func (n *Network) Levels() int {
	top := 0
	for _, s := range n.Switches {
		top = max(top, s.Level)
	}
	return top + 1
}

// Neighbour is what hangs on one port of a switch.
type Neighbour struct {
	Port uint32 // of the switch that was asked for
	End  End    // the other end
	Link int    // index in Network.Links
}

// Neighbours returns what hangs on a switch or a host, by port.
func (n *Network) Neighbours(name string) (out []Neighbour) {
	for i, l := range n.Links {
		if l.A.Name == name || l.B.Name == name {
			out = append(out, Neighbour{l.At(name).Port, l.Other(name), i})
		}
	}
	slices.SortStableFunc(out, func(a, b Neighbour) int { return int(a.Port) - int(b.Port) })
	return out
}

// Above and Below return the neighbours of a switch that are switches of the next and of the last level.
func (n *Network) Above(name string) []Neighbour { return n.beside(name, +1) }

// Below is described at Above.
func (n *Network) Below(name string) []Neighbour { return n.beside(name, -1) }

func (n *Network) beside(name string, step int) (out []Neighbour) {
	s, ok := n.Switch(name)
	if !ok {
		return nil
	}
	for _, x := range n.Neighbours(name) {
		if other, ok := n.Switch(x.End.Name); ok && other.Level == s.Level+step {
			out = append(out, x)
		}
	}
	return out
}

// Rack returns the switch that a host hangs on, and its port there.
func (n *Network) Rack(host string) (End, bool) {
	for _, x := range n.Neighbours(host) {
		if _, ok := n.Switch(x.End.Name); ok {
			return x.End, true
		}
	}
	return End{}, false
}

// HostsOf returns the hosts of a rack, by port.
func (n *Network) HostsOf(sw string) (out []Host) {
	for _, x := range n.Neighbours(sw) {
		if h, ok := n.Host(x.End.Name); ok {
			out = append(out, h)
		}
	}
	return out
}

package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Shape is one of the usual networks.
type Shape struct {
	Kind           string // single, spine-leaf or fat-tree
	Spines, Leaves int    // of spine-leaf
	K              int    // of fat-tree: an even number of ports per switch
	Nodes          int    // storage nodes per rack
	Clients        int    // other hosts per rack
}

// Defaults of a shape.
const (
	defaultSpines  = 2
	defaultLeaves  = 3
	defaultPerRack = 3
	defaultSingle  = 5
	maxPerRack     = 200 // hosts, so that they fit a /24
	maxRacks       = 200
)

// ParseShape reads single[:NODES], spine-leaf[:SPINESxLEAVES[xNODES]] and fat-tree:K[xNODES], NODES
// being storage nodes per rack; each rack has one more host, a client.
func ParseShape(text string) (Shape, error) {
	kind, sizes, _ := strings.Cut(text, ":")
	numbers, err := numbersOf(sizes)
	if err != nil {
		return Shape{}, fmt.Errorf("topology %q: %w", text, err)
	}
	at := func(i, otherwise int) int {
		if i < len(numbers) {
			return numbers[i]
		}
		return otherwise
	}
	s := Shape{Kind: kind, Clients: 1}
	most := 0
	switch kind {
	case "single":
		s.Nodes, most = at(0, defaultSingle), 1
	case "spine-leaf":
		s.Spines, s.Leaves, s.Nodes = at(0, defaultSpines), at(1, defaultLeaves), at(2, defaultPerRack)
		most = 3
	case "fat-tree":
		s.K, most = at(0, 4), 2
		s.Nodes = at(1, max(s.K/2-1, 1))
	}
	if most == 0 || len(numbers) > most {
		return Shape{}, fmt.Errorf("topology %q: must be single[:NODES], spine-leaf[:SPINESxLEAVES[xNODES]], "+
			"fat-tree:K[xNODES] or the name of a topology file", text)
	}
	return s, s.check(text)
}

func numbersOf(text string) (out []int, err error) {
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, "x") {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", part)
		}
		out = append(out, int(n))
	}
	return out, nil
}

func (s Shape) check(text string) error {
	racks, wrong := 1, ""
	switch s.Kind {
	case "spine-leaf":
		racks = s.Leaves
		if s.Spines < 1 || s.Spines > maxRacks || s.Leaves < 1 {
			wrong = "there must be spines and leaves"
		}
	case "fat-tree":
		racks = s.K * s.K / 2
		if s.K < 2 || s.K%2 != 0 {
			wrong = "K must be even, 2 or more"
		}
	}
	switch {
	case wrong != "":
	case s.Nodes < 1 || s.Nodes+s.Clients > maxPerRack:
		wrong = fmt.Sprintf("there must be 1 to %d storage nodes in a rack", maxPerRack-s.Clients)
	case racks > maxRacks:
		wrong = fmt.Sprintf("%d racks: at most %d", racks, maxRacks)
	default:
		return nil
	}
	return fmt.Errorf("topology %q: %s", text, wrong)
}

// Network draws the shape. Switches are s1, s2, ..., racks first, then level by level. Rack r has the
// subnet 10.0.r.0/24: storage nodes from .1 on, clients after them, all named h1, h2, ... in order.
func (s Shape) Network() *Network {
	d := &drawing{Network: new(Network), ports: make(map[string]uint32)}
	switch s.Kind {
	case "spine-leaf":
		leaves := d.racks(s.Leaves, s)
		spines := d.switches(s.Spines, 1)
		for _, leaf := range leaves {
			for _, spine := range spines {
				d.join(leaf, spine)
			}
		}
	case "fat-tree":
		d.fatTree(s)
	default:
		d.racks(1, s)
	}
	d.sort()
	return d.Network
}

// fatTree draws Al-Fares, Loukissas, Vahdat (SIGCOMM 2008): K pods of K/2 edge and K/2 aggregation
// switches, and (K/2)^2 core switches, each with one link to every pod.
func (d *drawing) fatTree(s Shape) {
	half := s.K / 2
	edges := d.racks(s.K*half, s)
	aggregations := d.switches(s.K*half, 1)
	cores := d.switches(half*half, 2)
	for pod := range s.K {
		for i := range half {
			for j := range half {
				d.join(edges[pod*half+i], aggregations[pod*half+j])
			}
		}
		for j := range half {
			for c := range half {
				d.join(aggregations[pod*half+j], cores[j*half+c])
			}
		}
	}
}

// drawing is a network in the making.
type drawing struct {
	*Network
	ports map[string]uint32 // last one used of each switch
}

// switches adds switches of a level.
func (d *drawing) switches(count, level int) (names []string) {
	for range count {
		name := fmt.Sprintf("s%d", len(d.Switches)+1)
		d.Switches = append(d.Switches, Switch{Name: name, Level: level})
		names = append(names, name)
	}
	return names
}

// racks adds switches of level 0 with their hosts.
func (d *drawing) racks(count int, s Shape) []string {
	names := d.switches(count, 0)
	for r, name := range names {
		roles := slices.Concat(slices.Repeat([]Role{Node}, s.Nodes), slices.Repeat([]Role{Client}, s.Clients))
		for i, role := range roles {
			h := Host{Name: fmt.Sprintf("h%d", len(d.Hosts)+1), Role: role,
				Addr: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(r + 1), byte(i + 1)}), 24)}
			d.Hosts = append(d.Hosts, h)
			d.Links = append(d.Links, Link{A: End{Name: h.Name}, B: d.port(name)})
		}
	}
	return names
}

// join adds a link between two switches.
func (d *drawing) join(a, b string) {
	d.Links = append(d.Links, Link{A: d.port(a), B: d.port(b)})
}

// port takes the next free port of a switch.
func (d *drawing) port(name string) End {
	d.ports[name]++
	return End{Name: name, Port: d.ports[name]}
}

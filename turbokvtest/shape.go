package turbokvtest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/turbokv/turbokv/topology"
)

// Shape is the tree of switches of a run. The zero value is one switch.
type Shape struct {
	Racks  int // switches of level 0; 0 stands for 1
	Spines int // of level 1, above every rack; with Cores, above every rack of one pod
	Cores  int // of level 2, above the spines of all pods; a pod has two racks
	// Lacking is how many links between racks and spines are left out: some spines do not reach
	// every rack, but the first one of each pod does.
	Lacking int
	// Scattered gives hosts of one subnet to different racks, so that routes are told host by host.
	Scattered bool
	// Unlisted clients are not in the controller's topology file: switches report them.
	Unlisted bool
}

// many reports whether there is more than one switch.
func (s Shape) many() bool { return s.Racks > 1 }

// String gives the sizes of the levels, racks first.
func (s Shape) String() string {
	if !s.many() {
		return "one switch"
	}
	text := fmt.Sprintf("%d racks, %d spines", s.Racks, s.Spines)
	if s.Cores > 0 {
		text += fmt.Sprintf(" per pod, %d cores", s.Cores)
	}
	if s.Lacking > 0 {
		text += fmt.Sprintf(", without %d links", s.Lacking)
	}
	if s.Scattered {
		text += ", scattered"
	}
	if s.Unlisted {
		text += ", unlisted clients"
	}
	return text
}

// drawShape draws a tree: mostly leaves and spines, sometimes with a level above.
func drawShape(r *rand.Rand) Shape {
	s := Shape{Racks: 2 + r.IntN(3), Spines: 1 + r.IntN(3), Scattered: r.IntN(4) == 0,
		Unlisted: r.IntN(4) == 0}
	if r.IntN(5) == 0 {
		s.Racks, s.Spines, s.Cores = 3+r.IntN(2), 1+r.IntN(2), 1+r.IntN(2)
	}
	if r.IntN(3) == 0 {
		s.Lacking = r.IntN(s.Racks)
	}
	return s
}

// podRacks is how many racks share the spines of a pod, where there are cores.
const podRacks = 2

// blueprint is a network in the making.
type blueprint struct {
	*topology.Network
	ports map[string]uint32 // last one used of each switch
}

// network draws the tree with its hosts: nodes h1, h2, ..., spread so that every rack gets some if
// there are enough, then clients anywhere.
func (s Shape) network(r *rand.Rand, nodes, clients int) *topology.Network {
	b := blueprint{new(topology.Network), map[string]uint32{}}
	racks := b.switches(max(s.Racks, 1), 0)
	b.join(s, r, racks)
	places := r.Perm(len(racks))
	perRack := make([]int, len(racks))
	for i := range nodes + clients {
		at, role := r.IntN(len(racks)), topology.Node
		if i >= nodes {
			role = topology.Client
		} else if i < 2*len(racks) {
			at = places[i%len(racks)]
		}
		perRack[at]++
		subnet, host := at, perRack[at]
		if s.Scattered {
			subnet, host = i%len(racks), i+1
		}
		b.host(racks[at], role, netip.AddrFrom4([4]byte{10, 0, byte(subnet + 1), byte(host)}))
	}
	return b.Network
}

// join links the levels.
func (b blueprint) join(s Shape, r *rand.Rand, racks []string) {
	if !s.many() {
		return
	}
	lacking := s.Lacking
	pods := [][]string{racks}
	if s.Cores > 0 {
		pods = [][]string{racks[:podRacks], racks[podRacks:]}
	}
	var spines []string
	for _, pod := range pods {
		level := b.switches(s.Spines, 1)
		spines = append(spines, level...)
		for i, spine := range level {
			for j, rack := range pod {
				if i > 0 && j > 0 && lacking > 0 && r.IntN(2) == 0 { // the first spine reaches all
					lacking--
					continue
				}
				b.link(rack, spine)
			}
		}
	}
	for _, core := range b.switches(s.Cores, 2) {
		for _, spine := range spines {
			b.link(spine, core)
		}
	}
}

func (b blueprint) switches(count, level int) (names []string) {
	for range count {
		name := fmt.Sprintf("s%d", len(b.Switches)+1)
		b.Switches = append(b.Switches, topology.Switch{Name: name, Level: level})
		names = append(names, name)
	}
	return names
}

func (b blueprint) host(rack string, role topology.Role, addr netip.Addr) {
	h := topology.Host{Name: fmt.Sprintf("h%d", len(b.Hosts)+1), Role: role,
		Addr: netip.PrefixFrom(addr, 24)}
	b.Hosts = append(b.Hosts, h)
	b.Links = append(b.Links, topology.Link{A: topology.End{Name: h.Name}, B: b.port(rack)})
}

func (b blueprint) link(below, above string) {
	b.Links = append(b.Links, topology.Link{A: b.port(below), B: b.port(above)})
}

// listed is what the controller's topology file says; nil for one switch, which needs none.
func (s Shape) listed(n *topology.Network) *topology.Network {
	if !s.many() {
		return nil
	}
	if !s.Unlisted {
		return n
	}
	known := &topology.Network{Switches: n.Switches}
	for _, h := range n.Hosts {
		if h.Role == topology.Node {
			known.Hosts = append(known.Hosts, h)
		}
	}
	for _, l := range n.Links {
		if h, ok := n.Host(l.A.Name); !ok || h.Role == topology.Node {
			known.Links = append(known.Links, l)
		}
	}
	return known
}

// port takes the next free port of a switch.
func (b blueprint) port(name string) topology.End {
	b.ports[name]++
	return topology.End{Name: name, Port: b.ports[name]}
}

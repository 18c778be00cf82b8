package dataplane

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// world is a fabric with what all its switches hold, and a slow switch that tries all rows.
type world struct {
	t      *testing.T
	r      *rand.Rand
	net    *topology.Network
	cfg    FabricConfig
	view   directory.View
	states map[string]tables.State
	rows   map[string]map[string][]tables.Entry // of each switch, by table
}

func drawn(t *testing.T, text string) *topology.Network {
	t.Helper()
	shape, err := topology.ParseShape(text)
	if err != nil {
		t.Fatal(err)
	}
	return shape.Network()
}

// newWorld has the nodes of the network and, per rack, one whose address is of no subnet. Sub-ranges of
// two keyspaces have random homes in runs.
func newWorld(t *testing.T, r *rand.Rand, net *topology.Network, subRanges int) *world {
	t.Helper()
	w := &world{t: t, r: r, net: net, cfg: FabricConfig{Network: net,
		Controller: Route{Addr: netip.MustParseAddr("10.254.0.1"), MAC: wire.MAC{2, 1}}}}
	w.cfg.Carrier = net.Switches[r.IntN(len(net.Switches))].Name
	w.view = viewOf(t, r, net, subRanges)
	return w
}

func viewOf(t *testing.T, r *rand.Rand, net *topology.Network, subRanges int) directory.View {
	t.Helper()
	s := directory.Snapshot{Meta: directory.Meta{ClusterID: "c", NextKeyspace: 2}}
	byRack := make(map[string][]kv.NodeID)
	var names, racks []string
	add := func(addr netip.Addr, at topology.End) {
		n := directory.Node{ID: kv.NodeIDOf(addr), MAC: transport.MACOf(addr), Switch: at.Name, Port: at.Port,
			Incarnation: 1}
		s.Nodes = append(s.Nodes, n)
		byRack[at.Name] = append(byRack[at.Name], n.ID)
	}
	for i, sw := range net.Switches {
		names = append(names, sw.Name)
		if sw.Level == 0 {
			racks = append(racks, sw.Name)
			add(netip.AddrFrom4([4]byte{10, 9, byte(i), 1}), topology.End{Name: sw.Name, Port: 300})
		}
	}
	for _, h := range net.Hosts {
		if at, _ := net.Rack(h.Name); h.Role == topology.Node {
			add(h.Addr.Addr(), at)
		}
	}
	for id := range kv.KeyspaceID(2) {
		k := directory.Keyspace{Descriptor: kv.Descriptor{Name: fmt.Sprint("k", id), ID: id,
			Partitioner: kv.RangePartitioned, Durability: kv.DurabilityMemory, Replication: 2},
			Phase: directory.PhaseReady}
		if id == kv.SystemKeyspace {
			k.Name, k.Durability = kv.SystemDescriptor.Name, kv.DurabilityMemory
		}
		s.Keyspaces = append(s.Keyspaces, k)
		home := 0
		for _, interval := range cuts(r, subRanges) {
			if r.IntN(3) == 0 {
				home = r.IntN(len(racks))
			}
			s.Meta.NextSubRange++
			head := byRack[racks[home]]
			other := byRack[racks[(home+1)%len(racks)]]
			chain := kv.Chain{head[r.IntN(len(head))], other[0]}
			if chain[0] == chain[1] {
				chain = chain[:1]
			}
			s.SubRanges = append(s.SubRanges, directory.SubRange{ID: s.Meta.NextSubRange, Keyspace: id,
				Interval: interval, Epoch: 1, Chain: chain, Since: []kv.Epoch{1, 1}[:len(chain)],
				Created: r.IntN(10) > 0})
		}
	}
	s.Meta.NextSubRange++
	d, err := directory.New(directory.Config{Switches: names, Limits: directory.Limits{SubRanges: 16384,
		PartitionEntries: 65536}}, s)
	if err != nil {
		t.Fatal(err)
	}
	return d.View()
}

// cuts divides the line at random keys, half of them cheap ones.
func cuts(r *rand.Rand, n int) (out []kv.Interval) {
	var at []kv.IndexKey
	for range n - 1 {
		at = append(at, kv.Prefix{Key: randomKey(r), Len: 1 + r.IntN(24)}.Interval().First)
	}
	slices.SortFunc(at, kv.IndexKey.Compare)
	first := kv.MinIndexKey
	for _, cut := range slices.Compact(at) {
		if cut != kv.MinIndexKey {
			last, _ := cut.Prev()
			out = append(out, kv.Interval{First: first, Last: last})
			first = cut
		}
	}
	return append(out, kv.Interval{First: first, Last: kv.MaxIndexKey})
}

// fill makes the tables of all switches.
func (w *world) fill(hosts ...Route) {
	w.states, w.rows = make(map[string]tables.State), make(map[string]map[string][]tables.Entry)
	f := NewFabric(w.cfg)
	for _, s := range w.net.Switches {
		w.states[s.Name] = Desired(w.view, Switch{Name: s.Name, Fabric: f, Hosts: hosts,
			Services: []netip.Addr{netip.MustParseAddr("10.255.0.1")}})
		w.rows[s.Name] = make(map[string][]tables.Entry)
		for _, e := range w.states[s.Name].Entries {
			w.rows[s.Name][e.Table] = append(w.rows[s.Name][e.Table], e)
		}
	}
}

// breakLinks takes a random part of the links between switches away.
func (w *world) breakLinks(share float64) {
	w.cfg.Down = nil
	for i, l := range w.net.Links {
		if l.A.Port != 0 && l.B.Port != 0 && w.r.Float64() < share {
			w.cfg.Down = append(w.cfg.Down, i)
		}
	}
}

// find returns the row with the longest prefix.
func find(rows []tables.Entry, field string, value []byte, also func(tables.Entry) bool) (tables.Entry, bool) {
	var best tables.Entry
	longest := -1
	for _, e := range rows {
		if !also(e) {
			continue
		}
		m, _ := e.Field(field)
		bytes := make([]byte, len(value))
		m.Value.Fill(bytes)
		if m.Prefix > longest && agree(bytes, value, m.Prefix) {
			best, longest = e, m.Prefix
		}
	}
	return best, longest >= 0
}

func agree(a, b []byte, bits int) bool {
	for i := range bits {
		if (a[i/8]^b[i/8])>>(7-i%8)&1 != 0 {
			return false
		}
	}
	return true
}

// hop returns the port of a random slot.
func (w *world) hop(at string, group tables.Value) Port {
	w.t.Helper()
	slot := tables.Uint(w.r.Uint64N(p4src.GroupSlots))
	for _, e := range w.rows[at][p4src.HopTable] {
		g, _ := e.Field(p4src.Group)
		i, _ := e.Field(p4src.Slot)
		if g.Value == group && i.Value == slot {
			return portOf(e)
		}
	}
	w.t.Fatalf("group %v has no slot %v", group, slot)
	return 0
}

func portOf(e tables.Entry) Port {
	n, _ := e.Param(p4src.Port).Uint64()
	return Port(n)
}

// across follows a cable; ok is false if it is down or leads to nobody.
func (w *world) across(at string, over Port) (end topology.End, ok bool) {
	for _, x := range w.net.Neighbours(at) {
		if x.Port == uint32(over) {
			return x.End, !slices.Contains(w.cfg.Down, x.Link) &&
				!slices.Contains(w.cfg.Lost, at) && !slices.Contains(w.cfg.Lost, x.End.Name)
		}
	}
	return topology.End{Name: at, Port: uint32(over)}, false
}

// route sends a packet to an address from a switch, and returns where it ended: the switch and the port
// to a host or the controller, or ok false where it was lost.
func (w *world) route(from string, to netip.Addr) (at topology.End, ok bool) {
	w.t.Helper()
	addr := to.As4()
	for range 2 * len(w.net.Switches) {
		e, ok := find(w.rows[from][p4src.IPv4Table], p4src.DstAddr, addr[:], func(tables.Entry) bool { return true })
		if !ok {
			return topology.End{Name: from}, false
		}
		over := portOf(e)
		if e.Action == p4src.ToGroup {
			over = w.hop(from, e.Param(p4src.Group))
		}
		end, works := w.across(from, over)
		if _, isSwitch := w.net.Switch(end.Name); !isSwitch || end.Name == from {
			return topology.End{Name: from, Port: uint32(over)}, true
		} else if !works {
			return end, false
		}
		from = end.Name
	}
	w.t.Fatalf("a packet to %v goes round", to)
	return at, false
}

// request sends a request from a switch as its host does, and returns where it was resolved, and to what.
func (w *world) request(from string, keyspace kv.KeyspaceID, key kv.IndexKey) (at string, id uint64, why string) {
	w.t.Helper()
	fromAbove := false
	for range 2 * len(w.net.Switches) {
		e, ok := find(w.rows[from][p4src.PartitionTable], p4src.IndexKey, key[:],
			func(e tables.Entry) bool {
				m, _ := e.Field(p4src.Keyspace)
				return m.Value == tables.Uint(uint64(keyspace))
			})
		var over Port
		switch {
		case !ok:
			return from, 0, "no keyspace"
		case e.Action == p4src.SetSubRange:
			id, _ := e.Param(p4src.ID).Uint64()
			return from, id, w.stamp(from, id)
		case e.Action == p4src.PassUp && fromAbove:
			return from, 0, "try again"
		case e.Action == p4src.PassUp:
			over = w.hop(from, e.Param(p4src.Group))
		default:
			over = portOf(e)
		}
		end, works := w.across(from, over)
		if !works {
			return end.Name, 0, "lost"
		}
		from, fromAbove = end.Name, w.isAbove(end)
	}
	w.t.Fatalf("a request for %v goes round", key)
	return
}

// isAbove reports what the port table says of a port.
func (w *world) isAbove(end topology.End) bool {
	for _, e := range w.rows[end.Name][p4src.PortTable] {
		m, _ := e.Field(p4src.IngressPort)
		if m.Value == tables.Uint(uint64(end.Port)) {
			return e.Action == p4src.FromAbove
		}
	}
	w.t.Fatalf("no row of port %v", end)
	return false
}

func (w *world) stamp(at string, id uint64) string {
	for _, e := range w.rows[at][p4src.SubRangeTable] {
		if m, _ := e.Field(p4src.ID); m.Value == tables.Uint(id) {
			return ""
		}
	}
	return "no row of the sub-range"
}

// connected searches a way between two switches; valleyFree: up first, then only down.
func (w *world) connected(from, to string, valleyFree bool) bool {
	type place struct {
		at    string
		falls bool
	}
	seen := map[place]bool{}
	var visit func(place) bool
	visit = func(p place) bool {
		if p.at == to {
			return true
		}
		if seen[p] {
			return false
		}
		seen[p] = true
		here, _ := w.net.Switch(p.at)
		for _, x := range w.net.Neighbours(p.at) {
			there, isSwitch := w.net.Switch(x.End.Name)
			_, works := w.across(p.at, Port(x.Port))
			falls := there.Level < here.Level
			if isSwitch && works && !(valleyFree && p.falls && !falls) && visit(place{there.Name, falls}) {
				return true
			}
		}
		return false
	}
	return visit(place{at: from})
}

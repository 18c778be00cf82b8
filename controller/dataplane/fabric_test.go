package dataplane

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/controller/reconcile"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/wire"
)

var shapes = []string{"single:3", "spine-leaf", "spine-leaf:1x2x1", "spine-leaf:3x5x2", "fat-tree:2x2", "fat-tree:4x1",
	"fat-tree:6x1"}

// randomNetwork is a shape, or a tree of three levels with cables where they fall.
func randomNetwork(t *testing.T, r *rand.Rand) *topology.Network {
	t.Helper()
	if r.IntN(2) == 0 {
		return drawn(t, shapes[r.IntN(len(shapes))])
	}
	net := drawn(t, "fat-tree:4x1")
	hosts := net.Links[:0]
	ports := make(map[string]uint32)
	for _, l := range net.Links {
		if l.A.Port == 0 {
			hosts = append(hosts, l)
		}
	}
	net.Links = hosts
	for _, low := range net.Switches {
		for _, high := range net.Switches {
			for low.Level+1 == high.Level && r.IntN(3) == 0 { // parallel ones, at times
				ports[low.Name]++
				ports[high.Name]++
				net.Links = append(net.Links, topology.Link{A: topology.End{Name: low.Name, Port: 50 + ports[low.Name]},
					B: topology.End{Name: high.Name, Port: 50 + ports[high.Name]}})
			}
		}
	}
	return net
}

func randomWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, seed))
	w := newWorld(t, r, randomNetwork(t, r), 1+r.IntN(12))
	w.breakLinks([]float64{0, 0.05, 0.2, 0.5}[r.IntN(4)])
	if r.IntN(4) == 0 {
		w.cfg.Lost = []string{w.net.Switches[r.IntN(len(w.net.Switches))].Name}
	}
	return w
}

const fabrics = 60 // of the random tests

func TestRequestsReachTheHomeAndOnlyTheHome(t *testing.T) {
	reached := 0
	for seed := range uint64(fabrics) {
		w := randomWorld(t, seed)
		w.fill()
		for _, part := range w.view.SubRanges() {
			home := part.Home
			for _, key := range []kv.IndexKey{part.Interval.First, part.Interval.Last} {
				for _, from := range w.net.Switches {
					at, id, why := w.request(from.Name, part.Keyspace, key)
					switch {
					case id != 0 && (at != home || id != uint64(part.ID) || why != "" || !part.Created):
						t.Fatalf("seed %d: %v of %+v is resolved to %d at %s: %s", seed, key, part, id, at, why)
					case id == 0 && part.Created && w.connected(from.Name, home, true):
						t.Fatalf("seed %d: a request from %s for %v ends at %s (%s); home %s, down %v, lost %v", seed,
							from.Name, part.ID, at, why, home, w.cfg.Down, w.cfg.Lost)
					case id == 0 && part.Created && why == "no keyspace" && w.built(from.Name, home):
						t.Fatalf("seed %d: %s says that a key of %v does not exist", seed, at, part.ID)
					case id != 0:
						reached++
					}
				}
			}
		}
	}
	if reached < 1000 {
		t.Fatalf("%d requests were resolved", reached)
	}
}

// TestReachCountsTheRacksThatRequestsGetTo compares it with all requests from every switch.
func TestReachCountsTheRacksThatRequestsGetTo(t *testing.T) {
	for seed := range uint64(fabrics) {
		w := randomWorld(t, seed)
		f := NewFabric(w.cfg)
		for _, from := range w.net.Switches {
			want := 0
			for _, to := range w.net.Switches {
				if to.Level == 0 && (from.Name == to.Name || w.connected(from.Name, to.Name, true)) {
					want++
				}
			}
			if got := f.Reach(from.Name); got != want {
				t.Fatalf("seed %d: %s reaches %d racks, want %d", seed, from.Name, got, want)
			}
		}
	}
}

// TestNoRowComesTwice: a rack that is home of a whole line says nothing else of it.
func TestNoRowComesTwice(t *testing.T) {
	for seed := range uint64(fabrics) {
		w := randomWorld(t, seed)
		w.fill()
		for name, state := range w.states {
			seen := make(map[string]bool)
			for _, e := range state.Entries {
				if seen[e.Key()] {
					t.Fatalf("seed %d: %s has two rows like %v", seed, name, e)
				}
				seen[e.Key()] = true
			}
		}
	}
}

// built reports whether there would be a way with all links.
func (w *world) built(from, to string) bool {
	whole := *w
	whole.cfg.Down, whole.cfg.Lost = nil, nil
	return whole.connected(from, to, true)
}

func TestPacketsReachEveryHost(t *testing.T) {
	for seed := range uint64(fabrics) {
		w := randomWorld(t, seed)
		rack := w.net.Switches[0].Name
		moved := w.net.Hosts[len(w.net.Hosts)-1] // it has been seen in another rack than planned
		learned := []Route{
			{netip.MustParseAddr("10.0.1.77"), wire.MAC{2, 7}, 77, rack},
			{netip.MustParseAddr("10.7.7.7"), wire.MAC{2, 8}, 78, rack},
			{moved.Addr.Addr(), wire.MAC{2, 9}, 79, rack},
		}
		w.fill(learned...)
		want := map[netip.Addr]topology.End{
			w.cfg.Controller.Addr: {Name: w.cfg.Carrier, Port: p4src.CPUPort},
		}
		for _, h := range w.net.Hosts {
			want[h.Addr.Addr()], _ = w.net.Rack(h.Name)
		}
		for _, r := range learned {
			want[r.Addr] = topology.End{Name: r.Switch, Port: uint32(r.Port)}
		}
		for _, n := range w.view.Nodes() {
			want[n.ID.Addr()] = topology.End{Name: n.Switch, Port: n.Port}
		}
		for addr, end := range want {
			for _, from := range w.net.Switches {
				at, ok := w.route(from.Name, addr)
				if (!ok || at != end) && w.connected(from.Name, end.Name, false) {
					t.Fatalf("seed %d: from %s to %v at %v: ends at %v, %v; down %v, lost %v", seed, from.Name, addr,
						end, at, ok, w.cfg.Down, w.cfg.Lost)
				}
			}
		}
	}
}

func TestASwitchThatStandsAloneInATopologyHoldsWhatItAlwaysDid(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	net := drawn(t, "single:4")
	w := newWorld(t, r, net, 9)
	w.cfg.Carrier = "s1"
	w.fill()
	own := w.cfg.Controller
	own.Port = p4src.CPUPort
	old := Desired(w.view, Switch{Name: "s1", Services: []netip.Addr{netip.MustParseAddr("10.255.0.1")},
		Local: []Route{own}})
	client := net.Hosts[4].Addr.Addr() // the only host that is no node: the topology knows it
	plan := reconcile.Plan(w.states["s1"], old, Order, 0)
	if reconcile.Count(plan) != 1 || plan[0][0].Op != tables.Insert ||
		!plan[0][0].Entry.Equal(normal(routeEntry(NewFabric(w.cfg).host(net.Hosts[4])))) {
		t.Fatalf("more than a route to %v: %v", client, plan)
	}
}

func normal(e tables.Entry) tables.Entry { e.Normalize(); return e }

func TestHealthyIndexHasOneRowUpPerKeyspace(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for _, shape := range shapes[1:] {
		w := newWorld(t, r, drawn(t, shape), 20)
		w.fill()
		for _, s := range w.net.Switches {
			up, down := 0, 0
			for _, e := range w.states[s.Name].Entries {
				switch e.Action {
				case p4src.PassUp:
					up++
				case p4src.PassDown, p4src.SetSubRange:
					down++
				}
			}
			if s.Level == 0 && up != 2 || s.Level == w.net.Levels()-1 && up != 0 {
				t.Errorf("%s: %s of level %d has %d rows up, %d others", shape, s.Name, s.Level, up, down)
			}
		}
	}
}

// TestALostMemberMovesOnlyItsOwnFlows breaks members of groups one by one, in any order.
func TestALostMemberMovesOnlyItsOwnFlows(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 500 {
		full := make([]Port, 2+r.IntN(15))
		for i := range full {
			full[i] = Port(i + 1)
		}
		used := slices.Clone(full)
		before := members{used, full}.slots()
		for len(used) > 1 {
			at := r.IntN(len(used))
			gone := used[at]
			used = slices.Delete(slices.Clone(used), at, at+1)
			after := members{used, full}.slots()
			count := make(map[Port]int)
			for i := range after {
				if before[i] != gone && after[i] != before[i] || !slices.Contains(used, after[i]) {
					t.Fatalf("%d of %d members, %d is lost: %v becomes %v", len(used), len(full), gone, before, after)
				}
				count[after[i]]++
			}
			if len(full) <= 4 && (len(used) == len(full)-1) && len(count) < len(used) {
				t.Fatalf("%v", after)
			}
			before = after
		}
	}
	two := members{[]Port{1, 3}, []Port{1, 2, 3}}.slots()
	if n := len(slices.DeleteFunc(two[:], func(p Port) bool { return p == 1 })); n < 7 || n > 9 {
		t.Errorf("two of three members share the slots %d to %d", 16-n, n)
	}
}

// TestNoRowLeadsToAGroupThatIsNotComplete goes from one state of a fabric to another, one batch after
// the other, and looks at all references in between.
func TestNoRowLeadsToAGroupThatIsNotComplete(t *testing.T) {
	for seed := range uint64(20) {
		w := randomWorld(t, seed)
		held := make(map[string]tables.State)
		for range 3 {
			w.fill()
			for name, desired := range w.states {
				state := held[name]
				for _, batch := range reconcile.Plan(desired, state, Order, 0) {
					state = apply(state, batch)
					checkGroups(t, state)
				}
				held[name] = state
			}
			w.breakLinks(0.2)
		}
	}
}

func apply(s tables.State, batch reconcile.Batch) (out tables.State) {
	rows := make(map[string]tables.Entry)
	for _, e := range s.Entries {
		rows[e.Key()] = e
	}
	for _, u := range batch {
		if u.Entry == nil {
			continue
		} else if u.Op == tables.Delete {
			delete(rows, u.Entry.Key())
		} else {
			rows[u.Entry.Key()] = *u.Entry
		}
	}
	for _, e := range rows {
		out.Entries = append(out.Entries, e)
	}
	return out
}

func checkGroups(t *testing.T, s tables.State) {
	t.Helper()
	slots := make(map[tables.Value]int)
	for _, e := range s.Entries {
		if g, ok := e.Field(p4src.Group); ok {
			slots[g.Value]++
		}
	}
	for _, e := range s.Entries {
		if g := e.Param(p4src.Group); g != "" && slots[g] != p4src.GroupSlots {
			t.Fatalf("%v: the group has %d slots", e, slots[g])
		}
	}
}

func TestAnUnknownSwitchHoldsOnlyTheService(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(8, 8)), drawn(t, "spine-leaf"), 3)
	s := Desired(w.view, Switch{Name: "s99", Fabric: NewFabric(w.cfg)})
	if len(s.Entries) != 0 {
		t.Fatalf("%v", s.Entries)
	}
}

package balance

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// slowFlaws is what rule 1 of placement says of a chain, in so many words.
func slowFlaws(c kv.Chain, rack map[kv.NodeID]string) int {
	racks, in := make(map[string]bool), make(map[string]bool)
	for _, r := range rack {
		racks[r] = true
	}
	for _, n := range c {
		in[rack[n]] = true
	}
	flaws := 0
	if most := min(len(racks), len(c)); len(in) < most {
		flaws += 2 * (most - len(in))
	}
	if len(in) > 1 && rack[c.Head()] == rack[c.Tail()] {
		flaws++
	}
	return flaws
}

// someRacks draws a cluster over racks, with chains spread well or badly and loads of all kinds.
func someRacks(r *rand.Rand) (Input, map[kv.NodeID]string) {
	rack := make(map[kv.NodeID]string)
	in := Input{Limits: Limits{FreeIDs: 10, FreePrefixes: 1000, SubRanges: r.IntN(30)}}
	nodes, racks := 3+r.IntN(9), 1+r.IntN(4)
	for i := range nodes {
		n := Node{ID: kv.NodeID(0x0a000001 + i), Rack: fmt.Sprint("s", i%racks), Alive: true}
		in.Nodes = append(in.Nodes, n)
		rack[n.ID] = n.Rack
	}
	parts, cold := kv.EvenSplit(4+r.IntN(30)), r.IntN(3) == 0
	for i, part := range parts {
		s := SubRange{ID: kv.SubRangeID(i + 1), Keyspace: 1, Interval: part, Bytes: 1000,
			Reads: r.ExpFloat64() * 1000, Writes: r.ExpFloat64() * 300}
		if r.IntN(2) == 0 {
			s.Reads, s.Writes = r.ExpFloat64(), 0
		}
		for _, at := range r.Perm(nodes)[:1+r.IntN(min(nodes, 4))] {
			s.Chain = append(s.Chain, in.Nodes[at].ID)
		}
		if cold {
			s.Reads, s.Writes = 0.001, 0
		}
		if i > 0 && cold && r.IntN(2) == 0 { // another order, or another member
			last := in.SubRanges[i-1].Chain
			s.Chain = nil
			for _, at := range r.Perm(len(last)) {
				s.Chain = append(s.Chain, last[at])
			}
			if n := in.Nodes[r.IntN(nodes)].ID; r.IntN(2) == 0 && s.Chain.Position(n) < 0 {
				s.Chain[0] = n
			}
		}
		in.SubRanges = append(in.SubRanges, s)
	}
	return in, rack
}

// TestNothingIsSpreadWorse: whatever is proposed, no sub-range is in fewer racks afterwards.
func TestNothingIsSpreadWorse(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	seen := make(map[Kind]int)
	for range 400 {
		in, rack := someRacks(r)
		b, err := New(Config{Plans: 8})
		if err != nil {
			t.Fatal(err)
		}
		chains := make(map[kv.SubRangeID]kv.Chain)
		for _, s := range in.SubRanges {
			chains[s.ID] = s.Chain
		}
		for _, p := range b.Now(in) {
			seen[p.Kind]++
			before, after := chains[p.SubRange], p.Chain
			if p.Kind == Merge {
				before, after = chains[p.Other], chains[p.SubRange]
			}
			if p.Kind != Split && slowFlaws(after, rack) > slowFlaws(before, rack) {
				t.Fatalf("%v from %v to %v over %v", p.Kind, before, after, rack)
			}
		}
	}
	if seen[Move] < 50 || seen[Reorder] < 50 || seen[Merge] < 5 {
		t.Fatalf("%v: the test tests nothing", seen)
	}
}

// TestRepairsGoToTheRackThatSpreadsBest, and Spread takes out every flaw that can be taken out.
func TestRepairsGoToTheRackThatSpreadsBest(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	moves, orders := 0, 0
	for range 400 {
		in, rack := someRacks(r)
		s := in.SubRanges[r.IntN(len(in.SubRanges))]
		if to, _, ok := NewTargets(Config{}, in).Pick(s.ID, 0); ok {
			got := slowFlaws(append(s.Chain[:len(s.Chain):len(s.Chain)], to), rack)
			for n := range rack {
				if s.Chain.Position(n) < 0 && slowFlaws(append(s.Chain[:len(s.Chain):len(s.Chain)],
					n), rack) < got {
					t.Fatalf("%v joins %v; %v would be in another rack of %v", to, s.Chain, n, rack)
				}
			}
		}
		for range 10 {
			c, why, ok := NewTargets(Config{}, in).Spread(s.ID)
			if !ok {
				break
			}
			if slowFlaws(c.Chain, rack) >= slowFlaws(s.Chain, rack) || why == "" {
				t.Fatalf("%v from %v to %v over %v", c.Kind, s.Chain, c.Chain, rack)
			}
			if c.Kind == Move {
				moves++
			} else if orders++; c.Chain.Tail() != s.Chain.Tail() {
				t.Fatalf("another tail: %v to %v", s.Chain, c.Chain)
			}
			s.Chain = c.Chain
			in.SubRanges[s.ID-1] = s
		}
		if slowFlaws(s.Chain, rack) > 0 {
			t.Fatalf("%v over %v: nothing is done", s.Chain, rack)
		}
	}
	if moves < 20 || orders < 20 {
		t.Fatalf("%d moves, %d new orders", moves, orders)
	}
}

// TestAHomeStaysIfThatCostsLittle: of two heads, the one in the same rack is taken, though it is a little
// busier.
func TestAHomeStaysIfThatCostsLittle(t *testing.T) {
	for cost, want := range map[float64]kv.NodeID{1e-9: 3, 0.005: 2} {
		in := Input{Now: time.Hour}
		for i, rack := range []string{"a", "a", "b", "c", "c"} {
			in.Nodes = append(in.Nodes, Node{ID: kv.NodeID(i + 1), Rack: rack, Alive: true})
		}
		for i, part := range kv.EvenSplit(8) { // node 1 is the head of all
			in.SubRanges = append(in.SubRanges, SubRange{ID: kv.SubRangeID(i + 1), Keyspace: 1,
				Interval: part, Chain: kv.Chain{1, 2, 3, 4}, Writes: 500, Reads: 1})
		}
		in.SubRanges = append(in.SubRanges, SubRange{ID: 9, Keyspace: 2, Interval: kv.FullInterval,
			Chain: kv.Chain{2}, Writes: 20})
		b, err := New(Config{Plans: 1, HomeCost: cost, MoveCost: 10, SplitCost: 10, Doubt: 1e-9})
		if err != nil {
			t.Fatal(err)
		}
		proposals := b.Now(in)
		if len(proposals) != 1 || proposals[0].Chain.Head() != want {
			t.Fatalf("cost %v: %+v, want %v as the head", cost, proposals, want)
		}
	}
}

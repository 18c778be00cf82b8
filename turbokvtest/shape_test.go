package turbokvtest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/topology"
)

// below returns the racks that a switch reaches without going up.
func below(n *topology.Network, name string) (out []string) {
	if s, _ := n.Switch(name); s.Level == 0 {
		return []string{name}
	}
	for _, x := range n.Below(name) {
		for _, rack := range below(n, x.End.Name) {
			if !slices.Contains(out, rack) {
				out = append(out, rack)
			}
		}
	}
	return out
}

// TestDrawnTreesAreSound: files of them can be read, every rack is below some common switch, and the
// first spine of every pod reaches all its racks.
func TestDrawnTreesAreSound(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := drawShape(r)
		n := s.network(r, 3+r.IntN(8), 1+r.IntN(5))
		for _, x := range []*topology.Network{n, s.listed(n)} {
			text, err := x.Encode()
			if err == nil {
				_, err = topology.Decode(text)
			}
			if err != nil {
				t.Fatalf("seed %d, %v: %v", seed, s, err)
			}
		}
		top := n.Switches[len(n.Switches)-1].Name
		if s.Cores == 0 {
			top = n.Above(n.Switches[0].Name)[0].End.Name
		}
		if got := len(below(n, top)); got != s.Racks {
			t.Fatalf("seed %d, %v: %s is above %d racks", seed, s, top, got)
		}
	}
}

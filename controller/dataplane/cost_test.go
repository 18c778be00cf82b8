package dataplane

import (
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/p4src"
)

func TestCostIsWhatTheSwitchesHold(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, shape := range shapes {
		w := newWorld(t, r, drawn(t, shape), 30)
		w.breakLinks(0.1)
		w.fill()
		cost := CostOf(w.view, NewFabric(w.cfg))
		for level, c := range cost.Levels {
			partition, subRanges, switches := 0, 0, 0
			for _, s := range w.net.Switches {
				if s.Level != level {
					continue
				}
				rows := Rows{len(w.rows[s.Name][p4src.PartitionTable]), len(w.rows[s.Name][p4src.SubRangeTable])}
				if got := NewFabric(w.cfg).RowsOf(w.view, s.Name); got != rows || got != RowsIn(w.states[s.Name]) ||
					rows.Partition < c.Partition.Min ||
					rows.Partition > c.Partition.Max || rows.SubRanges < c.SubRanges.Min ||
					rows.SubRanges > c.SubRanges.Max {
					t.Errorf("%s: %s holds %+v, counted %+v, its level %+v", shape, s.Name, rows, got, c)
				}
				partition, subRanges, switches = partition+rows.Partition, subRanges+rows.SubRanges, switches+1
			}
			n := float64(switches)
			if c.Switches != switches || c.Partition.Avg != float64(partition)/n ||
				c.SubRanges.Avg != float64(subRanges)/n {
				t.Errorf("%s: level %d: %+v, %d switches with %d and %d rows", shape, level, c, switches, partition,
					subRanges)
			}
		}
		alone := len(Desired(w.view, Switch{Name: "s1"}).Entries)
		routes := 0
		for _, e := range Desired(w.view, Switch{Name: "s1"}).Entries {
			if e.Table == p4src.IPv4Table || e.Table == p4src.LearnTable {
				routes++
			}
		}
		if cost.Flat.Partition+cost.Flat.SubRanges != alone-routes {
			t.Errorf("%s: flat %+v, a switch alone holds %d rows", shape, cost.Flat, alone-routes)
		}
	}
}

func TestAFlatIndexIsOneLevel(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(10, 10)), drawn(t, "spine-leaf"), 10)
	cost := CostOf(w.view, nil)
	if len(cost.Levels) != 1 || cost.Levels[0].SubRanges.Avg != float64(cost.Flat.SubRanges) ||
		cost.Levels[0].Partition.Max != cost.Flat.Partition {
		t.Fatalf("%+v", cost)
	}
}

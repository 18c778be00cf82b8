package turbokvtest

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
)

// homesRight finds sub-ranges that are resolved elsewhere than the rule says, or may still be stamped by
// somebody else, or that a single rack could take away.
func (c *Cluster) homesRight() error {
	if c.listed == nil {
		return nil
	}
	for _, s := range c.control.store.snapshot().SubRanges {
		want := c.homeOf(s.Chain)
		switch {
		case c.copies.lost(s):
		case s.Home != want:
			return fmt.Errorf("%v with %v: home %s, must be %s", s.ID, s.Chain, s.Home, want)
		case !slices.Equal(s.Stampers, []string{s.Home}) || len(s.Tails) > 0:
			return fmt.Errorf("%v, home %s: %v may stamp older epochs, %v answer", s.ID, s.Home, s.Stampers,
				s.Tails)
		case len(s.Chain) > 1 && c.rackOf(s.Chain[0]) == c.rackOf(s.Chain.Tail()) && c.mayBeSpread():
			return fmt.Errorf("%v: head and tail of %v are in one rack", s.ID, s.Chain)
		}
	}
	return nil
}

// mayBeSpread reports whether several racks have nodes for replicas.
func (c *Cluster) mayBeSpread() bool {
	racks := map[string]bool{}
	for _, n := range c.nodes {
		if !c.draining(n.id) {
			racks[n.host.sw.name] = true
		}
	}
	return len(racks) > 1
}

// homeOf is the rule: the switch of the first member, from the head, that does not share the tail's; the
// tail's if there is none. So who loses a rack loses the home or the tail, never both.
func (c *Cluster) homeOf(chain kv.Chain) string {
	for _, n := range chain {
		if at := c.rackOf(n); at != c.rackOf(chain.Tail()) {
			return at
		}
	}
	return c.rackOf(chain.Tail())
}

// rackOf returns the switch that a node really hangs on.
func (c *Cluster) rackOf(n kv.NodeID) string { return c.node(n).host.sw.name }

// rowsRight finds rows of the index in the wrong switch: only the home of a sub-range resolves requests
// for it, and the switches above the racks hold no more than the smallest tables that lead there.
func (c *Cluster) rowsRight() error {
	if c.listed == nil {
		return nil
	}
	for _, sw := range c.switches {
		var have dataplane.Rows
		for _, row := range sw.rows {
			switch {
			case row.Table == p4src.PartitionTable:
				have.Partition++
			case row.Table == p4src.SubRangeTable:
				have.SubRanges++
			}
			if id, detail := subRangeOf(row); detail && c.control.store.subRanges[id].Home != sw.name {
				return fmt.Errorf("switch %s has %v, whose home is %q", sw.name, row,
					c.control.store.subRanges[id].Home)
			}
		}
		if want := c.control.fabric.RowsOf(c.control.view, sw.name); have != want {
			return fmt.Errorf("switch %s has %+v of the index, must have %+v", sw.name, have, want)
		}
	}
	return nil
}

// subRangeOf returns the sub-range of which a row knows the detail.
func subRangeOf(row tables.Entry) (id kv.SubRangeID, detail bool) {
	value := row.Param(p4src.ID)
	if row.Table == p4src.SubRangeTable {
		m, _ := row.Field(p4src.ID)
		value = m.Value
	}
	n, _ := value.Uint64()
	return kv.SubRangeID(n), row.Table == p4src.SubRangeTable || row.Action == p4src.SetSubRange
}

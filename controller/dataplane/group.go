package dataplane

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/transport"
)

// slots fills the slots of a group: evenly with the full set; a slot whose member is not used goes to
// the next one in an order that the slot alone decides, so that a member that is lost, or comes back,
// moves only its own flows, whatever else has failed. Used is part of full and not empty.
func (m members) slots() (out [p4src.GroupSlots]Port) {
	n := len(m.full)
	for i := range out {
		out[i] = m.full[i%n]
		for k := range n - 1 {
			if slices.Contains(m.used, out[i]) {
				break
			}
			// The others in turn, beginning with another one in each round of the slots.
			out[i] = m.full[(i+1+(i/n+k)%(n-1))%n]
		}
	}
	return out
}

// groups are the groups of one switch. Rows that choose among the same ports share one.
type groups struct {
	level   int // of the switch: each chooses slots by bits of its own, see p4src.GroupID
	ids     map[string]uint16
	entries []tables.Entry
}

// id returns the number of the group with these members. Wanted is the number that it gets if it is
// new: it depends on the network only, so that a group keeps its number when others come and go.
func (g *groups) id(wanted int, m members) uint16 {
	key := fmt.Sprint(m)
	if id, ok := g.ids[key]; ok {
		return id
	}
	if g.ids == nil {
		g.ids = make(map[string]uint16)
	}
	id := p4src.GroupID(g.level, wanted)
	g.ids[key] = id
	for slot, p := range m.slots() {
		g.entries = append(g.entries, hopEntry(id, slot, p))
	}
	return id
}

// The numbers of groups: one for all that goes up, then one per switch for requests whose home is
// there and that have ways of their own, then one per switch for packets to it.
const groupUp = 1

func (f *Fabric) groupHome(home int) int { return groupUp + 1 + home }

func (f *Fabric) groupRoute(to int) int { return groupUp + 1 + len(f.ports) + to }

func hopEntry(group uint16, slot int, p Port) tables.Entry {
	return tables.Entry{
		Table: p4src.HopTable, Action: p4src.Hop,
		Match: []tables.Match{
			{Field: p4src.Group, Kind: tables.Exact, Value: tables.Uint(uint64(group))},
			{Field: p4src.Slot, Kind: tables.Exact, Value: tables.Uint(uint64(slot))},
		},
		Params: portParams(p, transport.GatewayMAC[:]),
	}
}

func portParams(p Port, mac []byte) []tables.Param {
	return []tables.Param{
		{Name: p4src.Port, Value: tables.Uint(uint64(p))},
		{Name: p4src.DstMAC, Value: tables.Bytes(mac)},
	}
}

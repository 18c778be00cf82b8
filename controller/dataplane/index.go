package dataplane

import (
	"cmp"
	"slices"

	"github.com/turbokv/turbokv/controller/dataplane/lpm"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/transport"
)

// index is the part of the index that one switch holds.
type index struct {
	detail []*directory.SubRange // whose home it is
	passes []pass
}

// pass is a row that sends requests on, unresolved.
type pass struct {
	keyspace kv.KeyspaceID
	prefix   kv.Prefix
	way      way
}

// way is where to: down over a port, or up over a group.
type way struct {
	down  Port    // 0: up
	up    members // of the group
	group int     // the number that it gets if it is new
}

// index makes the part of one switch. A rack has the detail of the sub-ranges whose home it is, and says
// of all else: up. Others have aggregates only.
func (f *Fabric) index(v directory.View, at int) (x index) {
	w := &ways{Fabric: f, at: at, homes: make(map[int][]lpm.Target)}
	if all := f.upToAll(at, f.now); len(all) > 0 {
		w.forAll = []lpm.Target{w.add(way{up: either(all, f.upToAll(at, f.built)), group: groupUp})}
	}
	for _, parts := range createdByKeyspace(v) {
		x.add(w, parts)
	}
	return x
}

// createdByKeyspace returns the sub-ranges that requests may reach, in the order of their intervals.
func createdByKeyspace(v directory.View) (out [][]*directory.SubRange) {
	all := v.SubRanges()
	var parts []*directory.SubRange
	for i := range all {
		if all[i].Created {
			parts = append(parts, &all[i])
		}
	}
	slices.SortFunc(parts, func(a, b *directory.SubRange) int {
		return cmp.Or(cmp.Compare(a.Keyspace, b.Keyspace), a.Interval.First.Compare(b.Interval.First))
	})
	for from := 0; from < len(parts); {
		to := from + 1
		for to < len(parts) && parts[to].Keyspace == parts[from].Keyspace {
			to++
		}
		out = append(out, parts[from:to])
		from = to
	}
	return out
}

// add makes the rows of one keyspace.
func (x *index) add(w *ways, parts []*directory.SubRange) {
	var pieces []lpm.Piece
	known := make(map[kv.Prefix]bool) // the detail has rows of these
	for _, r := range parts {
		switch home := w.rack(r.Home); {
		case home == w.at:
			x.detail = append(x.detail, r)
			for _, p := range r.Interval.Cover() {
				known[p] = true
			}
		case home >= 0:
			pieces = append(pieces, lpm.Piece{Interval: r.Interval, Targets: w.to(home)})
		}
	}
	if w.net.Switches[w.at].Level == 0 {
		pieces = w.everywhere(pieces)
	}
	for _, row := range lpm.Table(pieces) {
		if !known[row.Prefix] {
			x.passes = append(x.passes, pass{parts[0].Keyspace, row.Prefix, w.list[row.Target]})
		}
	}
}

// ways finds and numbers the ways from one switch, for package lpm.
type ways struct {
	*Fabric
	at     int
	list   []way
	forAll []lpm.Target         // the way up that leads to all homes, if there is one
	homes  map[int][]lpm.Target // what was found
}

func (w *ways) add(x way) lpm.Target {
	w.list = append(w.list, x)
	return lpm.Target(len(w.list) - 1)
}

// to returns the ways to a home, any of which will do.
func (w *ways) to(home int) []lpm.Target {
	out, ok := w.homes[home]
	if !ok {
		out = w.find(home)
		w.homes[home] = out
	}
	return out
}

func (w *ways) find(home int) (out []lpm.Target) {
	down := w.down(w.at, home, w.now)
	up := w.up(w.at, home, w.now)
	if len(down)+len(up) == 0 { // nothing leads there now
		down = w.down(w.at, home, w.built)
	}
	if len(down) > 0 {
		for _, p := range down {
			out = append(out, w.downOver(p))
		}
		slices.Sort(out)
		return out
	}
	if w.forAll != nil {
		return w.forAll
	}
	if m := either(up, w.up(w.at, home, w.built)); len(m.used) > 0 {
		return []lpm.Target{w.add(way{up: m, group: w.groupHome(home)})}
	}
	// No cable ever led there from here. Whoever is below says "try again", while a switch without a
	// row would say that the key cannot exist.
	for _, p := range w.choose(w.at, w.built, func(x port) bool { return x.step < 0 }) {
		out = append(out, w.downOver(p))
	}
	slices.Sort(out)
	return out
}

func (w *ways) downOver(p Port) lpm.Target {
	for i, x := range w.list {
		if x.down == p {
			return lpm.Target(i)
		}
	}
	return w.add(way{down: p})
}

// everywhere makes the pieces of a rack cover the line: what is not known here is known above. Where the
// detail says better, and where nothing is, anything will do.
func (w *ways) everywhere(pieces []lpm.Piece) (out []lpm.Piece) {
	if w.forAll != nil {
		return []lpm.Piece{{Interval: kv.FullInterval, Targets: w.forAll}}
	}
	at, more := kv.MinIndexKey, true
	for _, p := range pieces {
		if at.Less(p.Interval.First) {
			before, _ := p.Interval.First.Prev()
			out = append(out, lpm.Piece{Interval: kv.Interval{First: at, Last: before}})
		}
		out = append(out, p)
		at, more = p.Interval.Last.Next()
	}
	if more {
		out = append(out, lpm.Piece{Interval: kv.Interval{First: at, Last: kv.MaxIndexKey}})
	}
	return out
}

// entries returns the rows, and has g make the groups that they choose.
func (x index) entries(g *groups) (out []tables.Entry) {
	for _, r := range x.detail {
		out = append(out, subRangeEntry(*r))
		for _, p := range r.Interval.Cover() {
			out = append(out, setEntry(*r, p))
		}
	}
	for _, p := range x.passes {
		action, params := p4src.PassDown, portParams(p.way.down, transport.GatewayMAC[:])
		if p.way.down == 0 {
			action, params = p4src.PassUp, groupParams(g.id(p.way.group, p.way.up))
		}
		out = append(out, partitionEntry(p.keyspace, p.prefix, action, params))
	}
	return out
}

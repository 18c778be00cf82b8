package dataplane

import (
	"cmp"
	"slices"
)

// paths are the ways through a network in which some links work.
type paths struct {
	usable func(port) bool
	below  []set // of each switch: racks that a packet reaches going down only; a rack reaches itself
	reach  []set // racks that it reaches going up, perhaps, and then down
	hops   [][]int
}

// set holds racks by the number of their switch.
type set []bool

func (s set) add(o set) {
	for i, in := range o {
		s[i] = s[i] || in
	}
}

// unreachable is a distance.
const unreachable = 1 << 30

func (f *Fabric) paths(usable func(port) bool) paths {
	n := len(f.ports)
	p := paths{usable: usable, below: make([]set, n), reach: make([]set, n), hops: make([][]int, n)}
	upwards := f.byLevel()
	for _, at := range upwards {
		p.below[at] = make(set, n)
		p.below[at][at] = f.net.Switches[at].Level == 0
		for _, x := range f.ports[at] {
			if x.step < 0 && usable(x) {
				p.below[at].add(p.below[x.peer])
			}
		}
	}
	for _, at := range slices.Backward(upwards) {
		p.reach[at] = slices.Clone(p.below[at])
		for _, x := range f.ports[at] {
			if x.step > 0 && usable(x) {
				p.reach[at].add(p.reach[x.peer])
			}
		}
	}
	for at := range f.ports {
		p.hops[at] = f.distances(at, usable)
	}
	return p
}

// Reach counts the racks that a request reaches from a switch, going up, perhaps, and then down, over
// links that work: whoever carries the controller's own requests must reach them all, if anybody does.
func (f *Fabric) Reach(name string) (racks int) {
	at, ok := f.number[name]
	if !ok {
		return 0
	}
	for _, in := range f.now.reach[at] {
		if in {
			racks++
		}
	}
	return racks
}

// byLevel returns all switches, racks first.
func (f *Fabric) byLevel() []int {
	out := make([]int, len(f.ports))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int {
		return cmp.Compare(f.net.Switches[a].Level, f.net.Switches[b].Level)
	})
	return out
}

// distances counts the links from every switch to one, by breadth-first search.
func (f *Fabric) distances(to int, usable func(port) bool) []int {
	out := slices.Repeat([]int{unreachable}, len(f.ports))
	out[to] = 0
	for queue := []int{to}; len(queue) > 0; queue = queue[1:] {
		for _, x := range f.ports[queue[0]] {
			if usable(x) && out[x.peer] == unreachable {
				out[x.peer] = out[queue[0]] + 1
				queue = append(queue, x.peer)
			}
		}
	}
	return out
}

// choose returns the ports of a switch that can be used and meet a condition, in ascending order.
func (f *Fabric) choose(at int, p paths, meets func(port) bool) (out []Port) {
	for _, x := range f.ports[at] {
		if p.usable(x) && meets(x) {
			out = append(out, x.number)
		}
	}
	return out
}

// next returns the ports on the shortest ways from one switch to another.
func (f *Fabric) next(at, to int, p paths) []Port {
	return f.choose(at, p, func(x port) bool {
		return p.hops[to][x.peer] < unreachable && p.hops[to][x.peer] == p.hops[to][at]-1
	})
}

// down returns the ports over which a packet reaches a rack without going up.
func (f *Fabric) down(at, rack int, p paths) []Port {
	return f.choose(at, p, func(x port) bool { return x.step < 0 && p.below[x.peer][rack] })
}

// up returns the ports of those above that lead to a rack.
func (f *Fabric) up(at, rack int, p paths) []Port {
	return f.choose(at, p, func(x port) bool { return x.step > 0 && p.reach[x.peer][rack] })
}

// upToAll returns the ports of those above that lead to every rack to which any of them leads; none if
// there is no such one.
func (f *Fabric) upToAll(at int, p paths) []Port {
	all := make(set, len(f.ports))
	above := f.choose(at, p, func(x port) bool {
		if x.step > 0 {
			all.add(p.reach[x.peer])
		}
		return x.step > 0
	})
	if len(above) == 0 {
		return nil
	}
	return f.choose(at, p, func(x port) bool {
		return x.step > 0 && slices.Equal(p.reach[x.peer], all)
	})
}

// members are the ports of a group: those that are used, and those that would be if nothing had failed.
type members struct {
	used, full []Port
}

// either joins the ways that there are with those that were built. Without any that work, the latter
// stay; a detour over other ports stands by itself.
func either(now, built []Port) members {
	switch {
	case len(now) == 0:
		return members{built, built}
	case slices.ContainsFunc(now, func(p Port) bool { return !slices.Contains(built, p) }):
		return members{now, now}
	}
	return members{now, built}
}

// toward returns the ways from one switch to another.
func (f *Fabric) toward(at, to int) members {
	return either(f.next(at, to, f.now), f.next(at, to, f.built))
}

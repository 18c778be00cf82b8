package turbokvtest

import (
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
)

// rack draws a switch that has hosts.
func (n *nemesis) rack() *fabric {
	racks := max(n.c.opt.Shape.Racks, 1)
	return n.c.switches[n.c.rand.IntN(racks)] // level 0 comes first
}

func (n *nemesis) nodesOf(sw *fabric) (out []*node) {
	for _, x := range n.c.nodes {
		if x.host.sw == sw {
			out = append(out, x)
		}
	}
	return out
}

func placesOf(nodes []*node) (out []place) {
	for _, x := range nodes {
		out = append(out, x.host.place)
	}
	return out
}

// lateMax is how long a late frame may take.
const lateMax = 3 * time.Second

// holdBack makes some cables deliver a part of the frames late: those of one rack, or some links.
func (n *nemesis) holdBack() func() {
	late := lateFrames{0.02 + n.c.rand.Float64()*0.3, time.Millisecond + n.c.within(lateMax)}
	n.c.log("%.0f%% of the frames of some cables are up to %v late", late.share*100, late.most)
	var set []*lateFrames
	for _, h := range n.c.hosts {
		if n.c.rand.IntN(3) == 0 {
			set = append(set, &h.late)
		}
	}
	for _, l := range n.c.links {
		if n.c.rand.IntN(2) == 0 {
			set = append(set, &l.late[n.c.rand.IntN(2)])
		}
	}
	for _, s := range set {
		*s = late
	}
	return func() {
		for _, s := range set {
			*s = lateFrames{}
		}
	}
}

// cutLink lets frames between two switches disappear. A cable that is pulled out is noticed at both
// ends at once; one that is only dead, nobody tells of.
func (n *nemesis) cutLink(l *link) func() {
	ways := n.direction()
	told := ways == [2]bool{true, true} && n.c.rand.IntN(2) == 0
	n.c.log("link %v is cut, %v, told %v", l, ways, told)
	change := func(by int, up bool) {
		for i, cut := range ways {
			if cut {
				l.cuts[i] += by
			}
		}
		if told {
			n.c.control.linkTold(l, up)
		}
	}
	change(1, false)
	return func() {
		n.c.log("link %v is mended", l)
		change(-1, true)
	}
}

// cutUplinks cuts all links of a switch.
func (n *nemesis) cutUplinks(sw *fabric) func() {
	var mends []func()
	for _, l := range n.c.links {
		if l.ends[0].sw == sw || l.ends[1].sw == sw {
			mends = append(mends, n.cutLink(l))
		}
	}
	return all(mends)
}

func all(do []func()) func() {
	return func() {
		for _, f := range do {
			f()
		}
	}
}

// loseRack takes a rack away: its switch reboots, or is only cut off from everybody; its nodes crash
// or are cut off.
func (n *nemesis) loseRack(sw *fabric) func() {
	nodes := n.nodesOf(sw)
	mends := []func(){n.cut(n.c.management.cuts, append(placesOf(nodes), sw.place),
		[]place{controllerPlace}, [2]bool{true, true})}
	if n.c.rand.IntN(2) == 0 {
		if up := n.reboot(sw); up != nil {
			mends = append(mends, up)
		}
	} else {
		mends = append(mends, n.cutUplinks(sw))
	}
	if n.c.rand.IntN(2) == 0 {
		for _, x := range nodes {
			if back := n.crash(x, false); back != nil {
				mends = append(mends, back)
			}
		}
	}
	return all(mends)
}

// partitionRack cuts a rack off from the others, while the controller reaches all of it.
func (n *nemesis) partitionRack(sw *fabric) func() { return n.cutUplinks(sw) }

// staleRack makes stale reads likely if anything may stamp an old epoch: the controller loses the switch
// that stamps a sub-range, and its tail, which the others lose, too; clients reach everything. So what
// the others go on to acknowledge without the tail must not be read there.
func (n *nemesis) staleRack() func() {
	chains := slices.DeleteFunc(n.c.control.store.snapshot().SubRanges, func(s directory.SubRange) bool {
		return s.Keyspace != n.c.keyspace.ID || len(s.Chain) < 2
	})
	if len(chains) == 0 {
		return nil
	}
	s := chains[n.c.rand.IntN(len(chains))]
	tail, home := n.c.node(s.Chain.Tail()), n.c.fabric(s.Home)
	lost := []*node{tail}
	if n.c.rand.IntN(2) == 0 {
		lost = append(lost, n.nodesOf(home)...)
	}
	both := [2]bool{true, true}
	mends := []func(){
		n.cut(n.c.management.cuts, append(placesOf(lost), home.place), []place{controllerPlace}, both),
		n.cut(n.c.net.cuts, placesOf(lost), []place{controllerPlace}, both), // no probe says that they live
	}
	if n.c.rand.IntN(4) > 0 {
		var rest []place
		for _, m := range s.Chain[:len(s.Chain)-1] {
			rest = append(rest, n.c.node(m).host.place)
		}
		mends = append(mends, n.cut(n.c.net.cuts, []place{tail.host.place}, rest, both))
	}
	return all(mends)
}

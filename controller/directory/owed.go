package directory

import (
	"maps"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// sendOwed repeats to a node all that it has not surely heard: every assignment, also those that it
// acknowledged, with the forks and absorptions that it still has to make, and then every revocation
// that is due.
func (d *Directory) sendOwed(e *Effects, id kv.NodeID) {
	d.subRanges.Scan(func(_ kv.SubRangeID, s SubRange) bool {
		if s.belongs(id) {
			d.sendAssignment(e, id, s)
		}
		return true
	})
	for m := range d.told {
		if m.node == id {
			delete(d.told, m)
		}
	}
	d.revokeDue(e)
}

// revokeForeign deals with what a node should not have: a sub-range to which it does not belong, or
// one that is gone (a node that came back from a backup). Ids that were never given out are left
// alone: they are not ours to erase.
func (d *Directory) revokeForeign(e *Effects, h Hello) {
	if h.ClusterID == "" {
		return
	}
	for _, held := range h.Held {
		if s, ok := d.subRanges.Get(held.SubRange); ok {
			if !s.belongs(h.ID) && held.Epoch < s.Epoch && !s.hasFormer(h.ID) {
				s.Former = append(slices.Clone(s.Former), Former{Node: h.ID, Epoch: s.Epoch - 1,
					Interval: kv.FullInterval})
				d.putSubRange(e, s)
			}
			continue
		}
		r, ok := d.retired.Get(held.SubRange)
		if ok && !slices.Contains(r.Pending, h.ID) && held.Epoch <= r.Epoch {
			e.revoke(h.ID, Revoke{SubRange: r.ID, Epoch: r.Epoch, Erase: true})
		}
	}
	d.revokeDue(e)
}

func (s SubRange) hasFormer(n kv.NodeID) bool {
	return slices.ContainsFunc(s.Former, func(f Former) bool { return f.Node == n })
}

// revokeDue tells all who are here to erase what nobody needs any more, each once per session.
func (d *Directory) revokeDue(e *Effects) {
	for _, id := range slices.Sorted(maps.Keys(d.leaving)) {
		if r, ok := d.retired.Get(id); ok {
			d.revokeRetired(e, r)
			continue
		}
		s, _ := d.subRanges.Get(id)
		for _, f := range s.Former {
			if d.held(s, f.Interval) {
				d.tell(e, f.Node, Revoke{SubRange: id, Epoch: f.Epoch, Erase: true})
			}
		}
	}
}

// revokeRetired deals with a sub-range that is gone: if it was absorbed, the others must do without it,
// and the switches within reach must have forgotten it, so that clients hear that a keyspace is gone,
// and do not try in vain. That is all: a switch out of reach may go on to stamp a retired id, and no
// harm comes of it. Whoever has erased the sub-range refuses the request, and so does whoever has got
// the id again, because its epoch is higher, and its keyspace or interval another. An id is free when all
// its members have erased it.
func (d *Directory) revokeRetired(e *Effects, r Retired) {
	into, absorbed := d.subRanges.Get(r.Into)
	if d.reached() < max(d.retiredAt[r.ID], 1) || absorbed && !d.held(into, r.Interval) {
		return
	}
	for _, n := range r.Pending {
		d.tell(e, n, Revoke{SubRange: r.ID, Epoch: r.Epoch, Erase: true})
	}
}

// tell sends a revocation, unless the node has no session or has got it in this one.
func (d *Directory) tell(e *Effects, n kv.NodeID, r Revoke) {
	m := membership{n, r.SubRange}
	if d.online[n] && d.told[m] < r.Epoch {
		d.told[m] = r.Epoch
		e.revoke(n, r)
	}
}

// held reports whether all that a copy may hold of an interval, part of s when it was made, is held
// by those who belong to it now.
func (d *Directory) held(s SubRange, interval kv.Interval) bool {
	if s.Interval.Hull(interval) == s.Interval {
		return d.Settled(s.ID)
	}
	for _, other := range d.SubRangesOf(s.Keyspace) { // it was cut since
		if other.Interval.Overlaps(interval) && !d.Settled(other.ID) {
			return false
		}
	}
	return true
}

package directory

import (
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// Effects is what a command asks of the driver: store Changes in one transaction, then do the rest
// in any order.
type Effects struct {
	Changes []Change
	Sends   []Send
	// Publications are handed out once; the driver retries each until it succeeds and then gives
	// the command Published.
	Publications []Publication
}

// Send is a message to a node. If the node has no session it is lost, which is no harm: all that is
// still owed is sent again after its next hello.
type Send struct {
	To     kv.NodeID
	Assign *kv.Assignment // or
	Revoke *Revoke
}

// Revoke ends a membership, for every epoch up to the given one.
type Revoke struct {
	SubRange kv.SubRangeID
	Epoch    kv.Epoch
	Erase    bool // delete the records too
}

// Publication is a descriptor to write into the system keyspace under its name, or to delete there.
type Publication struct {
	Descriptor kv.Descriptor
	Delete     bool
}

func (d *Directory) putMeta(e *Effects) {
	meta := d.meta
	e.Changes = append(e.Changes, Change{Meta: &meta})
}

func (d *Directory) putNode(e *Effects, n Node) {
	d.nodes.Set(n.ID, n)
	e.Changes = append(e.Changes, Change{Node: &n})
}

func (d *Directory) putKeyspace(e *Effects, k Keyspace) {
	d.keyspaces.Set(k.ID, k)
	e.Changes = append(e.Changes, Change{Keyspace: &k})
}

func (d *Directory) deleteKeyspace(e *Effects, k Keyspace) {
	d.keyspaces.Delete(k.ID)
	e.Changes = append(e.Changes, Change{Delete: true, Keyspace: &k})
}

func (d *Directory) putSubRange(e *Effects, s SubRange) {
	if old, ok := d.subRanges.Get(s.ID); ok && old.ForkOf != s.ForkOf {
		delete(d.forks, old.ForkOf)
	}
	d.subRanges.Set(s.ID, s)
	d.index(s)
	e.Changes = append(e.Changes, Change{SubRange: &s})
}

func (d *Directory) deleteSubRange(e *Effects, s SubRange) {
	d.subRanges.Delete(s.ID)
	delete(d.forks, s.ForkOf)
	delete(d.leaving, s.ID)
	delete(d.waiting, s.ID)
	delete(d.stamped, s.ID)
	delete(d.changedAt, s.ID)
	delete(d.mappedAt, s.ID)
	e.Changes = append(e.Changes, Change{Delete: true, SubRange: &s})
}

func (d *Directory) putRetired(e *Effects, r Retired) {
	d.retired.Set(r.ID, r)
	d.indexRetired(r)
	e.Changes = append(e.Changes, Change{Retired: &r})
}

func (d *Directory) deleteRetired(e *Effects, r Retired) {
	d.retired.Delete(r.ID)
	delete(d.leaving, r.ID)
	delete(d.absorbed, r.ID)
	e.Changes = append(e.Changes, Change{Delete: true, Retired: &r})
}

func (d *Directory) putPlan(e *Effects, p Plan) {
	d.plans.Set(p.ID, p)
	e.Changes = append(e.Changes, Change{Plan: &p})
}

func (d *Directory) deletePlan(e *Effects, p Plan) {
	d.plans.Delete(p.ID)
	e.Changes = append(e.Changes, Change{Delete: true, Plan: &p})
}

// sendAssignment gives one member, or the learner, its assignment.
func (d *Directory) sendAssignment(e *Effects, to kv.NodeID, s SubRange) {
	if d.mayTell(s, to) {
		a := d.assignment(s, to)
		e.Sends = append(e.Sends, Send{To: to, Assign: &a})
	}
}

// mayTell reports whether a node may be given the assignment of a sub-range now. A fork comes with
// that of ForkOf, which waits for it.
func (d *Directory) mayTell(s SubRange, to kv.NodeID) bool {
	q, forked := d.fork(s.ID)
	return !s.Untold && !slices.Contains(s.Unforked, to) &&
		!(forked && q.Untold && slices.Contains(q.Unforked, to))
}

// sendAll gives everybody who belongs to a sub-range the assignment.
func (d *Directory) sendAll(e *Effects, s SubRange) {
	for _, n := range s.nodes() {
		d.sendAssignment(e, n, s)
	}
}

// assignment is all that one node is sent for a sub-range, with the fork that it has not made yet.
func (d *Directory) assignment(s SubRange, to kv.NodeID) kv.Assignment {
	k, _ := d.keyspaces.Get(s.Keyspace)
	a := s.Assignment(k, to)
	if q, ok := d.fork(s.ID); ok && slices.Contains(q.Unforked, to) {
		a.Forks = []kv.Assignment{q.Assignment(k, to)}
	}
	return a
}

// Assignment returns all that one node is sent now for a sub-range; ok is false if it is sent nothing
// by this id: it does not belong to it, gets it as a fork of another, or must not know it yet.
func (d *Directory) Assignment(id kv.SubRangeID, to kv.NodeID) (a kv.Assignment, ok bool) {
	s, ok := d.subRanges.Get(id)
	if !ok || !s.belongs(to) || !d.mayTell(s, to) {
		return a, false
	}
	return d.assignment(s, to), true
}

// fork returns the sub-range that was cut off another and that not all members have made yet.
func (d *Directory) fork(of kv.SubRangeID) (SubRange, bool) {
	id, ok := d.forks[of]
	if !ok {
		return SubRange{}, false
	}
	return d.subRanges.Get(id)
}

func (e *Effects) revoke(to kv.NodeID, r Revoke) {
	e.Sends = append(e.Sends, Send{To: to, Revoke: &r})
}

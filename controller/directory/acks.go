package directory

import (
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// Ack is the answer of a node to one assignment or revocation.
type Ack struct {
	Node     kv.NodeID
	SubRange kv.SubRangeID
	Epoch    kv.Epoch
	Revoke   bool
}

// Acknowledged takes a batch of answers. Answers to what is no longer owed are ignored.
func (d *Directory) Acknowledged(acks []Ack) Effects {
	var e Effects
	for _, a := range acks {
		if a.Revoke {
			d.revoked(&e, a)
		} else {
			d.assigned(&e, a)
		}
	}
	d.revokeDue(&e)
	d.publishDue(&e)
	return e
}

func (d *Directory) assigned(e *Effects, a Ack) {
	s, ok := d.subRanges.Get(a.SubRange)
	if !ok || a.Epoch != s.Epoch || !s.belongs(a.Node) || slices.Contains(s.Acked, a.Node) {
		return
	}
	s.Acked = append(slices.Clone(s.Acked), a.Node)
	s = s.past(a.Node)
	if q := s.Absorbs.SubRange; slices.Contains(s.Unabsorbed, a.Node) {
		s = s.absorbed(a.Node)
		d.notPending(e, q, a.Node) // it has nothing left of it to erase
	}
	created := !s.Created && len(s.Unacknowledged()) == 0
	if created {
		s.Created = true
		d.revision++
		d.changedAt[s.ID] = d.revision
	}
	d.putSubRange(e, s)
	if created { // from now on nobody may begin empty
		d.sendAll(e, s)
	}
	if q, ok := d.fork(s.ID); ok && slices.Contains(q.Unforked, a.Node) {
		q = q.forked(a.Node)
		d.putSubRange(e, q)
		d.sendAssignment(e, a.Node, q) // q may have gone on since the fork was sent
	}
}

// revoked takes a node off the list of those who must erase a sub-range.
func (d *Directory) revoked(e *Effects, a Ack) {
	if m := (membership{a.Node, a.SubRange}); a.Epoch >= d.told[m] {
		delete(d.told, m)
	}
	if r, ok := d.retired.Get(a.SubRange); ok && a.Epoch >= r.Epoch {
		d.notPending(e, r.ID, a.Node)
		return
	}
	s, _ := d.subRanges.Get(a.SubRange)
	at := slices.IndexFunc(s.Former, func(f Former) bool {
		return f.Node == a.Node && a.Epoch >= f.Epoch
	})
	if at >= 0 {
		d.putSubRange(e, s.withoutFormer(a.Node))
	}
}

func (s SubRange) withoutFormer(n kv.NodeID) SubRange {
	var left []Former
	for _, f := range s.Former {
		if f.Node != n {
			left = append(left, f)
		}
	}
	s.Former = left
	return s
}

func (d *Directory) notPending(e *Effects, id kv.SubRangeID, n kv.NodeID) {
	r, _ := d.retired.Get(id)
	if !slices.Contains(r.Pending, n) {
		return
	}
	if r.Pending = without(r.Pending, n); r.Pending == nil {
		r.Into, r.Interval = 0, kv.Interval{}
	}
	d.putRetired(e, r)
}

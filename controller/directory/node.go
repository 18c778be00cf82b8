package directory

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// Hello is what a node says when it opens a session.
type Hello struct {
	Node
	ClusterID string // that the node belongs to; empty: none yet
	Held      []Held // what it has state or an assignment of
}

// Held is one sub-range of which a node has state.
type Held struct {
	SubRange kv.SubRangeID
	Epoch    kv.Epoch // of the assignment in force; 0: none
}

// Hello brings a node in. All that it is owed is sent: every assignment, also those that it has,
// and every revocation that it has not confirmed.
func (d *Directory) Hello(h Hello) (Effects, error) {
	if h.Switch == "" {
		h.Switch = d.cfg.Switches[0]
	}
	if err := d.checkHello(h); err != nil {
		return Effects{}, err
	}
	var e Effects
	if old, known := d.nodes.Get(h.ID); !known || old != h.Node {
		d.putNode(&e, h.Node)
		if !known || !sameRoute(old, h.Node) {
			d.revision++
		}
	}
	d.online[h.ID] = true
	d.sendOwed(&e, h.ID)
	d.revokeForeign(&e, h)
	d.bootstrap(&e)
	return e, nil
}

func (d *Directory) checkHello(h Hello) error {
	if err := checkNode(h.Node); err != nil {
		return err
	}
	if h.ClusterID != "" && h.ClusterID != d.meta.ClusterID {
		return fmt.Errorf("node %v: %w: it belongs to %s, this is %s", h.ID, ErrWrongCluster,
			h.ClusterID, d.meta.ClusterID)
	}
	if !slices.Contains(d.cfg.Switches, h.Switch) {
		return fmt.Errorf("node %v: %w: switch %q: must be one of %q", h.ID, ErrInvalid, h.Switch,
			d.cfg.Switches)
	}
	if old, ok := d.nodes.Get(h.ID); ok && h.Incarnation < old.Incarnation {
		return fmt.Errorf("node %v: %w: incarnation %d, seen %d already (two processes with one "+
			"address, or a clock gone back)", h.ID, ErrStaleNode, h.Incarnation, old.Incarnation)
	}
	return nil
}

func sameRoute(a, b Node) bool {
	return a.MAC == b.MAC && a.Switch == b.Switch && a.Port == b.Port
}

// Gone says that a node has no session any more. Its routes and roles stay: it may be alive (I2).
func (d *Directory) Gone(id kv.NodeID) { delete(d.online, id) }

// sendOwed sends everything that a node is to be told.
func (d *Directory) sendOwed(e *Effects, id kv.NodeID) {
	d.subRanges.Scan(func(_ kv.SubRangeID, s SubRange) bool {
		if s.Chain.Position(id) >= 0 {
			d.sendAssignment(e, id, s)
		}
		return true
	})
	synced := d.syncedRevision()
	d.retired.Scan(func(_ kv.SubRangeID, r Retired) bool {
		if slices.Contains(r.Pending, id) && synced >= d.retirement(r.ID) {
			e.revoke(id, Revoke{SubRange: r.ID, Epoch: r.Epoch, Erase: true})
		}
		return true
	})
}

// revokeForeign tells a node to erase what it should not have: a sub-range that it is no member of,
// or one that is gone (a node that came back from a backup). Ids that were never given out are left
// alone: they are not ours to erase.
func (d *Directory) revokeForeign(e *Effects, h Hello) {
	if h.ClusterID == "" {
		return
	}
	for _, held := range h.Held {
		if s, ok := d.subRanges.Get(held.SubRange); ok {
			if s.Chain.Position(h.ID) < 0 && held.Epoch < s.Epoch {
				e.revoke(h.ID, Revoke{SubRange: s.ID, Epoch: s.Epoch - 1, Erase: true})
			}
			continue
		}
		r, ok := d.retired.Get(held.SubRange)
		if ok && !slices.Contains(r.Pending, h.ID) && held.Epoch <= r.Epoch {
			e.revoke(h.ID, Revoke{SubRange: r.ID, Epoch: r.Epoch, Erase: true})
		}
	}
}

// bootstrap creates the system keyspace once the expected nodes are here.
func (d *Directory) bootstrap(e *Effects) {
	if _, ok := d.keyspaces.Get(kv.SystemKeyspace); ok || len(d.online) < d.cfg.ExpectNodes {
		return
	}
	want := CreateKeyspace{
		Name: kv.SystemDescriptor.Name, Partitioner: kv.SystemDescriptor.Partitioner,
		Durability: kv.DurabilitySync, SubRanges: 1,
		Replication: min(defaultReplication, len(d.online)),
	}
	if len(d.candidates(kv.DurabilitySync)) < want.Replication {
		want.Durability = kv.DurabilityMemory // a cluster for trying out; status says so
	}
	_, created, err := d.create(kv.SystemKeyspace, want)
	if err != nil { // one sub-range always fits into an empty directory
		panic(fmt.Sprintf("directory: system keyspace: %v", err))
	}
	e.Changes = append(e.Changes, created.Changes...)
	e.Sends = append(e.Sends, created.Sends...)
}

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
	d.publishDue(&e)
	return e
}

func (d *Directory) assigned(e *Effects, a Ack) {
	s, ok := d.subRanges.Get(a.SubRange)
	if !ok || a.Epoch != s.Epoch || s.Chain.Position(a.Node) < 0 ||
		slices.Contains(s.Acked, a.Node) {
		return
	}
	s.Acked = append(slices.Clone(s.Acked), a.Node)
	if len(s.Acked) == len(s.Chain) && !s.Created {
		s.Created = true
		d.revision++
		for _, n := range s.Chain { // from now on nobody may begin empty
			d.sendAssignment(e, n, s)
		}
	}
	d.putSubRange(e, s)
}

func (d *Directory) revoked(e *Effects, a Ack) {
	r, ok := d.retired.Get(a.SubRange)
	at := slices.Index(r.Pending, a.Node)
	if !ok || at < 0 || a.Epoch < r.Epoch {
		return
	}
	r.Pending = slices.Delete(slices.Clone(r.Pending), at, at+1)
	d.putRetired(e, r)
}

// SwitchSynced says that a switch holds all that View.Revision asked for.
func (d *Directory) SwitchSynced(name string, revision uint64) Effects {
	var e Effects
	before := d.syncedRevision()
	if slices.Contains(d.cfg.Switches, name) && revision <= d.revision {
		d.synced[name] = max(d.synced[name], revision)
	}
	if after := d.syncedRevision(); after > before {
		d.revokeDue(&e, before, after)
		d.publishDue(&e)
	}
	return e
}

// SwitchLost says that nothing is known any more of what a switch holds.
func (d *Directory) SwitchLost(name string) { delete(d.synced, name) }

// syncedRevision is what every switch has reached.
func (d *Directory) syncedRevision() uint64 {
	lowest := d.revision
	for _, name := range d.cfg.Switches {
		lowest = min(lowest, d.synced[name])
	}
	return lowest
}

// retirement returns the revision from which a sub-range is in no switch. What was retired before
// the controller started is out with the first revision that all switches reach.
func (d *Directory) retirement(id kv.SubRangeID) uint64 { return max(d.retiredAt[id], 1) }

// revokeDue tells the members of the sub-ranges that have just left the switches.
func (d *Directory) revokeDue(e *Effects, before, after uint64) {
	d.retired.Scan(func(_ kv.SubRangeID, r Retired) bool {
		if at := d.retirement(r.ID); at <= before || at > after {
			return true
		}
		for _, n := range r.Pending {
			e.revoke(n, Revoke{SubRange: r.ID, Epoch: r.Epoch, Erase: true})
		}
		return true
	})
}

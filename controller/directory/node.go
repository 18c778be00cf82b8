package directory

import (
	"fmt"
	"maps"
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
	old, known := d.nodes.Get(h.ID)
	h.Draining = old.Draining // not for the node to say
	if !known || old != h.Node {
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

// SetDraining says whether new replicas keep away from a node.
func (d *Directory) SetDraining(id kv.NodeID, draining bool) (Effects, error) {
	var e Effects
	n, ok := d.nodes.Get(id)
	if !ok {
		return e, fmt.Errorf("node %v: %w", id, ErrNotFound)
	}
	if n.Draining != draining {
		n.Draining = draining
		d.putNode(&e, n)
	}
	return e, nil
}

// Forget takes a node out of the directory that is away and belongs to no sub-range. Nobody waits
// any longer for it to erase what it held; should it come back, it is told again.
func (d *Directory) Forget(id kv.NodeID) (Effects, error) {
	n, ok := d.nodes.Get(id)
	switch {
	case !ok:
		return Effects{}, fmt.Errorf("node %v: %w", id, ErrNotFound)
	case d.online[id]:
		return Effects{}, fmt.Errorf("node %v: %w: it is connected", id, ErrBusy)
	}
	for _, s := range d.SubRanges() {
		if s.belongs(id) {
			return Effects{}, fmt.Errorf("node %v: %w: it belongs to %v", id, ErrBusy, s.ID)
		}
	}
	var e Effects
	for _, at := range slices.Sorted(maps.Keys(d.leaving)) {
		if s, ok := d.subRanges.Get(at); ok && s.hasFormer(id) {
			d.putSubRange(&e, s.withoutFormer(id))
		} else if !ok {
			d.notPending(&e, at, id)
		}
	}
	d.nodes.Delete(id)
	e.Changes = append(e.Changes, Change{Delete: true, Node: &n})
	d.revision++ // its route goes
	return e, nil
}

// bootstrap creates the system keyspace once the expected nodes are here.
func (d *Directory) bootstrap(e *Effects) {
	if _, ok := d.keyspaces.Get(kv.SystemKeyspace); !ok && len(d.online) >= d.cfg.ExpectNodes {
		d.createSystem(e)
	}
}

// RecreateSystem replaces a system keyspace in memory that is lost. What it held is known here: the
// descriptors of all keyspaces are published again. ErrInvalid: it is not in memory. ErrNotReady: no
// node is connected.
func (d *Directory) RecreateSystem() (Effects, error) {
	k, ok := d.keyspaces.Get(kv.SystemKeyspace)
	switch {
	case !ok || len(d.online) == 0:
		return Effects{}, fmt.Errorf("system keyspace: %w: the cluster waits for nodes", ErrNotReady)
	case k.Durability != kv.DurabilityMemory:
		return Effects{}, fmt.Errorf("system keyspace: %w: it is durable, and its nodes may come "+
			"back", ErrInvalid)
	}
	if _, err := d.freeIDs(1); err != nil {
		return Effects{}, fmt.Errorf("system keyspace: %w", err)
	}
	var e Effects
	d.retire(&e, k)
	d.createSystem(&e)
	for _, k := range d.Keyspaces() {
		if k.Phase == PhaseReady {
			k.Phase = PhaseCreating // until clients can find it again
			d.putKeyspace(&e, k)
		}
	}
	return e, nil
}

// createSystem needs one node that is here.
func (d *Directory) createSystem(e *Effects) {
	want := CreateKeyspace{
		Name: kv.SystemDescriptor.Name, Partitioner: kv.SystemDescriptor.Partitioner,
		Durability: kv.DurabilitySync, SubRanges: 1,
		Replication: min(defaultReplication, len(d.online)),
	}
	if len(d.candidates(kv.DurabilitySync)) < want.Replication {
		want.Durability = kv.DurabilityMemory // a cluster for trying out; status says so
	}
	_, created, err := d.create(kv.SystemKeyspace, want)
	if err != nil { // one sub-range always fits, into an empty directory or in place of another
		panic(fmt.Sprintf("directory: system keyspace: %v", err))
	}
	e.Changes = append(e.Changes, created.Changes...)
	e.Sends = append(e.Sends, created.Sends...)
}

package directory

import "github.com/turbokv/turbokv/kv"

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
	d.subRanges.Set(s.ID, s)
	e.Changes = append(e.Changes, Change{SubRange: &s})
}

func (d *Directory) deleteSubRange(e *Effects, s SubRange) {
	d.subRanges.Delete(s.ID)
	e.Changes = append(e.Changes, Change{Delete: true, SubRange: &s})
}

func (d *Directory) putRetired(e *Effects, r Retired) {
	d.retired.Set(r.ID, r)
	e.Changes = append(e.Changes, Change{Retired: &r})
}

func (d *Directory) deleteRetired(e *Effects, r Retired) {
	d.retired.Delete(r.ID)
	e.Changes = append(e.Changes, Change{Delete: true, Retired: &r})
}

// sendAssignment gives one member its assignment.
func (d *Directory) sendAssignment(e *Effects, to kv.NodeID, s SubRange) {
	k, _ := d.keyspaces.Get(s.Keyspace)
	a := s.Assignment(k)
	e.Sends = append(e.Sends, Send{To: to, Assign: &a})
}

func (e *Effects) revoke(to kv.NodeID, r Revoke) {
	e.Sends = append(e.Sends, Send{To: to, Revoke: &r})
}

package directory

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Node is a storage node that has said hello at least once. Nodes are never forgotten by
// themselves.
type Node struct {
	ID          kv.NodeID `json:"id"`
	MAC         wire.MAC  `json:"mac"`
	Switch      string    `json:"switch"`      // name of the switch it is attached to
	Port        uint32    `json:"port"`        // of that switch, at least 1
	Persistent  bool      `json:"persistent"`  // its engine survives a restart
	Incarnation uint64    `json:"incarnation"` // grows with every start of the node process
}

// Phase is the place of a keyspace in its life. Its values are stored.
type Phase uint8

// The phases.
const (
	PhaseCreating Phase = 1 // not all sub-ranges are served, or clients cannot find it yet
	PhaseReady    Phase = 2 // served, and published to clients
	PhaseDropping Phase = 3 // served until clients can no longer find it
)

// String gives the name that status reports use.
func (p Phase) String() string {
	switch p {
	case PhaseCreating:
		return "creating"
	case PhaseReady:
		return "ready"
	case PhaseDropping:
		return "dropping"
	}
	return fmt.Sprintf("phase(%d)", uint8(p))
}

// Keyspace is a set of keys with one partitioner and one durability.
type Keyspace struct {
	kv.Descriptor
	Phase Phase `json:"phase"`
}

// SubRange is one piece of the line of a keyspace and the chain that serves it.
type SubRange struct {
	ID       kv.SubRangeID `json:"id"`
	Keyspace kv.KeyspaceID `json:"keyspace"`
	Interval kv.Interval   `json:"interval"`
	Epoch    kv.Epoch      `json:"epoch"`
	Chain    kv.Chain      `json:"chain"`
	// Created says that every member has once acknowledged the first epoch. Until then no switch
	// may send requests, and from then on no member may begin empty.
	Created bool `json:"created"`
	// Acked lists the members that have acknowledged Epoch.
	Acked []kv.NodeID `json:"acked,omitempty"`
}

// Unacknowledged lists the members that have not acknowledged Epoch.
func (s SubRange) Unacknowledged() []kv.NodeID {
	return slices.DeleteFunc(slices.Clone(s.Chain), func(n kv.NodeID) bool {
		return slices.Contains(s.Acked, n)
	})
}

// Retired is an id whose sub-range is gone. It remembers the last epoch for ever.
type Retired struct {
	ID    kv.SubRangeID `json:"id"`
	Epoch kv.Epoch      `json:"epoch"`
	// Pending lists the members that have not confirmed that they erased it. The id is free when
	// the list is empty.
	Pending []kv.NodeID `json:"pending,omitempty"`
}

// Meta is the record of which there is one.
type Meta struct {
	ClusterID    string        `json:"cluster_id"`     // drawn at the first start, never changed
	NextSubRange kv.SubRangeID `json:"next_sub_range"` // lowest id never used
	NextKeyspace kv.KeyspaceID `json:"next_keyspace"`  // where the search for a free id begins
}

// Snapshot is everything that is stored.
type Snapshot struct {
	Meta      Meta
	Nodes     []Node
	Keyspaces []Keyspace
	SubRanges []SubRange
	Retired   []Retired
}

// Change is one record to store, or to delete. Exactly one pointer is set; with Delete, only the id
// in the record counts.
type Change struct {
	Delete   bool
	Meta     *Meta
	Node     *Node
	Keyspace *Keyspace
	SubRange *SubRange
	Retired  *Retired
}

// Assignment returns what every member of the chain is given.
func (s SubRange) Assignment(k Keyspace) kv.Assignment {
	return kv.Assignment{
		SubRange:    s.ID,
		Epoch:       s.Epoch,
		Keyspace:    s.Keyspace,
		Partitioner: k.Partitioner,
		Durability:  k.Durability,
		Interval:    s.Interval,
		Chain:       slices.Clone(s.Chain),
		Create:      !s.Created,
	}
}

// nameRule keeps names printable, quotable and short enough to be a key.
var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

func checkName(name string) error {
	if !nameRule.MatchString(name) {
		return fmt.Errorf("%w: name %q: must be 1 to 128 of letters, digits, '.', '_', '-' "+
			"and begin with a letter or digit", ErrInvalid, name)
	}
	return nil
}

func checkNode(n Node) error {
	switch {
	case n.ID == 0 || !usable(n.ID.Addr()):
		return fmt.Errorf("%w: node address %v: must be a unicast IPv4 address", ErrInvalid, n.ID)
	case n.MAC == wire.MAC{} || n.MAC[0]&1 != 0:
		return fmt.Errorf("%w: node %v: MAC %v: must be a unicast address", ErrInvalid, n.ID, n.MAC)
	case n.Port == 0:
		return fmt.Errorf("%w: node %v: switch port 0: must be at least 1", ErrInvalid, n.ID)
	case n.Incarnation == 0:
		return fmt.Errorf("%w: node %v: incarnation 0: must grow from 1", ErrInvalid, n.ID)
	}
	return nil
}

func usable(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255,
		255})
}

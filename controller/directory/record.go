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
	// Draining keeps new replicas away from the node, because an operator wants it empty.
	Draining bool `json:"draining,omitempty"`
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
	// Since is parallel to Chain: the epoch from which each member has belonged to the sub-range
	// without interruption, first as a learner perhaps.
	Since []kv.Epoch `json:"since"`
	// Learner is the node that joins, zero if nobody does, and LearnerSince its first epoch.
	Learner      kv.NodeID `json:"learner,omitempty"`
	LearnerSince kv.Epoch  `json:"learner_since,omitempty"`
	// Created says that every member has once acknowledged an assignment with Create, or that the
	// sub-range was cut out of one of which that is true. Until then no switch may send requests,
	// and from then on no member may begin empty.
	Created bool `json:"created"`
	// Acked lists the members that have acknowledged Epoch, and the learner if it has.
	Acked []kv.NodeID `json:"acked,omitempty"`
	// Home is the switch at which requests are resolved in this epoch, and the only one to which rows
	// of the sub-range are written (see HomeOf). All others lead to it.
	Home string `json:"home"`
	// Stampers lists Home and the switches that may go on to stamp requests for keys of the sub-range
	// with something that one of Tails answers: former homes that have not confirmed that they hold
	// no row of it any more.
	Stampers []string `json:"stampers"`
	// Tails lists the nodes that were the tail before this epoch and may not know that they are not
	// any more, or that there is a new epoch: they go on to answer reads that Stampers send them.
	Tails []kv.NodeID `json:"tails,omitempty"`
	// Blocked keeps requests away until the home leads to the sub-range nowhere by another id (I2).
	Blocked bool `json:"blocked,omitempty"`
	// Untold keeps the epoch from the nodes until no switch sends reads to one of Tails that is no
	// member any more: the new chain could acknowledge what was ordered before, alone, and that tail
	// would not show it (docs/model, BREAK_ORDER).
	Untold bool `json:"untold,omitempty"`
	// Frozen is the first half of a merge with Partner, which is frozen as well.
	Frozen  bool          `json:"frozen,omitempty"`
	Partner kv.SubRangeID `json:"partner,omitempty"`
	// ForkOf is the sub-range of which this one was cut off, and Unforked are the members that have
	// not acknowledged that: they get this one with the assignment of ForkOf, never alone. Both are
	// zero when all have.
	ForkOf   kv.SubRangeID `json:"fork_of,omitempty"`
	Unforked []kv.NodeID   `json:"unforked,omitempty"`
	// Absorbs is the neighbour that became part of this sub-range, and Unabsorbed are the members
	// that have not acknowledged that. Both are zero when all have.
	Absorbs    kv.Absorbed `json:"absorbs,omitzero"`
	Unabsorbed []kv.NodeID `json:"unabsorbed,omitempty"`
	// Former lists those that belonged to the sub-range and have not confirmed that they erased
	// their copy.
	Former []Former `json:"former,omitempty"`
}

// Former is a node that was a member or a learner. Its copy is the last resort of the sub-range
// until the present members hold everything for sure; only then is it told to erase it.
type Former struct {
	Node     kv.NodeID   `json:"node"`
	Epoch    kv.Epoch    `json:"epoch"`    // the last one that it belonged to
	Interval kv.Interval `json:"interval"` // what its copy may hold of the line
}

// Retired is an id whose sub-range is gone. It remembers the last epoch for ever.
type Retired struct {
	ID    kv.SubRangeID `json:"id"`
	Epoch kv.Epoch      `json:"epoch"`
	// Pending lists the members that have not confirmed that they erased it. The id is free when
	// the list is empty.
	Pending []kv.NodeID `json:"pending,omitempty"`
	// Into is the sub-range that absorbed this one, as long as somebody is Pending, and Interval
	// what the copies may hold of the line. The members of Into confirm by acknowledging it; anybody
	// else is told to erase only when all of the interval is settled.
	Into     kv.SubRangeID `json:"into,omitempty"`
	Interval kv.Interval   `json:"interval,omitzero"`
}

// Meta is the record of which there is one.
type Meta struct {
	ClusterID    string        `json:"cluster_id"`     // drawn at the first start, never changed
	NextSubRange kv.SubRangeID `json:"next_sub_range"` // lowest id never used
	NextKeyspace kv.KeyspaceID `json:"next_keyspace"`  // where the search for a free id begins
	NextPlan     uint64        `json:"next_plan,omitempty"`
}

// Snapshot is everything that is stored.
type Snapshot struct {
	Meta      Meta
	Nodes     []Node
	Keyspaces []Keyspace
	SubRanges []SubRange
	Retired   []Retired
	Plans     []Plan
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
	Plan     *Plan
}

// Assignment returns what a member or the learner is given for this sub-range, without the forks
// that it may owe to another: see records.Assignment.
func (s SubRange) Assignment(k Keyspace, to kv.NodeID) kv.Assignment {
	a := kv.Assignment{
		SubRange:    s.ID,
		Epoch:       s.Epoch,
		Keyspace:    s.Keyspace,
		Partitioner: k.Partitioner,
		Durability:  k.Durability,
		Interval:    s.Interval,
		Chain:       slices.Clone(s.Chain),
		Create:      !s.Created,
		Since:       s.since(to),
		Learner:     s.Learner,
		Frozen:      s.Frozen,
	}
	if slices.Contains(s.Unabsorbed, to) {
		a.Absorb = s.Absorbs
	}
	return a
}

// since returns the epoch from which on a node belongs to the sub-range; 0: it does not.
func (s SubRange) since(n kv.NodeID) kv.Epoch {
	if n != 0 && n == s.Learner {
		return s.LearnerSince
	}
	if at := s.Chain.Position(n); at >= 0 {
		return s.Since[at]
	}
	return 0
}

// belongs reports whether a node is a member or the learner.
func (s SubRange) belongs(n kv.NodeID) bool { return s.since(n) > 0 }

// nodes returns the members and the learner.
func (s SubRange) nodes() []kv.NodeID {
	out := slices.Clone([]kv.NodeID(s.Chain))
	if s.Learner != 0 {
		out = append(out, s.Learner)
	}
	return out
}

// Unacknowledged lists the members that have not acknowledged Epoch.
func (s SubRange) Unacknowledged() []kv.NodeID { return without(s.Chain, s.Acked...) }

// without returns a copy of the list that lacks what stands in drop; nil if nothing is left, as a
// store gives it back.
func without(list []kv.NodeID, drop ...kv.NodeID) []kv.NodeID {
	var out []kv.NodeID
	for _, n := range list {
		if !slices.Contains(drop, n) {
			out = append(out, n)
		}
	}
	return out
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

// SinceOf returns the epoch from which on a node belongs to the sub-range, as a member or as the
// learner; 0: it does not.
func (s SubRange) SinceOf(n kv.NodeID) kv.Epoch { return s.since(n) }

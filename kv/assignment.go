package kv

import (
	"encoding/json"
	"fmt"
	"slices"
)

// MaxChain is the largest number of replicas of a sub-range: the slots for it in the packet header.
const MaxChain = 6

// Chain lists the replicas of a sub-range from head to tail.
type Chain []NodeID

// Head orders updates. The zero NodeID stands for an empty chain's.
func (c Chain) Head() NodeID {
	if len(c) == 0 {
		return 0
	}
	return c[0]
}

// Tail answers reads. The zero NodeID stands for an empty chain's.
func (c Chain) Tail() NodeID {
	if len(c) == 0 {
		return 0
	}
	return c[len(c)-1]
}

// Position returns the place of n in the chain, head 0, or -1.
func (c Chain) Position(n NodeID) int { return slices.Index(c, n) }

// Durability says what a write is worth when it is acknowledged. Its values are stored and sent.
type Durability uint8

// The durabilities.
const (
	// DurabilityMemory acknowledges when every replica holds the update in memory. A node that
	// restarts has lost its replicas.
	DurabilityMemory Durability = 1
	// DurabilitySync acknowledges when every replica has the update on stable storage (I4).
	DurabilitySync Durability = 2
)

// String gives the name that command lines and descriptors use.
func (d Durability) String() string {
	switch d {
	case DurabilityMemory:
		return "memory"
	case DurabilitySync:
		return "sync"
	}
	return fmt.Sprintf("durability(%d)", uint8(d))
}

// ParseDurability is the inverse of String.
func ParseDurability(s string) (Durability, error) {
	for _, d := range []Durability{DurabilityMemory, DurabilitySync} {
		if d.String() == s {
			return d, nil
		}
	}
	return 0, fmt.Errorf("durability %q: must be memory or sync", s)
}

// Assignment is what the controller gives every member of a chain: the only configuration in which
// a node serves a sub-range (I1).
type Assignment struct {
	SubRange    SubRangeID
	Epoch       Epoch
	Keyspace    KeyspaceID
	Partitioner Partitioner
	Durability  Durability
	Interval    Interval
	Chain       Chain
	// Create lets a node without state for the sub-range begin empty. The controller sets it only
	// until every member has acknowledged the first epoch: a sub-range is never silently
	// recreated empty.
	Create bool
	// Since is the epoch from which on the node that this assignment is sent to belongs to the
	// sub-range without interruption, as learner or member. State that it holds of an older epoch
	// has missed updates and counts for nothing. Zero stands for 1.
	Since Epoch
	// Learner is the node that joins: it follows the tail, which sends it a snapshot and every
	// update, but it is no member of the chain, serves nobody and no update waits for it (I6).
	// Zero if nobody joins.
	Learner NodeID
	// Frozen stops the head from ordering updates, so that all members come to hold the same: the
	// first half of a merge. Reads and repetitions are answered.
	Frozen bool
	// Forks are new sub-ranges that are cut out of this one: the node makes each a copy of its
	// state of this one, and puts all these assignments into force in one step.
	Forks []Assignment
	// Absorb is a neighbour that becomes part of this sub-range, the second half of a merge. The
	// zero value stands for none.
	Absorb Absorbed
}

// Absorbed names the two frozen epochs that a merge joins: at both, all members hold the same.
type Absorbed struct {
	SubRange SubRangeID // that is absorbed
	Epoch    Epoch      // its frozen epoch
	Into     Epoch      // the frozen epoch of the sub-range that absorbs it
}

// Validate tells what is wrong with an assignment, or returns nil.
func (a Assignment) Validate() error {
	switch {
	case a.SubRange == 0 || a.Epoch == 0:
		return fmt.Errorf("assignment: sub-range %d, epoch %d: both must be at least 1", a.SubRange, a.Epoch)
	case len(a.Chain) == 0 || len(a.Chain) > MaxChain:
		return fmt.Errorf("assignment of %v: chain of %d: must be 1 to %d", a.SubRange, len(a.Chain), MaxChain)
	case a.Interval.Last.Less(a.Interval.First):
		return fmt.Errorf("assignment of %v: interval %v ends before it starts", a.SubRange, a.Interval)
	case a.Partitioner != RangePartitioned && a.Partitioner != HashPartitioned:
		return fmt.Errorf("assignment of %v: %v: must be range or hash", a.SubRange, a.Partitioner)
	case a.Durability != DurabilityMemory && a.Durability != DurabilitySync:
		return fmt.Errorf("assignment of %v: %v: must be memory or sync", a.SubRange, a.Durability)
	}
	for i, n := range a.Chain {
		if n == 0 || slices.Contains(a.Chain[:i], n) {
			return fmt.Errorf("assignment of %v: chain %v: members must be set and distinct", a.SubRange, a.Chain)
		}
	}
	return a.validateChange()
}

// validateChange checks what is particular to joins, splits and merges.
func (a Assignment) validateChange() error {
	switch {
	case a.Since > a.Epoch:
		return fmt.Errorf("assignment of %v: %v, member since %v", a.SubRange, a.Epoch, a.Since)
	case a.Learner != 0 && a.Chain.Position(a.Learner) >= 0:
		return fmt.Errorf("assignment of %v: learner %v is in chain %v", a.SubRange, a.Learner, a.Chain)
	case a.Absorb != Absorbed{} && (a.Absorb.SubRange == 0 || a.Absorb.SubRange == a.SubRange ||
		a.Absorb.Epoch == 0 || a.Absorb.Into == 0 || a.Absorb.Into >= a.Epoch):
		return fmt.Errorf("assignment of %v: %v absorbs %+v", a.SubRange, a.Epoch, a.Absorb)
	}
	for _, f := range a.Forks {
		if len(f.Forks) > 0 || f.Keyspace != a.Keyspace || f.SubRange == a.SubRange {
			return fmt.Errorf("assignment of %v: fork %v of keyspace %d with %d forks: must be another "+
				"sub-range of the same keyspace, without forks", a.SubRange, f.SubRange, f.Keyspace, len(f.Forks))
		}
		if err := f.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Descriptor is what a client must know of a keyspace; the controller stores it under the
// keyspace's name in the system keyspace, where clients read it like any record.
type Descriptor struct {
	Name        string      `json:"name"`
	ID          KeyspaceID  `json:"id"`
	Partitioner Partitioner `json:"partitioner"`
	Durability  Durability  `json:"durability"`
	Replication int         `json:"replication"` // replicas per sub-range, 1 to MaxChain
}

// SystemDescriptor describes the system keyspace itself, known to every client beforehand.
var SystemDescriptor = Descriptor{
	Name: "system", ID: SystemKeyspace, Partitioner: RangePartitioned, Durability: DurabilitySync,
}

// Encode returns the stored form of d, JSON.
func (d Descriptor) Encode() []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(fmt.Sprintf("kv: descriptor: %v", err)) // no field can fail to marshal
	}
	return b
}

// DecodeDescriptor parses the stored form and rejects one that a client could not use.
func DecodeDescriptor(b []byte) (Descriptor, error) {
	var d Descriptor
	if err := json.Unmarshal(b, &d); err != nil {
		return Descriptor{}, fmt.Errorf("keyspace descriptor: %w", err)
	}
	if d.Partitioner != RangePartitioned && d.Partitioner != HashPartitioned {
		return Descriptor{}, fmt.Errorf("keyspace descriptor of %q: %v", d.Name, d.Partitioner)
	}
	return d, nil
}

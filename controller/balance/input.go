package balance

import (
	"time"

	"github.com/turbokv/turbokv/kv"
)

// Node is what the balancer must know of a storage node.
type Node struct {
	ID       kv.NodeID
	Rack     string  // the switch that it is attached to
	Alive    bool    // healthy, with a session; others get nothing and are not counted
	Draining bool    // gets nothing and is not counted; what it has is taken from it by others
	Capacity float64 // how much it can do compared with other nodes; 0 means 1
	CPU      float64 // cores in use, told in reasons only
	Bytes    uint64  // that its records take
}

// SubRange is what the balancer must know of a sub-range.
type SubRange struct {
	ID       kv.SubRangeID
	Keyspace kv.KeyspaceID
	Interval kv.Interval
	Chain    kv.Chain
	Reads    float64       // per second, smoothed over Window
	Writes   float64       // per second, smoothed over Window
	Bytes    uint64        // of one replica; 0 means unknown
	Samples  []kv.IndexKey // of served requests
	// Busy says that it must be left alone: it has a plan, or is not settled.
	Busy bool
}

// Limits bound what may be proposed. All but Plans are zero for "none".
type Limits struct {
	Plans        int // that may run at the same time; 0 means the default of Config
	FreeIDs      int // of sub-ranges that can be created
	FreePrefixes int // entries left in the fullest partition table; splits leave a tenth of them
	SubRanges    int // number beyond which cold neighbours are merged; 0 means never
}

// Input is one look at the cluster.
type Input struct {
	Now       time.Duration
	Nodes     []Node
	SubRanges []SubRange
	Limits    Limits
	Running   []Change // plans in progress of every cause, also repairs and drains
}

// Kind is what a change does.
type Kind uint8

// The kinds.
const (
	Reorder Kind = iota + 1 // give the members of SubRange the order Chain
	Move                    // put To in the place of From; Chain is the whole order wanted then
	Split                   // cut SubRange in two at Cut
	Merge                   // make Other, the upper neighbour, a part of SubRange
)

// String gives the name that plans use.
func (k Kind) String() string {
	return [...]string{"nothing", "reorder", "move", "split", "merge"}[k]
}

// Change is what is to be done. Fields that a kind does not need are zero.
type Change struct {
	Kind     Kind
	SubRange kv.SubRangeID
	Other    kv.SubRangeID
	From     kv.NodeID // leaves; 0 in a running repair
	To       kv.NodeID // joins
	Chain    kv.Chain
	Cut      kv.IndexKey // first key of the upper half
}

// Proposal is a change with its reason.
type Proposal struct {
	Change
	Why           string  // in plain words, with numbers
	Before, After float64 // load of the busiest node, in averages
	Gain          float64 // what it takes off the imbalance, less its cost
	Share         float64 // of a Split: load in the upper half, 0 to 1, for Meter.Split
}

package core

import (
	"time"

	"github.com/turbokv/turbokv/kv"
)

// Report is what a node says of itself: all its replicas, every time.
type Report struct {
	Replicas []Replica
	CPU      float64 // cores that the process used since the last report, on average
	Bytes    uint64  // that its records take
}

// Replica is the state of one sub-range at one node.
type Replica struct {
	SubRange   kv.SubRangeID
	Epoch      kv.Epoch // of the assignment in force; 0: none
	Applied    uint64   // sequence of the last update in the engine
	Stable     uint64   // sequence up to which the tail is known to have committed
	Lost       bool     // it refuses to serve until it is given up: its state is gone or damaged
	Recovering bool     // it fetches what it lacks from its chain
	Learner    bool     // it follows the tail, without being a member
	Joined     bool     // of a learner: it may become the tail
	// JoinedBytes and JoinedShare tell how far a learner is; the share is 0 to 1 of the interval.
	JoinedBytes uint64
	JoinedShare float64
	Samples     []kv.IndexKey // of requests served since the last report, drawn evenly
}

// nodeReport is the last word of a node.
type nodeReport struct {
	at       time.Duration
	cpu      float64
	bytes    uint64
	replicas map[kv.SubRangeID]Replica
}

// place names one membership.
type place struct {
	node     kv.NodeID
	subRange kv.SubRangeID
}

// refusal is the answer of a node that will not take an assignment.
type refusal struct {
	epoch kv.Epoch
	at    time.Duration
	why   string
}

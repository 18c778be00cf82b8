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

// setReport keeps what a node says, and looks whether it makes a step due.
func (c *Core) setReport(node kv.NodeID, r Report) {
	var before map[kv.SubRangeID]Replica
	if old := c.reports[node]; old != nil {
		before = old.replicas
	}
	after := &nodeReport{at: c.now, cpu: r.CPU, bytes: r.Bytes,
		replicas: make(map[kv.SubRangeID]Replica, len(r.Replicas))}
	for _, replica := range r.Replicas {
		old, known := before[replica.SubRange]
		c.dirty = c.dirty || !known || c.matters(old, replica)
		after.replicas[replica.SubRange] = replica
		c.joinedBytes += newlyJoined(old, replica)
		c.noteLoss(place{node, replica.SubRange}, replica.Lost)
		c.samples.Add(replica.SubRange, replica.Samples)
	}
	c.dirty = c.dirty || len(after.replicas) < len(before)
	c.reports[node] = after
	for at := range c.lost {
		if at.node == node && !after.replicas[at.subRange].Lost {
			delete(c.lost, at)
		}
	}
}

// newlyJoined returns the bytes that a learner has taken in since the last report. One that starts
// over begins to count again.
func newlyJoined(old, now Replica) uint64 {
	switch {
	case !now.Learner:
		return 0
	case !old.Learner || now.JoinedBytes < old.JoinedBytes:
		return now.JoinedBytes
	}
	return now.JoinedBytes - old.JoinedBytes
}

// JoinedBytes returns the bytes of snapshots that nodes took in to join sub-ranges, in repairs, moves
// and drains, as far as they have reported.
func (c *Core) JoinedBytes() uint64 { return c.joinedBytes }

// matters reports whether a step may be due because a replica is different now.
func (c *Core) matters(old, now Replica) bool {
	if old.Epoch != now.Epoch || old.Lost != now.Lost || old.Recovering != now.Recovering ||
		old.Learner != now.Learner || old.Joined != now.Joined {
		return true
	}
	s, _ := c.dir.SubRange(now.SubRange)
	return s.Frozen && (old.Applied != now.Applied || old.Stable != now.Stable)
}

// noteLoss remembers when a loss was first heard of.
func (c *Core) noteLoss(at place, lost bool) {
	if _, known := c.lost[at]; !lost || known {
		return
	}
	c.lost[at] = c.now
	c.tell(Event{Kind: StateLost, Severity: Warning, Node: at.node, SubRange: at.subRange})
}

// replica returns what a node has said of a sub-range in its present session; ok is false if
// nothing.
func (c *Core) replica(n kv.NodeID, id kv.SubRangeID) (r Replica, ok bool) {
	if report := c.reports[n]; report != nil {
		r, ok = report.replicas[id]
	}
	return r, ok
}

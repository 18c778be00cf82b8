package balance

import (
	"fmt"
	"time"
)

// Config says when to act and what actions cost. The zero value of a field means its default.
// Ratios are loads per capacity in averages over the cluster. Costs are in the unit of the
// imbalance: 1 is one node of average capacity that does nothing, or twice its share.
type Config struct {
	// High is the ratio beyond which a node is overloaded; below 1/High it is underloaded.
	// Default 1.25.
	High float64
	// Low ends the help for an overloaded node, 1/Low for an underloaded one. Default 1.10.
	Low float64
	// Hold is how long a node must be beyond High before it is helped: a load that comes and goes
	// is not worth moving data, and a burst is seen for about two Windows after it. Default 15 s.
	Hold time.Duration
	// Plans is how many plans of all causes may run at the same time. Default 4.
	Plans int
	// PerNode is how many of them may bring data to the same node. Default 2.
	PerNode int
	// Cooldown is how long a sub-range that was moved is not moved again. Default 60 s.
	Cooldown time.Duration
	// Settle is how long a sub-range that was reordered, split or merged is left alone: its samples
	// and rates must be measured anew. Default 10 s.
	Settle time.Duration
	// ReplicateCost is what a write costs a member that is not the head, in requests. Default 0.5.
	ReplicateCost float64
	// IdleCost is what a replica costs without any request, in requests per second; it spreads the
	// sub-ranges of a cluster without load. Default 0.1.
	IdleCost float64
	// MoveCost is the cost of moving all data of an average node; a move of a sub-range costs its
	// part of it. Default 0.05.
	MoveCost float64
	// ReorderCost is the cost of an epoch. Moves pay it too. Default 0.0005.
	ReorderCost float64
	// HomeCost is the cost of another rack as the home of a sub-range: more rows in the switches above
	// the racks. Default 0.005.
	HomeCost float64
	// SplitCost is the cost of one more sub-range. Default 0.01.
	SplitCost float64
	// SplitShare is the load of a sub-range on one node, in averages, below which it is not split.
	// Default 0.08.
	SplitShare float64
	// MergeShare is the load of two neighbours together, in averages, above which they are not
	// merged. Default 0.02, far below SplitShare, so that a merge is never undone.
	MergeShare float64
	// Doubt is how many standard deviations by chance a ratio is worse than it looks. Default 3.
	Doubt float64
}

// withDefaults fills in zero fields.
func (c Config) withDefaults() Config {
	for p, to := range map[*float64]float64{
		&c.High: 1.25, &c.Low: 1.10, &c.ReplicateCost: 0.5, &c.IdleCost: 0.1, &c.MoveCost: 0.05,
		&c.ReorderCost: 0.0005, &c.HomeCost: 0.005, &c.SplitCost: 0.01, &c.SplitShare: 0.08, &c.MergeShare: 0.02,
		&c.Doubt: 3,
	} {
		if *p == 0 {
			*p = to
		}
	}
	for p, to := range map[*time.Duration]time.Duration{
		&c.Hold: 15 * time.Second, &c.Cooldown: time.Minute, &c.Settle: 10 * time.Second,
	} {
		if *p == 0 {
			*p = to
		}
	}
	for p, to := range map[*int]int{&c.Plans: 4, &c.PerNode: 2} {
		if *p == 0 {
			*p = to
		}
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Low < 1 || c.High < c.Low:
		return fmt.Errorf("balance: band %.2f to %.2f: the inner must be at least 1, the outer not "+
			"less", c.Low, c.High)
	case c.Hold < 0 || c.Cooldown < 0 || c.Settle < 0 || c.Plans < 0 || c.PerNode < 0:
		return fmt.Errorf("balance: hold %v, cooldown %v, settle %v, plans %d, per node %d: must be "+
			"positive", c.Hold, c.Cooldown, c.Settle, c.Plans, c.PerNode)
	case c.ReplicateCost < 0 || c.IdleCost < 0 || c.MoveCost < 0 || c.ReorderCost < 0 ||
		c.HomeCost < 0 || c.SplitCost < 0 || c.Doubt < 0:
		return fmt.Errorf("balance: costs must be positive")
	case c.MergeShare > c.SplitShare/2:
		return fmt.Errorf("balance: merge share %v: must be at most half of the split share %v, or "+
			"merges would be undone", c.MergeShare, c.SplitShare)
	}
	return nil
}

// Package balance decides what to move, reorder, split and merge so that all storage nodes are
// equally busy for their size. It is a pure function of measured load and of its own memory of what
// it has seen; time comes in.
//
// The load of a node is what it answers as tail, what it orders as head, and a fraction of what it
// only replicates, in requests per second, divided by its capacity. What is levelled is the sum over
// all nodes of capacity times (load/average - 1)²: an action is worth what it takes off that sum,
// less its cost, and the best one is taken first (steepest descent). Every action strictly lowers
// the sum, so under a constant load there is a last one.
//
// Four kinds of action, cheapest first:
//
//	reorder  other roles for the members of a chain: an epoch, no data
//	move     another node in the place of one member: its data are copied
//	split    one sub-range becomes two on the same chain, when nothing else helps and a half could be
//	         moved or reordered to advantage; never when one key is the load
//	merge    two cold neighbours become one, when there are more sub-ranges than wanted
//
// Against oscillation: a node must be beyond the outer band for some time before anything is done
// for it, and then it is helped until it is within the inner band; what the counters may show by
// chance (Poisson) counts for nothing; what has been touched is left alone for a while; plans that
// run count as if they were done. Loads are attributed by chain, so an action shows at once.
//
// Nodes are in racks, which are lost as a whole (see rack.go): no action brings a sub-range into fewer
// racks, or its head and tail into one, and another home has a price.
//
// The Meter turns counters of switches into rates, Samples keeps keys of served requests, Targets
// chooses nodes for repairs and drains.
package balance

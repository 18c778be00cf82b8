// Package core is the whole controller as one pure state machine: what nodes, switches and
// operators say goes in, with the time at which it was heard; what is to be stored, sent, probed
// and told comes out.
//
// Inside are the directory (what exists and what is owed), the failure detector of package health
// and the balancer of package balance. The core joins them, level-triggered: whatever came in, it
// looks at what is and does what is due, in this order:
//
//	evict     members that have failed or lost their state leave their chains, if the rest can go on
//	rehome    sub-ranges leave a home that is out of reach and stands in their way
//	advance   plans take their next step: a repair, a move, a split, a merge, a new order
//	repair    sub-ranges with too few members get a learner
//	drain     sub-ranges leave nodes that an operator wants empty
//	spread    sub-ranges get back into several racks, where they were lost and can be had again
//	balance   when all of that is quiet, load is levelled
//
// Nothing that must survive is kept here: chains, learners and plans stand in the directory, so a
// controller that dies in the middle of anything goes on, or undoes it, from what was stored.
//
// What must not go in here: P4Runtime, gRPC, files, clocks.
package core

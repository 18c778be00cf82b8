// Package chain is the replication protocol of one sub-range on one node: chain replication (van
// Renesse and Schneider, OSDI 2004) with parallel fsyncs, as a pure state machine. It moves opaque
// entries; what an entry means is its Host's business.
//
// The head gives entries a gapless sequence (I3). Every member applies them in that order, passes
// them on at once, without waiting for its own disk, and tells its successor with a cumulative mark
// how far all members down to itself are durable. The tail commits an entry when the mark and its
// own disk have passed it (I4), and acknowledges up the chain. So the fsyncs of a chain run side by
// side, and a write costs the slowest of them instead of their sum.
//
// Its price is that a member which loses power may come back behind its successor. Three rules keep
// every pair of members agreed on the entry at every seq:
//
//   - An incarnation number counts the lives of a node. Two neighbours talk within a link between
//     one life of each, which the predecessor opens with HELLO and the successor admits with
//     WELCOME. Whoever admits a life refuses what older ones sent.
//   - A member that starts, or finds itself in a new epoch, is not ready until it has opened the
//     link to its successor and fetched from it every entry that it lacks. Before that it neither
//     orders nor accepts nor admits: recovery runs from the tail to the head.
//   - An entry is forgotten only when it is stable: durable at every member. So whatever a member
//     may lack, its neighbours still have.
//
// By induction over restarts, the log of a member is a prefix of that of its predecessor, once both
// are ready: a restart leaves a prefix, and fetching restores it to at least the successor's.
//
// Whoever joins begins as the learner, a neighbour below the tail that no update waits for. It is told
// only of what is stable: the rest can be lost by all members together, and then nobody may have it.
// For the same reason all that it has is stable, and a tail that knows less believes it. Its host
// fetches a snapshot of what was before its first update. Promoted, it is behind until a neighbour
// that is not has said how far the chain was: before that it serves nobody.
//
// For sub-ranges kept in memory, applied is as good as durable, and a restarted member is not
// recovered but lost; the protocol is the same.
package chain

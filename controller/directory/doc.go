// Package directory is the memory of the controller as a pure state machine: which nodes there are,
// which keyspaces, how each is cut into sub-ranges, on which chain each sub-range lives in which
// epoch, and which steps of a change are still owed.
//
// A command (a node said hello, an operator wants a keyspace, a switch has been brought up to date)
// goes in; changes to store and messages to send come out as Effects. There is no clock, no socket
// and no randomness inside. The driver stores the changes of one command in one transaction before
// it carries out the rest, and stops when it cannot: what is stored is what happened.
//
// The life of a keyspace, each step level-triggered by what is stored, so that a controller that
// dies in between goes on where it was:
//
//	create    sub-ranges are placed; every member gets its Assignment with Create set
//	acks      when all members of a sub-range have acknowledged, it is Created: only now does it get
//	          entries in the switches, and Create is never sent again
//	publish   when all sub-ranges are in their homes, and all switches within reach know the way, the
//	          descriptor is written into the system keyspace, where clients find it: it is ready
//	drop      the descriptor is deleted, then the entries leave the switches, then the members are
//	          told to erase; an id is used again only after all of them have done so
//
// A sub-range changes in epochs. Each command that changes one (Evict, AddLearner, Promote, Reorder,
// Split, Freeze, Absorb and their opposites) is one step to the next epoch, which every member is
// told and acknowledges. What takes several steps, such as a move, a split or a merge, is decided
// above, in package core; here stands what is owed in between:
//
//	since       from which epoch each member belongs to it, so that an older copy counts for nothing
//	learner     who joins, without being a member
//	unforked    members that have not yet cut a new sub-range off their copy of an old one
//	unabsorbed  members that have not yet made two neighbours one
//	former      who left and may still have a copy: the last resort until the sub-range is settled,
//	            that is acknowledged by all members and served by its home; erased then
//	stampers    switches that may go on to send reads to tails of earlier epochs
//	untold      nodes must not know an epoch that leaves one of those tails out before all stampers
//	            have confirmed that they do so no more
//	blocked     the home must forget rows of other ids before it serves a new chain (I2)
//
// Requests for a sub-range are resolved at one switch, its home. Why that, the order of these steps and
// nothing else keep two tails from answering for one key stands in stamp.go. A switch that is out of
// reach goes on as it is: it resolves requests as of its last configuration, which nodes refuse where
// the epoch has changed, and clients behind it wait until it is back. All others go on without it.
//
// An id of a sub-range that is used again goes on with a higher epoch, because a late packet may
// still carry the old one (I1).
package directory

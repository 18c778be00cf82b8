// Package v1model is a live P4 switch of the v1model architecture: the pure-Go counterpart of
// simple_switch.
//
// Package engine executes parsers, controls and deparsers and knows no architecture; everything
// that v1model.p4 adds stands here: standard metadata, drop, clone, resubmit, recirculate,
// multicast, digest, and the order in which a packet meets them.
//
// A [Switch] has two sides.
//
// The packet side is pure and synchronous: a [Worker] takes one frame and calls back with every
// frame that results from it, clones and recirculated copies included, before it returns. It
// reads no clock and no random source of its own ([Config] supplies both), takes no lock (but
// see below) and allocates nothing once it has seen its first packets. Each goroutine that
// handles packets has its own Worker.
//
// The control side changes tables, action profiles, clone sessions and multicast groups. A batch of
// changes becomes visible to packets at one instant: state is an immutable snapshot behind one
// pointer, and a packet uses one snapshot from its first to its last pass. Control methods may be
// called from any goroutine.
//
// A member of an action profile acts for all entries and groups that point at it. Which member of a
// group a packet takes is a hash of what the program names, modulo the sum of the weights; the
// order of the members is that of simple_switch_grpc with its P4Runtime server, so both choose
// alike. Where that would fail, this switch does not: a packet that meets an empty group, or one
// whose ports are all down, meets no action and goes on as after a hit; tables may share a profile
// though their actions are separate instances; entries may point at empty groups. Sizes of profiles
// are bounds here, and hints there.
//
// Meters are colour-blind, as there, and start with full buckets; without a configuration all is
// green. Their tokens are whole numbers without rounding errors, and single rate three colour
// meters exist, too.
//
// P4 programs read, compute and write registers in separate steps, and simple_switch has a single
// ingress thread. So a control that uses registers runs for one packet at a time; what it does not
// share with other packets, such as the parser and the deparser, does not wait for it.
package v1model

// Package engine compiles a [bmv2.Program] into closures and executes it on packets.
//
// It knows no architecture: it has a packet, an arena of headers and metadata, tables, and
// cells; which parser runs when, what drop or clone mean, and what standard metadata is are
// matters of the package above, which plugs in its own primitives through [Arch].
//
// Headers stay in wire form in one flat byte arena at offsets fixed at compile time. Extract is
// one copy, emit is one copy, and a field is a load from a constant offset. Metadata fields live
// in boxes of 1, 2, 4 or 8 bytes in the same arena. Expressions become typed closures: numbers
// up to 64 bits are uint64, wider ones are little-endian limbs in a scratch area whose layout is
// fixed at compile time too. So executing a packet allocates nothing.
//
// Numbers of the JSON are integers without bounds that are cut when they are stored. The
// compiler derives bounds for each expression and then computes modulo a power of two that is
// large enough: truncating consumers need low bits only, comparisons and right shifts need all.
//
// Tables are immutable snapshots: an update returns a new [Table] that shares most of its
// structure with the old one.
package engine

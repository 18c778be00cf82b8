// Package differ compares the built-in switch with the real simple_switch_grpc: the same program,
// the same table entries and the same frames, and everything that leaves either switch must be
// equal. It finds its inputs by itself.
//
//	program + P4Info --> pools of values --> entries (P4Runtime) --> both switches --> compare
//	                                    \--> frames (walks through the parser) --/
//
// The pools hold, for each field of a header type, the values that the program asks for: those of
// select cases, comparisons and constant entries, and a few random ones. Frames and entries draw
// from the same pools, so that entries hit.
//
// A frame is a walk through the parser: each select is solved by writing the case's value into the
// bytes it looks at. Some frames are then cut, extended or damaged. Everything is a function of the
// seed.
//
// What is not compared, because P4 leaves it open or it depends on the clock:
//
//   - what differs between instances of the built-in switch that have other clocks and random numbers
//     and other values in the fields of invalid headers: zeroes, what an earlier packet left (as in
//     simple_switch), or anything;
//   - frames that end the process of simple_switch_grpc, or loop without end in either switch; they
//     are counted;
//   - the order of frames of one packet on different ports, and any order where egress makes clones
//     or recirculates: simple_switch has four egress threads;
//   - what PI does not do right: prefixes of fields without whole bytes, ranges that end in a byte of
//     ones, tables of which it says itself that it has lost track.
//
// A difference is repeated before it is reported, and reduced to the frames and entries that it
// needs.
package differ

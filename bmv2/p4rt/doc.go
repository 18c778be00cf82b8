// Package p4rt serves P4Runtime for a switch of package v1model, so that a controller cannot tell
// it from simple_switch_grpc.
//
// The server is an adapter: tables, counters, clone sessions and multicast groups live in the
// switch and nowhere else. A pipeline binds the two vocabularies, ids of P4Info on one side and
// names of the bmv2 JSON on the other; both files carry the same names because p4c writes both.
//
// Where the P4Runtime specification (version 1.5.0) and PI, the server inside simple_switch_grpc,
// differ in something that a controller can see, this package does what PI does, with these
// exceptions:
//
//   - a table without room answers RESOURCE_EXHAUSTED, a constant table PERMISSION_DENIED, an index
//     beyond an array OUT_OF_RANGE, a negative priority INVALID_ARGUMENT (PI has UNKNOWN for all),
//     and COMMIT without a saved pipeline NOT_FOUND;
//   - a range that was left out stays out when it is read (PI returns the full range where the
//     width is no multiple of 8), and a short range is never taken for the full one;
//   - an unset election id never becomes primary; broken packet-outs are reported as stream errors;
//   - reads of many entities come in several messages;
//   - clone sessions may cut packets, registers can be read and written, and all digests can be
//     read at once.
//
// A test runs both servers side by side where simple_switch_grpc is installed.
//
// Frames and digests come from workers that must not wait. [Server.PacketIn] and [Server.Digest]
// therefore put them into bounded queues and count what finds no room. A Write builds a new
// snapshot of the tables beside the running one and never holds a worker up; a new pipeline is
// filled before it replaces the old one.
//
// The specification is at https://p4.org/p4-spec/p4runtime/v1.5.0/P4Runtime-Spec.html.
package p4rt

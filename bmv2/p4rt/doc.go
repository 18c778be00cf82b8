// Package p4rt serves P4Runtime 1.5 for a switch of package v1model.
//
// The server is an adapter: tables, profiles, counters, meters, registers, clone sessions and multicast
// groups live in the switch and nowhere else. A pipeline binds the two vocabularies, ids of P4Info on
// one side and names of the bmv2 JSON on the other; both files carry the same names because p4c
// writes both.
//
//   - A controller takes part in the election of a role (election, arbitrate); the primary of each role
//     is its spokesman, who hears of packets, digests and idle entries.
//   - A Write becomes a batch of operations of the switch, carried out one by one or all or none.
//     All changes of tables become visible at one instant; no worker is held up.
//   - A Read is looked up in a view between two writes, and sent after that.
//   - A new pipeline is filled before it takes the place of the old one.
//
// Where the specification and PI, the server inside simple_switch_grpc, differ, the specification is
// followed, with three exceptions that harm nobody and that clients of PI count on: a write without
// election id while no controller is connected, packet-outs whose fields are not all given, and
// reads of entries that do not exist. docs/P4RUNTIME.md goes through the requirements one by one, and a
// test runs both servers side by side where simple_switch_grpc is installed.
//
// Frames and digests come from workers that must not wait. [Server.PacketIn] and [Server.Digest]
// therefore put them into bounded queues and count what finds no room.
//
// The specification is at https://p4.org/p4-spec/p4runtime/v1.5.0/P4Runtime-Spec.html.
package p4rt

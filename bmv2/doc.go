// Package bmv2 decodes the JSON that p4c's bmv2 back end writes for the v1model architecture.
//
// A [Program] is pure data: the same on every machine, immutable after [Load], with every name
// resolved to a pointer, so that the packages above never search a string at run time. It is
// what a P4Runtime server needs to translate a controller's request, and what package engine
// compiles into closures.
//
// Names are exactly those of the JSON ("MyIngress.ipv4_table"); widths are in bits; byte strings
// are big-endian. Each construct that this package does not know is an [UnsupportedError], which
// names the construct, says where it stands, and lists what is supported: a program either loads
// completely or not at all.
//
// Refused are extern instances other than counters, meters and registers, length expressions in
// header types (p4c passes lengths to extract instead), and masks on parser value sets.
//
// The format is described in docs/JSON_format.md of the p4lang/behavioral-model project. What
// its text leaves open follows the behaviour of that project's simple_switch.
//
// The packages below this one:
//
//	engine    compiles a Program and executes parsers, controls and deparsers on packets
//	v1model   the architecture around the engine and the live, programmable Switch
//	stf       text files that describe packet tests, and their runner
//
// Nothing here imports any other part of the module, so the switch can be used alone.
package bmv2

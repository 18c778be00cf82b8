// Package coordinate does in Go what the P4 program of the switch does to a request: it finds the
// sub-range of the index key, stamps epoch and chain, and says to which node the packet goes. So a
// client, a storage node or a master can coordinate instead of the switch, over the same engine and
// the same replication, and the four ways can be compared.
//
//	Map       the partition map, immutable: what the tables of the switch hold
//	Resolve   one request in; packets to nodes, or an answer to the client, out
//	Query     what a client asks a master, and Answer what it is told
//
// The room is pure. Sockets, the refreshing of the map and the four ways to coordinate are in
// coordinate/coordinator.
//
// A switch is one of few, and the controller waits until all of them have forgotten an epoch whose
// tail left (invariant I2). It does not wait for the maps of clients and nodes: docs/LIMITATIONS.md
// says what that costs.
package coordinate

// Package serverlib is the server side of a storage node as a pure state machine: it hosts the
// replicas of many sub-ranges over an Engine, answers reads, orders and replicates writes along
// chains, and executes every request exactly once.
//
// A Server is driven from one goroutine. Packets, the passing of time, completed syncs and the
// controller's assignments go in; Flush ends a batch of inputs and returns what the driver must
// do: packets to send, and whether the durable engine must be synced. Nothing in this package
// reads a clock, opens a socket, starts a goroutine or draws a random number, so a unit test, a
// simulator and a daemon run the same code.
//
// Package chain below it holds the replication protocol of one sub-range and knows nothing of
// records; this package gives an update its meaning:
//
//	server.go     Config, Server, Output: the driver's side
//	configure.go  assignments of the controller (I1)
//	join.go       a learner: what its state is worth, taking in a snapshot, promotion (I6)
//	snapshot.go   the tail sends it, within a rate
//	dispatch.go   which request goes where, and what is refused
//	write.go      the head: conditions are resolved, results become entries of the chain
//	read.go       the tail: reads of the committed state (I7); scan.go: of many records
//	view.go       what records were before updates that are not committed yet
//	replica.go    one sub-range: an entry becomes rows, a remembered result, a reply
//	reshape.go    a sub-range becomes two, or two become one
//	sample.go     which keys are asked for
//	dedup.go      the results of a client's writes (I5)
//	store.go      batches of the two engines and their syncs
//	rows.go       the keys under which everything is stored
//	recover.go    what a restarted node finds (I2)
//
// Package enginetest is the conformance suite of engines.
package serverlib

// Package comparison measures the ways to coordinate against each other over one cluster: the same
// nodes, engine, replication, switch, records and clients, one way after the other in short turns and
// in several rounds, so that whatever else goes on hits all of them alike.
//
//	Config    what to measure: points, ways, loads, rounds
//	Rig       the cluster: sockets for clients, processor time of its parts
//	Measure   does it, and checks all acknowledged writes at the end
//	Report    table, CSV, plot
//
// Every turn is a closed loop with a fixed number of requests in flight: with many it shows
// throughput, with one the latency that the way itself has.
package comparison

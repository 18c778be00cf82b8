// Package controller is the control plane of a cluster: it programs the switches over P4Runtime,
// gives storage nodes their assignments, and serves operators.
//
// What it decides stands in pure packages: core (with the directory, the failure detector and the
// balancer), dataplane (what a switch must hold), links (which cables work), reconcile (how to get
// there). This package only carries out:
//
//	loop        the one goroutine that owns the core: inputs and ticks in, one transaction per round to
//	            the store, then messages to nodes, probes, publications, events, a new View for
//	            everybody else
//	switches    per switch a P4Runtime session: read what it holds, write the differences, poll
//	            counters, learn hosts; and again after every loss of the session
//	network     all switches together: links, what is out of reach, which switch carries the
//	            controller's own packets; every change makes a new Fabric for the switches
//	sessions    per node a stream of assignments and acknowledgements
//	publisher   writes keyspace descriptors into the system keyspace, as an ordinary client through
//	            packet-out and packet-in
//	prober      asks nodes for a sign of life, in the same way
//	journal     numbers and remembers events
//	service     the admin service
//
// What must not go in here: decisions. The data path never waits for any of it (invariant I2).
package controller

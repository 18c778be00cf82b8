// Package storagenode is the node daemon: it gives the pure serverlib.Server a socket, a clock, a
// disk and a controller.
//
//	node.go     Node: starting, stopping, what others ask of it
//	loop.go     packets, ticks and fsyncs
//	control.go  the session with the controller
//	datadir.go  the directory: lock, incarnation, cluster
//	config.go   Config, Events
//	stats.go    what status shows
//	usage.go    processor time, for reports
//
// Three goroutines drive the server under one lock: one reads datagrams in batches, one lets time
// pass, one waits for fsyncs. A batch of datagrams is one step: all are delivered, then the
// replies and chain updates leave together. An fsync runs outside the lock, so the next updates
// are applied meanwhile and share the next fsync. A fourth goroutine keeps the session with
// the controller; without a controller the node goes on in its last configuration (I2).
//
// A node whose disk fails stops serving what is on it: nothing is acknowledged any more, the
// controller learns of it with the next report, Events.Failed says why.
package storagenode

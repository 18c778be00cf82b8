// Package clientlib is the Go client of TurboKV.
//
// A Client speaks to one service address; it never learns where data lives. Dial finds a keyspace
// by its name, and from then on every operation is one UDP packet to the service address and one
// packet back from the node that served it:
//
//	client, err := clientlib.Dial(ctx, clientlib.Config{
//		Service:  netip.MustParseAddrPort("10.10.0.1:21579"),
//		Keyspace: "users",
//	})
//
// A Client is safe for concurrent use, and calls from many goroutines share packet batches and
// one congestion-aware window. One goroutine that wants many requests in flight uses a Batch or
// the Start methods.
//
// # Errors
//
// Every error of an operation is an *OpError that wraps one of the Err values, so errors.Is tells
// what happened: ErrNotFound, ErrVersionMismatch (a *VersionMismatchError carries the current
// version), ErrUnavailable for a read without an answer or a write that was never sent. A write
// that was sent and not answered before its deadline gives ErrOutcomeUnknown: it may have been
// executed, once, or may yet be; it is never reported as a failure.
//
// # Exactly once
//
// Requests are repeated until they are answered or their deadline passes, always under the same
// sequence number, and the nodes keep the outcome of a write with the data. So an Increment counts
// once however many packets the network loses, duplicates or reorders. An operation that is
// started again by the caller after ErrOutcomeUnknown is a new operation: use CompareAndSwap, or
// read first, where that matters.
//
// The protocol itself (retries, window, scans) is the pure state machine of package session; this
// package gives it a socket, a clock and goroutines.
package clientlib

// Package session is the client's side of the protocol as a pure state machine: requests and
// packets and the time go in, packets and completions come out. It opens no socket, reads no
// clock, starts no goroutine and draws randomness only from the source that it is given, so the
// daemon, the tests under virtual time and a simulator run the same code.
//
// # One request
//
// Submit puts a request into a bounded queue. When the congestion window has room, the request
// gets the next sequence number of the session and is sent. It is sent again, always under the
// same number, when no reply comes within the retransmission time-out (RFC 6298, one estimate per
// class of operations, exponential backoff, jitter) and, after a short jittered pause, when a node
// refuses it with WRONG_EPOCH or TRY_AGAIN. It ends with the store's answer, by its deadline or by
// Cancel. Afterwards it is never sent again.
//
// # The window
//
// Additive increase and multiplicative decrease bound the requests in flight: a missing reply and
// the TRY_AGAIN of a node are signs of congestion. A time-out that a second reply proves to have
// been needless is taken back, and makes the next ones longer.
//
// # Scans
//
// A switch splits a SCAN at the ends of sub-ranges. The session collects the pieces, at most one
// more than the budget, and gives their records in order as a Page: up to the end of the interval,
// to the limit, or to where the caller has to go on with another request.
//
// # Exactly once
//
// Nodes keep the result of every write from the session's lowest outstanding sequence on, so a
// repeated write returns its first result. A write that ended without an answer is no longer
// outstanding; the next write that the session sends tells the nodes, and they ignore whatever the
// network still holds of it. Until then it may be executed, but never twice.
package session

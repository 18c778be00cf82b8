package session

import (
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Request is one operation to be done. Its slices are only read during Submit.
type Request struct {
	Op          wire.Op
	Keyspace    kv.KeyspaceID
	Partitioner kv.Partitioner
	// Key of the record; of a SCAN the first key wanted, empty for the start of the keyspace.
	Key []byte
	// Value to store (PUT, CAS) or the encoded delta (INCREMENT).
	Value []byte
	// Version expected by CAS (0: absent) and DELETE (0: any).
	Version kv.Version
	// End of a SCAN, exclusive; empty for the end of the keyspace.
	End []byte
	// Limit of a SCAN in records; 0 means none.
	Limit uint16
	// Budget of a SCAN: into how many further sub-ranges a switch may split it.
	Budget uint8
	// Deadline is the time at which the request ends without an answer. It must be set. A write
	// ends MaxRepeat after its first send at the latest.
	Deadline time.Duration
	// Tag comes back in the Completion.
	Tag any
}

// Handle names a submitted request until it is completed. The zero Handle names none.
type Handle uint64

// Outcome says how a request ended.
type Outcome uint8

// Outcomes.
const (
	// Answered: the Completion's Status is the store's answer.
	Answered Outcome = iota + 1
	// Unavailable: no answer came in time and nothing was changed: a read, or a write that was
	// never sent.
	Unavailable
	// Unknown: the write may have been executed or may yet be.
	Unknown
)

// String gives the name of the outcome.
func (o Outcome) String() string {
	switch o {
	case Answered:
		return "answered"
	case Unavailable:
		return "unavailable"
	case Unknown:
		return "unknown"
	}
	return "none"
}

// Cause says why a request ended without an answer.
type Cause uint8

// Causes.
const (
	ByAnswer   Cause = iota // the request was answered
	ByDeadline              // its deadline passed
	ByCancel                // Cancel ended it
	ByClose                 // Close ended all requests
	ByNode                  // a node could not tell: SESSION_EXPIRED or INTERNAL
)

// Completion is the end of one request.
type Completion struct {
	Tag     any
	Op      wire.Op
	Outcome Outcome
	Cause   Cause
	// Status is the answer if Outcome is Answered, and what a node said if Cause is ByNode.
	Status wire.Status
	// Version of the record after the operation, or the one that it has instead of the expected.
	Version kv.Version
	// Key of the request, of a SCAN the first key wanted. It is valid until the next Submit.
	Key []byte
	// Value is the payload of the answer. It points into the delivered packet.
	Value []byte
	// Page is what a SCAN found. It is valid until the Session's next method call.
	Page *Page
	// Sends counts the packets that were sent for the request.
	Sends int
	// Elapsed is the time from Submit to the end.
	Elapsed time.Duration
}

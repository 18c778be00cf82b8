package wire

import "fmt"

// Op is the operation code. Its high nibble is the class, all that a switch looks at.
type Op uint8

// Operations. Values are sent: do not renumber.
const (
	OpGet  Op = 0x01 // read one record
	OpScan Op = 0x02 // read the records of an interval of keys, in order

	OpPut       Op = 0x10 // store a record
	OpDelete    Op = 0x11 // remove a record, of a given version if one is given
	OpCAS       Op = 0x12 // store a record if its version is the expected one (0: absent)
	OpIncrement Op = 0x13 // add to a record that holds a 64-bit integer

	OpChainUpdate   Op = 0x40 // consecutive updates of a sub-range, down the chain
	OpChainAck      Op = 0x41 // how far they were applied and committed, up the chain
	OpChainHello    Op = 0x42 // a member that starts tells its neighbour how far it is
	OpChainWelcome  Op = 0x43 // and learns how far the neighbour is
	OpChainFetch    Op = 0x44 // a restarted member asks its successor for entries that it lost
	OpChainEntries  Op = 0x45 // and gets them, in the form of a CHAIN_UPDATE
	OpChainReady    Op = 0x46 // a member asks its predecessor for a HELLO
	OpChainPull     Op = 0x47 // a learner asks the tail for the snapshot behind a cursor
	OpChainSnapshot Op = 0x48 // and gets a piece of it
)

// Class groups operations by who serves them.
type Class uint8

// Classes of operations.
const (
	ClassRead  Class = 0x0 // served by the tail
	ClassWrite Class = 0x1 // ordered by the head, acknowledged by the tail
	ClassTxn   Class = 0x2 // transactions; no operation yet
	ClassChain Class = 0x4 // between the nodes of a chain; never sent to the service address
)

// Class returns the class of the operation.
func (o Op) Class() Class { return Class(o >> 4) }

var opNames = map[Op]string{
	OpGet: "GET", OpScan: "SCAN",
	OpPut: "PUT", OpDelete: "DELETE", OpCAS: "CAS", OpIncrement: "INCREMENT",
	OpChainUpdate: "CHAIN_UPDATE", OpChainAck: "CHAIN_ACK",
	OpChainHello: "CHAIN_HELLO", OpChainWelcome: "CHAIN_WELCOME",
	OpChainFetch: "CHAIN_FETCH", OpChainEntries: "CHAIN_ENTRIES", OpChainReady: "CHAIN_READY",
	OpChainPull: "CHAIN_PULL", OpChainSnapshot: "CHAIN_SNAPSHOT",
}

// String gives the name in docs/PROTOCOL.md.
func (o Op) String() string {
	if s, ok := opNames[o]; ok {
		return s
	}
	return fmt.Sprintf("op(0x%02x)", uint8(o))
}

// Status is the outcome that a reply carries; requests carry StatusOK.
type Status uint8

// Statuses. Values are sent: do not renumber.
const (
	StatusOK              Status = 0
	StatusNotFound        Status = 1  // no such record
	StatusVersionMismatch Status = 2  // the record has another version, which the reply carries
	StatusWrongEpoch      Status = 3  // the node does not serve this sub-range so; send again
	StatusTryAgain        Status = 4  // blocked, recovering or overloaded; send again a little later
	StatusNoKeyspace      Status = 5  // the switch knows no sub-range for the index key
	StatusBadRequest      Status = 6  // the request contradicts itself
	StatusTooLarge        Status = 7  // key and value exceed MaxRecordSize
	StatusUnsupported     Status = 8  // this keyspace or node does not offer the operation
	StatusNotANumber      Status = 9  // INCREMENT of a record that is not an 8-byte integer
	StatusInternal        Status = 10 // the node's engine failed
	StatusSessionExpired  Status = 11 // what a repeated write did is no longer known
	StatusPending         Status = 12 // a repeated write is in progress; its answer will come
)

var statusNames = [...]string{
	"OK", "NOT_FOUND", "VERSION_MISMATCH", "WRONG_EPOCH", "TRY_AGAIN", "NO_KEYSPACE", "BAD_REQUEST",
	"TOO_LARGE", "UNSUPPORTED", "NOT_A_NUMBER", "INTERNAL", "SESSION_EXPIRED", "PENDING",
}

// String gives the name in docs/PROTOCOL.md.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// Flags qualify a packet. Undefined bits are zero.
type Flags uint16

// Flags.
const (
	// FlagReply marks an answer.
	FlagReply Flags = 0x0001
	// FlagFromSwitch marks an answer that a switch made of the request: status and flags are
	// its own, all else, the CRC included, is the request's.
	FlagFromSwitch Flags = 0x0002
	// FlagMore marks a scan reply that stops before the end of its piece.
	FlagMore Flags = 0x0004

	definedFlags = FlagReply | FlagFromSwitch | FlagMore
)

package serverlib

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Errors of the Server's configuration.
var (
	ErrConfig       = errors.New("invalid server configuration")
	ErrStaleEpoch   = errors.New("epoch is older than the one in force")
	ErrNotMember    = errors.New("this node is not in the chain")
	ErrContradicts  = errors.New("assignment contradicts the one in force")
	ErrNoEngine     = errors.New("no engine for this durability")
	ErrEngineFailed = errors.New("engine failed")
)

// Config is what a Server is made of.
type Config struct {
	// Node is this node's identity: its address on the data network.
	Node kv.NodeID
	// Port is the UDP port of all nodes; 0 stands for wire.Port.
	Port uint16
	// Incarnation numbers the lives of this node. It must be at least 1 and greater than in every
	// life before, also after a crash: messages of older lives are refused by it.
	Incarnation uint64
	// Volatile holds sub-ranges of kv.DurabilityMemory and is empty at the start; Durable holds
	// those of kv.DurabilitySync and is where New recovers from. Either may be nil, then
	// assignments of its durability are refused. Without Durable, assignments are not remembered.
	Volatile, Durable Engine
	// Limits bound every queue; zero values stand for DefaultLimits.
	Limits Limits
	// Events reports what an operator may want to know; its functions may be nil.
	Events Events
}

// Limits bound what one sub-range may keep.
type Limits struct {
	// Window is the number of updates that the head orders beyond the last acknowledged one;
	// further writes get TRY_AGAIN.
	Window int
	// Sessions is the number of client sessions remembered; a new one beyond it gets TRY_AGAIN
	// until an old one has expired.
	Sessions int
	// SessionResults is the number of results remembered per session; a write of a client that
	// keeps more than these outstanding gets TRY_AGAIN.
	SessionResults int
	// SessionIdle is how long the head keeps a session without writes. No client may repeat a
	// request that is older than half of this, or exactly-once would break.
	SessionIdle time.Duration
}

// DefaultLimits are used where Config.Limits is zero.
var DefaultLimits = Limits{
	Window:         4096,             // a burst of some ms at 10^6 updates/s; 5 MB of the largest records
	Sessions:       65536,            // about 12 MB when all are in use
	SessionResults: 4096,             // twice the largest window of clientlib
	SessionIdle:    30 * time.Minute, // clients give up a request long before 15 minutes
}

// Events are called from within the step that causes them.
type Events struct {
	// StateChanged reports that a replica serves, recovers, lost its data or failed.
	StateChanged func(id kv.SubRangeID, state State)
	// EngineFailed reports the error that made the server give up an engine.
	EngineFailed func(d kv.Durability, err error)
}

// State says whether a replica can do its part.
type State uint8

// States of a replica.
const (
	StateRecovering State = iota + 1 // asks its successor what it may have lost; requests get TRY_AGAIN
	StateServing                     // orders, replicates and answers according to its role
	StateLost                        // has no data for the sub-range: the controller must repair the chain
	StateFailed                      // its engine failed
)

// String gives the name that reports print.
func (s State) String() string {
	switch s {
	case StateRecovering:
		return "recovering"
	case StateServing:
		return "serving"
	case StateLost:
		return "lost"
	case StateFailed:
		return "failed"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Send is one datagram to send.
type Send struct {
	To      netip.AddrPort
	Payload []byte
}

// Output is what the driver must do after a batch of inputs.
type Output struct {
	// Sends are datagrams, to be sent in order.
	Sends []Send
	// NeedSync asks the driver to call Sync of the durable engine, beside this Server if it
	// likes, and to report the end with Synced(SyncToken). The server asks again only after
	// that, so updates that arrive meanwhile share the next one: group commit.
	NeedSync  bool
	SyncToken uint64
}

// Report tells the controller about one replica.
type Report struct {
	SubRange kv.SubRangeID
	Epoch    kv.Epoch
	Position int // in the chain, head 0
	Length   int // of the chain
	State    State
	Applied  kv.Seq // last update in the engine
	Durable  kv.Seq // last update on stable storage (equal to Applied for kv.DurabilityMemory)
	Stable   kv.Seq // last update known to be acknowledged
	Sessions int    // client sessions remembered
}

// Counters count packets and what became of them, since New.
type Counters struct {
	Received  uint64 // packets given to Deliver
	Malformed uint64 // dropped: wire.Parse or the form of a chain message
	Strayed   uint64 // dropped: replies, and chain messages that do not come from a neighbour
	Stale     uint64 // dropped: chain messages of another epoch or incarnation
	Refused   uint64 // requests answered without being executed
	Repeated  uint64 // repeated writes: answered again, or ignored as still in progress
	Ordered   uint64 // writes that this node ordered as head
	Read      uint64 // reads that this node answered as tail
	Resent    uint64 // chain updates sent again
}

// Server hosts the replicas of one node. It is not safe for concurrent use.
type Server struct {
	cfg Config
}

// New returns a server that has recovered from cfg.Durable every replica that the node had.
// Replicas of kv.DurabilityMemory that it had are lost, and reported so.
func New(cfg Config) (*Server, error) {
	return &Server{cfg: cfg}, nil
}

// Deliver takes one datagram. from is its UDP source. The packet is used during the call only.
// now is monotonic time since any fixed moment.
func (s *Server) Deliver(now time.Duration, from netip.AddrPort, packet []byte) {}

// Tick lets time pass; to be called about every millisecond while Busy, else every 100 ms.
func (s *Server) Tick(now time.Duration) {}

// Busy reports whether a timer is running that a tick of 1 ms should serve.
func (s *Server) Busy() bool { return false }

// Synced reports that the Sync asked for under token has ended. An error makes the server give up
// the durable engine for good: what a failed fsync left behind is unknown.
func (s *Server) Synced(now time.Duration, token uint64, err error) {}

// Flush ends a batch of inputs and returns what to do. The output is valid until the next call
// of any method. Drivers call it once per batch of packets, because updates that arrived in one
// batch leave in one packet.
func (s *Server) Flush(now time.Duration) *Output { return nil }

// Configure puts an assignment into force. It is idempotent. When it has returned nil, the
// assignment is in the durable engine but not synced: the driver syncs before it tells the
// controller. Errors: ErrStaleEpoch, ErrNotMember, ErrContradicts, ErrNoEngine, ErrEngineFailed,
// and those of kv.Assignment.Validate.
func (s *Server) Configure(now time.Duration, a kv.Assignment) error { return nil }

// Revoke removes the replica of a sub-range and its data; epoch is the one that no longer lists
// this node and must be greater than the one in force, else ErrStaleEpoch. Revoking a sub-range
// that the node does not have is no error. The driver syncs before it tells the controller.
func (s *Server) Revoke(now time.Duration, id kv.SubRangeID, epoch kv.Epoch) error { return nil }

// Report describes all replicas in ascending order of sub-range.
func (s *Server) Report() []Report { return nil }

// Counters returns the counts so far.
func (s *Server) Counters() Counters { return Counters{} }

var _ = wire.Port

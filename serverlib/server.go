package serverlib

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
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
	// SnapshotRate bounds what the node sends of snapshots to learners, in bytes per second over
	// all sub-ranges.
	SnapshotRate int
}

// DefaultLimits are used where Config.Limits is zero.
var DefaultLimits = Limits{
	Window:         4096,             // some ms at 10^6 updates/s; 5 MB of the largest records
	Sessions:       65536,            // about 12 MB when all are in use
	SessionResults: 4096,             // twice the largest window of clientlib
	SessionIdle:    30 * time.Minute, // clients give up a request long before 15 minutes
	SnapshotRate:   64 << 20,         // a gigabyte joins in 16 s and leaves most of a 10 Gbit/s port free
}

// Events are called from within the step that causes them.
type Events struct {
	// StateChanged reports that a replica serves, recovers, learns, lost its data or failed.
	StateChanged func(id kv.SubRangeID, state State)
	// EngineFailed reports the error that made the server give up an engine.
	EngineFailed func(d kv.Durability, err error)
}

// State says whether a replica can do its part.
type State uint8

// States of a replica.
const (
	StateRecovering State = iota + 1 // asks its successor for what it lost; answers TRY_AGAIN
	StateServing                     // orders, replicates and answers according to its role
	StateLost                        // has no data: the controller must repair the chain
	StateFailed                      // its engine failed
	StateLearning                    // follows the tail and takes in its snapshot; serves nobody
	StateJoined                      // follows the tail and may become it; serves nobody
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
	case StateLearning:
		return "learning"
	case StateJoined:
		return "joined"
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
	Position int // in the chain, head 0; -1 of a learner
	Length   int // of the chain
	State    State
	Applied  kv.Seq // last update in the engine
	Durable  kv.Seq // last update on stable storage (equal to Applied for kv.DurabilityMemory)
	Stable   kv.Seq // last update known to be acknowledged
	Sessions int    // client sessions remembered

	// Learner is set while the node follows the tail without being a member. Joined tells that it
	// holds, durably as far as the keyspace asks, all that the tail had acknowledged shortly
	// before: it may become the tail (I6).
	Learner, Joined bool
	// JoinedBytes is the payload of the snapshot that a learner has taken in, and JoinedShare the
	// part of the sub-range's interval that it covers, 0 to 1.
	JoinedBytes uint64
	JoinedShare float64
	// Samples are index keys of requests that were served since the last report, drawn evenly: at
	// most eight. The tail tells of reads, the head of writes.
	Samples []kv.IndexKey
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
	Joined    uint64 // bytes of snapshots taken in as learner
}

// expireAtOnce bounds the sessions that one sweep ends per sub-range, so that a sweep is short.
const expireAtOnce = 64

// sweepEvery is the part of SessionIdle after which idle sessions are looked for.
const sweepEvery = 32

// Server hosts the replicas of one node. It is not safe for concurrent use.
type Server struct {
	cfg               Config
	volatile, durable *store // nil without an engine
	replicas          map[kv.SubRangeID]*replica
	touched           []*replica // have something to flush
	busy              []*replica // have timers running
	nextSweep         time.Duration
	counters          Counters
	tokens            bucket // for snapshots
	burst             int    // burstSize, but in tests

	out     Output
	taken   bool     // out was returned by Flush
	buffers [][]byte // buffer i is in use if i < len(out.Sends)

	// Scratch memory, each used within one call of the replica.
	key, value, entry, operand []byte
}

// New returns a server that has recovered from cfg.Durable every replica that the node had.
// Replicas of kv.DurabilityMemory that it had are lost, and reported so.
func New(cfg Config) (*Server, error) {
	cfg.fillDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, replicas: map[kv.SubRangeID]*replica{}, burst: burstSize}
	s.volatile = newStore(cfg.Volatile, kv.DurabilityMemory, cfg.Events)
	s.durable = newStore(cfg.Durable, kv.DurabilitySync, cfg.Events)
	if s.durable != nil {
		if err := s.recoverAll(); err != nil {
			return nil, fmt.Errorf("recover node %v: %w", cfg.Node, err)
		}
	}
	return s, nil
}

func (c *Config) fillDefaults() {
	l, d := &c.Limits, DefaultLimits
	if c.Port == 0 {
		c.Port = wire.Port
	}
	l.Window = cmp.Or(l.Window, d.Window)
	l.Sessions = cmp.Or(l.Sessions, d.Sessions)
	l.SessionResults = cmp.Or(l.SessionResults, d.SessionResults)
	l.SessionIdle = cmp.Or(l.SessionIdle, d.SessionIdle)
	l.SnapshotRate = cmp.Or(l.SnapshotRate, d.SnapshotRate)
}

func (c *Config) validate() error {
	l := c.Limits
	switch {
	case c.Node == 0 || c.Incarnation == 0:
		return fmt.Errorf("%w: node %v, incarnation %d: both must be set",
			ErrConfig, c.Node, c.Incarnation)
	case c.Durable != nil && !c.Durable.Persistent():
		return fmt.Errorf("%w: the durable engine is not persistent", ErrConfig)
	case l.Window < 1 || l.Sessions < 1 || l.SessionResults < 1 || l.SessionIdle <= 0 ||
		l.SnapshotRate < 1:
		return fmt.Errorf("%w: limits %+v: none may be negative", ErrConfig, l)
	}
	return nil
}

func newStore(e Engine, d kv.Durability, events Events) *store {
	if e == nil {
		return nil
	}
	return &store{engine: e, durability: d, onFailure: events.EngineFailed}
}

func (s *Server) storeOf(d kv.Durability) *store {
	if d == kv.DurabilitySync {
		return s.durable
	}
	return s.volatile
}

// Tick lets time pass; to be called about every millisecond while Busy, else every 100 ms.
func (s *Server) Tick(now time.Duration) {
	s.start()
	for _, r := range s.busy {
		r.busy = false // Flush looks again
		if r.chain != nil {
			r.now = now
			r.chain.Tick(now)
			s.touch(r)
		}
	}
	s.busy = s.busy[:0]
	if now >= s.nextSweep {
		s.nextSweep = now + s.cfg.Limits.SessionIdle/sweepEvery
		s.sweep(now)
	}
}

func (s *Server) sweep(now time.Duration) {
	for _, id := range s.ids() {
		s.replicas[id].expireIdle(now)
	}
}

// Busy reports whether a timer is running that a tick of 1 ms should serve.
func (s *Server) Busy() bool { return len(s.busy) > 0 }

// Synced reports that the Sync asked for under token has ended. An error makes the server give up
// the durable engine for good: what a failed fsync left behind is unknown.
func (s *Server) Synced(now time.Duration, token uint64, err error) {
	s.start()
	if s.durable == nil {
		return
	}
	for _, r := range s.durable.endSync(token, err) {
		if r.chain != nil {
			r.now = now
			r.chain.Synced(r.syncTo)
			if r.proving {
				r.unproven, r.proving = false, false
			}
			if r.saving {
				r.saved(now)
			}
			if r.join != nil {
				r.join.durable = r.join.durable || r.join.syncing
			}
			s.touch(r)
		}
	}
}

// Flush ends a batch of inputs and returns what to do. The output is valid until the next call
// of any method. Drivers call it once per batch of packets, because updates that arrived in one
// batch leave in one packet.
func (s *Server) Flush(now time.Duration) *Output {
	s.start()
	for _, r := range s.touched {
		r.touched = false
		s.flushReplica(now, r)
	}
	s.touched = s.touched[:0]
	for _, st := range []*store{s.volatile, s.durable} {
		if st != nil && !st.flush() && !st.told {
			// Nothing may be told that rests on a batch which was not applied. To peers this
			// is a lossy network.
			st.told = true
			s.out.Sends = s.out.Sends[:0]
		}
	}
	if s.durable != nil {
		s.out.SyncToken, s.out.NeedSync = s.durable.beginSync()
	}
	s.taken = true
	return &s.out
}

func (s *Server) flushReplica(now time.Duration, r *replica) {
	if r.chain != nil && r.store.failed == nil {
		r.now = now
		r.chain.Flush(now)
		r.serveSnapshot(now)
		if r.join != nil {
			r.follow(now)
		}
		if !r.busy && (r.chain.Busy() || r.join != nil || r.source.wanted) {
			r.busy = true
			s.busy = append(s.busy, r)
		}
	}
	r.noteState()
}

// touch makes Flush look at a replica.
func (s *Server) touch(r *replica) {
	if !r.touched {
		r.touched = true
		s.touched = append(s.touched, r)
	}
}

// start begins a new output after Flush has handed out the last one.
func (s *Server) start() {
	if s.taken {
		s.taken = false
		s.out.Sends, s.out.NeedSync = s.out.Sends[:0], false
	}
}

// buffer returns the empty buffer that the next send will use.
func (s *Server) buffer() []byte {
	if n := len(s.out.Sends); n == len(s.buffers) {
		s.buffers = append(s.buffers, make([]byte, 0, wire.MaxPacketSize))
	}
	return s.buffers[len(s.out.Sends)]
}

// send adds a packet made in the buffer to the output.
func (s *Server) send(to netip.AddrPort, packet []byte) {
	s.out.Sends = append(s.out.Sends, Send{To: to, Payload: packet})
}

func (s *Server) nodeAddr(n kv.NodeID) netip.AddrPort {
	return netip.AddrPortFrom(n.Addr(), s.cfg.Port)
}

func (s *Server) ids() []kv.SubRangeID { return slices.Sorted(maps.Keys(s.replicas)) }

// Report describes all replicas in ascending order of sub-range. It hands out the samples, so there
// should be one who asks.
func (s *Server) Report() []Report {
	out := make([]Report, 0, len(s.replicas))
	for _, id := range s.ids() {
		r := s.replicas[id]
		report := Report{
			SubRange: id, Epoch: r.assignment.Epoch, Length: len(r.assignment.Chain),
			Position: r.assignment.Chain.Position(s.cfg.Node), State: r.currentState(),
			Sessions: len(r.sessions), Samples: r.samples.take(),
		}
		if r.chain != nil {
			report.Applied, report.Durable = r.chain.Applied(), r.chain.Durable()
			report.Stable = r.chain.Stable()
		}
		r.describe(&report)
		out = append(out, report)
	}
	return out
}

// Counters returns the counts so far.
func (s *Server) Counters() Counters { return s.counters }

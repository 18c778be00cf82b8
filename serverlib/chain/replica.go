package chain

import (
	"math"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Host is what a replica acts on. Its methods are called from within the replica's; entries are
// valid during the call.
type Host interface {
	// Apply makes the entry at seq part of the local state. committed tells that Commit follows
	// before the replica's method returns.
	Apply(seq kv.Seq, e wire.ChainEntry, committed bool)
	// Commit tells the tail that the entry is durable at every member: it may be acknowledged.
	Commit(seq kv.Seq, e wire.ChainEntry)
	// Stabilized tells every member that its knowledge of the stable mark has moved.
	Stabilized(seq kv.Seq)
	// Lost tells a member that it lacks stable updates which no neighbour can send any more.
	Lost()
	// CaughtUp tells a member that was Behind that it has every acknowledged update.
	CaughtUp()
	// Restart tells a learner to forget all its state: it begins anew with the updates behind base,
	// and with a snapshot of what was before them.
	Restart(base kv.Seq)
	// Pull tells the tail that its learner wants the snapshot from a cursor on.
	Pull(from wire.Cursor)
	// Snapshot gives a learner a piece of the snapshot as of state, the part of the message behind
	// its fields; it returns false if that is malformed.
	Snapshot(state kv.Seq, piece []byte) bool
	// Buffer returns an empty buffer for one packet.
	Buffer() []byte
	// Send sends a sealed packet, made in a Buffer, to a neighbour.
	Send(to kv.NodeID, packet []byte)
}

// Config describes a replica for life.
type Config struct {
	Self        kv.NodeID
	Incarnation uint64
	SubRange    kv.SubRangeID
	// Volatile is set for kv.DurabilityMemory: what is applied counts as durable.
	Volatile bool
	// Window is the largest number of entries beyond the stable mark.
	Window int
	Timing Timing
}

// Timing holds the protocol's delays.
type Timing struct {
	AckDelay      time.Duration // an ack that frees only the predecessor's window waits so long
	Retransmit    time.Duration // first repetition of what was not answered
	RetransmitMax time.Duration // repetitions double their distance up to this
}

// DefaultTiming suits a data centre: a round trip takes well under a millisecond, an fsync a few.
var DefaultTiming = Timing{
	AckDelay:      2 * time.Millisecond,
	Retransmit:    10 * time.Millisecond,
	RetransmitMax: 160 * time.Millisecond,
}

// infinite is the upstream mark of the head: nobody stands above it.
const infinite kv.Seq = math.MaxUint64

// Replica is one member of the chain of one sub-range.
//
// Invariants: stable <= durable <= applied; the log holds at least (stable, applied]; at the tail
// stable = min(upstream, durable) once that is larger. A learner is told of stable updates only, and
// stable is what of them is durable at itself.
type Replica struct {
	cfg     Config
	host    Host
	epoch   kv.Epoch
	members kv.Chain
	learner kv.NodeID // follows the tail; 0 if nobody does
	pos     int       // among members; -1 if this replica is the learner

	log      Log    // its Last is the last applied seq
	durable  kv.Seq // everything up to it is on this member's stable storage
	upstream kv.Seq // everything up to it is durable at all members above
	stable   kv.Seq // everything up to it is known to be durable at all members

	blank  bool // a learner that has no state yet, not even an empty one
	behind bool // may lack updates that were acknowledged before this replica was a member

	ready bool // has all that its successor has, and may order or accept
	in    inLink
	out   outLink
}

// New returns a replica whose state holds the entries up to base, all stable, and that is in no
// chain yet.
func New(cfg Config, host Host, base kv.Seq) *Replica {
	r := &Replica{cfg: cfg, host: host, durable: base, stable: base}
	r.log.Reset(base)
	return r
}

// NewLearner returns a replica that has no state and will follow a tail.
func NewLearner(cfg Config, host Host) *Replica {
	r := New(cfg, host, 0)
	r.blank, r.behind = true, true
	return r
}

// Fork returns a replica of another sub-range, in no chain yet, that has the same log and marks. What
// is durable here counts as durable there: whoever loses the fork in a crash makes it again from
// what is left here.
func (r *Replica) Fork(cfg Config, host Host) *Replica {
	f := New(cfg, host, r.log.Base())
	for seq := r.log.Base() + 1; seq <= r.Applied(); seq++ {
		f.log.Append(r.log.At(seq))
	}
	f.durable, f.stable, f.behind = r.durable, r.stable, r.behind
	return f
}

// Load adds an entry that a restarted node found on its disk, next in order, already part of its
// state and durable. stable is the stable mark that was stored with it.
func (r *Replica) Load(e wire.ChainEntry, stable kv.Seq) {
	r.durable = r.log.Append(e)
	r.stable = min(max(r.stable, stable), r.durable)
}

// SetBehind tells a restarted replica that it was Behind when its last life ended.
func (r *Replica) SetBehind() { r.behind = true }

// Configure puts the replica into the chain of a new epoch, or behind it as the learner. Its state
// stays; links start anew.
func (r *Replica) Configure(now time.Duration, epoch kv.Epoch, members kv.Chain, learner kv.NodeID) {
	r.epoch, r.members, r.learner = epoch, append(r.members[:0:0], members...), learner
	r.pos = members.Position(r.cfg.Self)
	r.ready, r.in, r.out = false, inLink{}, outLink{}
	// Members may have changed places, so only what is stable is known to be durable above.
	r.upstream = r.stable
	if r.Head() {
		r.upstream = infinite
	}
	if r.Tail() || r.Follows() {
		r.becomeReady()
		r.advance()
	}
	if r.below() != 0 {
		r.out.schedule(now, r.cfg.Timing.Retransmit)
		r.sendHello()
	}
}

// becomeReady lets the predecessor open its link.
func (r *Replica) becomeReady() {
	r.ready = true
	if !r.Head() {
		r.sendReady()
	}
}

// Head reports whether the replica orders updates.
func (r *Replica) Head() bool { return r.pos == 0 }

// Tail reports whether the replica commits updates and answers reads.
func (r *Replica) Tail() bool { return r.pos == len(r.members)-1 }

// Follows reports whether the replica is the learner: no member, but told by the tail.
func (r *Replica) Follows() bool { return r.pos < 0 }

// Behind reports whether the replica may lack updates that were acknowledged before it was a
// member. It clears when a neighbour that is not behind itself has told how far it is, and this
// one is as far (I6).
func (r *Replica) Behind() bool { return r.behind }

// above returns the neighbour that sends updates, 0 for none.
func (r *Replica) above() kv.NodeID {
	switch {
	case r.Follows():
		return r.members.Tail()
	case r.Head():
		return 0
	}
	return r.members[r.pos-1]
}

// below returns the neighbour that updates are sent to, 0 for none.
func (r *Replica) below() kv.NodeID {
	switch {
	case r.Follows():
		return 0
	case r.Tail():
		return r.learner
	}
	return r.members[r.pos+1]
}

// sendable returns the last update that the neighbour below may be told of. What is not stable can
// still be lost by all members together, and a learner would keep it.
func (r *Replica) sendable() kv.Seq {
	if r.Tail() {
		return r.stable
	}
	return r.Applied()
}

// Epoch returns the epoch in force.
func (r *Replica) Epoch() kv.Epoch { return r.epoch }

// Members returns the chain in force.
func (r *Replica) Members() kv.Chain { return r.members }

// Position returns the replica's place in the chain.
func (r *Replica) Position() int { return r.pos }

// Ready reports whether the replica has recovered and does its part.
func (r *Replica) Ready() bool { return r.ready }

// Applied returns the last update in the local state.
func (r *Replica) Applied() kv.Seq { return r.log.Last() }

// Durable returns the last update on local stable storage.
func (r *Replica) Durable() kv.Seq { return r.durable }

// Stable returns the last update known to be durable at every member, hence acknowledged.
func (r *Replica) Stable() kv.Seq { return r.stable }

// Entry returns the entry at seq, which must be above the last Truncate.
func (r *Replica) Entry(seq kv.Seq) wire.ChainEntry { return r.log.At(seq) }

// Base returns the seq before the oldest entry that is kept.
func (r *Replica) Base() kv.Seq { return r.log.Base() }

// Expendable returns the last update that no neighbour will ask for. As long as somebody joins, all
// members keep a window of stable updates, so that he can go on from another tail.
func (r *Replica) Expendable() kv.Seq {
	if r.learner == 0 || r.Follows() {
		return r.stable
	}
	kept := r.stable - min(r.stable, kv.Seq(r.cfg.Window))
	if r.Tail() && r.out.open {
		kept = max(kept, min(r.out.stable, r.stable))
	}
	return kept
}

// Truncate forgets entries up to seq that are Expendable. A learner that still lacks one of them has
// to start over: no update waits for it.
func (r *Replica) Truncate(seq kv.Seq) {
	r.log.Truncate(min(seq, r.Expendable()))
	if r.Tail() && r.out.open && r.out.acked < r.log.Base() {
		r.out = outLink{peer: r.out.peer}
		r.out.schedule(0, r.cfg.Timing.Retransmit)
	}
}

// HasRoom reports whether the head may order another update.
func (r *Replica) HasRoom() bool { return r.Applied()-r.stable < kv.Seq(r.cfg.Window) }

// Append orders an entry at the head, which must be Ready and have room, and returns its seq.
func (r *Replica) Append(e wire.ChainEntry) kv.Seq {
	seq := r.apply(e)
	r.advance()
	return seq
}

// Synced tells that the local state up to seq is on stable storage.
func (r *Replica) Synced(seq kv.Seq) {
	r.durable = max(r.durable, min(seq, r.Applied()))
	r.advance()
}

// Receive takes a message of package wire's chain class for this sub-range.
func (r *Replica) Receive(now time.Duration, from kv.NodeID, m Message) Verdict {
	if m.Epoch != r.epoch {
		return Stale
	}
	switch m.Op {
	case wire.OpChainHello, wire.OpChainUpdate, wire.OpChainFetch, wire.OpChainSnapshot:
		if from == 0 || from != r.above() {
			return Strayed
		}
		return r.fromAbove(now, m)
	case wire.OpChainWelcome, wire.OpChainAck, wire.OpChainEntries, wire.OpChainReady,
		wire.OpChainPull:
		if from == 0 || from != r.below() {
			return Strayed
		}
		return r.fromBelow(now, m)
	}
	return Malformed
}

// Message is a chain message taken apart by wire.Packet.Chain.
type Message struct {
	wire.ChainFields
	Op   wire.Op
	Rest []byte // what follows the fields
}

// Verdict tells what became of a message.
type Verdict uint8

// Verdicts.
const (
	Accepted  Verdict = iota
	Stale             // of another epoch or of an older life; dropped
	Strayed           // not from the neighbour that sends such messages; dropped
	Malformed         // entries or seqs make no sense; dropped
)

// apply makes e the next entry of log and state.
func (r *Replica) apply(e wire.ChainEntry) kv.Seq {
	seq := r.log.Append(e)
	committed := false
	if r.cfg.Volatile {
		r.durable = seq
		committed = r.Tail() && seq <= r.upstream
	}
	r.host.Apply(seq, r.log.At(seq), committed)
	return seq
}

// mark is what the successor may believe: every member down to this one is durable up to it.
func (r *Replica) mark() kv.Seq { return min(r.upstream, r.durable) }

// advance commits at the tail what has become durable everywhere.
func (r *Replica) advance() {
	if r.Follows() {
		r.learnStable(r.durable)
	}
	if !r.Tail() {
		return
	}
	target := r.mark()
	if r.stable >= target {
		return
	}
	for r.stable < target {
		r.stable++
		r.host.Commit(r.stable, r.log.At(r.stable))
	}
	r.host.Stabilized(r.stable)
}

// learnStable takes over the stable mark that the successor reports. What is stable is durable at
// the members above as well, which is told to a successor that restarts and has forgotten it.
func (r *Replica) learnStable(seq kv.Seq) {
	if seq = min(seq, r.durable); seq > r.stable {
		r.stable, r.upstream = seq, max(r.upstream, seq)
		r.host.Stabilized(seq)
	}
}

// Flush sends what a batch of inputs has left to send: updates in as few packets as possible, then
// the ack.
func (r *Replica) Flush(now time.Duration) {
	if r.members == nil || !r.ready {
		return
	}
	if r.below() != 0 && r.out.open {
		r.sendUpdates(now)
	}
	if r.above() != 0 && r.in.peer != 0 && r.ackDue() {
		r.sendAck()
	}
}

// Tick lets timers expire. What they cause is sent by the next Flush.
func (r *Replica) Tick(now time.Duration) {
	if r.members == nil {
		return
	}
	if r.below() != 0 {
		r.tickOut(now)
	}
	if r.above() != 0 {
		r.tickIn(now)
	}
}

// Busy reports whether a timer is running.
func (r *Replica) Busy() bool {
	switch {
	case r.members == nil:
		return false
	case !r.ready || r.behind || r.stable < r.Applied():
		return true
	case r.below() != 0 && (!r.out.open || r.out.stable < r.sendable()):
		return true // a neighbour that restarted may not know what this member knows
	}
	return r.above() != 0 && (r.in.peer == 0 || r.in.ackedApplied < r.Applied())
}

// message starts a packet to a neighbour that lived, when last heard of, its life receiver.
func (r *Replica) message(op wire.Op, receiver uint64, seq, mark kv.Seq) []byte {
	return wire.AppendChain(r.host.Buffer(), op, wire.ChainFields{
		SubRange: r.cfg.SubRange, Epoch: r.epoch,
		Sender: r.cfg.Incarnation, Receiver: receiver, Seq: seq, Mark: mark,
	})
}

func (r *Replica) sendUp(packet []byte) {
	wire.Packet(packet).Seal()
	r.host.Send(r.above(), packet)
}

func (r *Replica) sendDown(packet []byte) {
	wire.Packet(packet).Seal()
	r.host.Send(r.below(), packet)
}

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
// stable = min(upstream, durable) once that is larger.
type Replica struct {
	cfg     Config
	host    Host
	epoch   kv.Epoch
	members kv.Chain
	pos     int

	log      Log    // its Last is the last applied seq
	durable  kv.Seq // everything up to it is on this member's stable storage
	upstream kv.Seq // everything up to it is durable at all members above
	stable   kv.Seq // everything up to it is known to be durable at all members

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

// Fork returns a replica of another sub-range, in no chain yet, that has the same log and marks. What
// is durable here counts as durable there: whoever loses the fork in a crash makes it again from
// what is left here.
func (r *Replica) Fork(cfg Config, host Host) *Replica {
	f := New(cfg, host, r.log.Base())
	for seq := r.log.Base() + 1; seq <= r.Applied(); seq++ {
		f.log.Append(r.log.At(seq))
	}
	f.durable, f.stable = r.durable, r.stable
	return f
}

// Load adds an entry that a restarted node found on its disk, next in order, already part of its
// state and durable. stable is the stable mark that was stored with it.
func (r *Replica) Load(e wire.ChainEntry, stable kv.Seq) {
	r.durable = r.log.Append(e)
	r.stable = min(max(r.stable, stable), r.durable)
}

// Configure puts the replica into the chain of a new epoch. Its state stays; links start anew.
func (r *Replica) Configure(now time.Duration, epoch kv.Epoch, members kv.Chain) {
	r.epoch, r.members = epoch, append(r.members[:0:0], members...)
	r.pos = members.Position(r.cfg.Self)
	r.ready, r.in, r.out = false, inLink{}, outLink{}
	// Members may have changed places, so only what is stable is known to be durable above.
	r.upstream = r.stable
	if r.Head() {
		r.upstream = infinite
	}
	if r.Tail() {
		r.becomeReady()
		r.advance()
		return
	}
	r.out.schedule(now, r.cfg.Timing.Retransmit)
	r.sendHello()
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

// Truncate forgets entries up to seq that are stable.
func (r *Replica) Truncate(seq kv.Seq) { r.log.Truncate(min(seq, r.stable)) }

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
	case wire.OpChainHello, wire.OpChainUpdate, wire.OpChainFetch:
		if r.Head() || from != r.members[r.pos-1] {
			return Strayed
		}
		return r.fromAbove(now, m)
	case wire.OpChainWelcome, wire.OpChainAck, wire.OpChainEntries, wire.OpChainReady:
		if r.Tail() || from != r.members[r.pos+1] {
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
	Rest []byte // entries, or the gap of an ack
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
	if !r.Tail() && r.out.open {
		r.sendUpdates(now)
	}
	if !r.Head() && r.in.peer != 0 && r.ackDue() {
		r.sendAck()
	}
}

// Tick lets timers expire. What they cause is sent by the next Flush.
func (r *Replica) Tick(now time.Duration) {
	if r.members == nil {
		return
	}
	if !r.Tail() {
		r.tickOut(now)
	}
	if !r.Head() {
		r.tickIn(now)
	}
}

// Busy reports whether a timer is running.
func (r *Replica) Busy() bool {
	switch {
	case r.members == nil:
		return false
	case !r.ready || r.stable < r.Applied():
		return true
	case !r.Tail() && (!r.out.open || r.out.stable < r.Applied()):
		return true // a successor that restarted may not know what this member knows
	}
	return !r.Head() && (r.in.peer == 0 || r.in.ackedApplied < r.Applied())
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
	r.host.Send(r.members[r.pos-1], packet)
}

func (r *Replica) sendDown(packet []byte) {
	wire.Packet(packet).Seal()
	r.host.Send(r.members[r.pos+1], packet)
}

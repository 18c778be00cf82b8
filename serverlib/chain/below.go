package chain

import (
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// inFlight is how many entries are sent ahead of the successor's acks: about 30 full packets of
// 100-byte records, which fits the queue of a port.
const inFlight = 512

// burst is how many update packets one Flush sends: what a port's queue takes at once. The rest
// follows with the next batch of inputs or tick.
const burst = 64

// outLink is the link with the successor, seen from above.
type outLink struct {
	open     bool
	peer     uint64 // the newest life of the successor that was heard of
	acked    kv.Seq // the successor has applied everything up to it
	sent     kv.Seq // everything up to it was sent at least once, and not given up since
	markSent kv.Seq // the mark that was sent last
	stable   kv.Seq // the stable mark that the successor was heard to know, or a learner's durable
	whole    bool   // the successor is not behind
	fetchTo  kv.Seq // what the successor has beyond this member, to be fetched; 0 if nothing

	deadline time.Duration // when to repeat what was not answered; 0 if nothing is open
	delay    time.Duration // until the next deadline

	mended   kv.Seq // the gap that was filled last,
	mendedAt time.Duration
}

// schedule starts the timer with its shortest delay.
func (o *outLink) schedule(now, delay time.Duration) { o.deadline, o.delay = now+delay, delay }

// backOff starts the timer with twice the delay.
func (o *outLink) backOff(now, limit time.Duration) {
	o.delay = min(2*o.delay, limit)
	o.deadline = now + o.delay
}

// fromBelow takes a message of the successor.
func (r *Replica) fromBelow(now time.Duration, m Message) Verdict {
	switch {
	case m.Sender < r.out.peer || m.Op != wire.OpChainReady && m.Receiver != r.cfg.Incarnation:
		return Stale
	case m.Op == wire.OpChainReady:
		return r.onReady(now, m)
	case m.Op == wire.OpChainWelcome:
		return r.onWelcome(now, m)
	case !r.out.open || m.Sender != r.out.peer:
		return Stale
	case m.Op == wire.OpChainEntries:
		return r.onEntries(now, m)
	case m.Op == wire.OpChainPull:
		return r.onPull(m)
	}
	return r.onAck(now, m)
}

// onReady opens the link to a new life of the successor. For the present one it is a repetition,
// unless it asks whether this member is still behind.
func (r *Replica) onReady(now time.Duration, m Message) Verdict {
	if r.out.open && m.Sender == r.out.peer {
		if r.Tail() || r.behind || !wire.ChainBehind(m.Rest) {
			return Stale
		}
		r.sendHello()
		return Accepted
	}
	r.out = outLink{peer: m.Sender}
	r.out.schedule(now, r.cfg.Timing.Retransmit)
	r.sendHello()
	return Accepted
}

func (r *Replica) sendHello() {
	r.sendDown(r.appendBehind(r.message(wire.OpChainHello, 0, r.sendable(), r.log.Base())))
}

// onWelcome starts the link: below the seq that it names both members agree.
func (r *Replica) onWelcome(now time.Duration, m Message) Verdict {
	if r.out.open && m.Sender == r.out.peer {
		return Stale // a repetition: acks have said more since
	}
	if m.Seq < r.log.Base() {
		return Malformed // it has lost what was stable: the controller must replace it
	}
	if r.Tail() {
		return r.onLearner(now, m)
	}
	r.out = outLink{open: true, peer: m.Sender, stable: m.Mark, whole: !wire.ChainBehind(m.Rest)}
	if m.Seq > r.Applied() {
		r.ready, r.out.fetchTo = false, m.Seq
		r.out.schedule(now, r.cfg.Timing.Retransmit)
		r.sendFetch()
	} else {
		r.start(now, m.Seq)
	}
	r.learnStable(m.Mark)
	return Accepted
}

// onLearner starts the link with the learner. All that it has is stable, which the tail, if it was
// another one's successor when the learner was told, may not know yet.
func (r *Replica) onLearner(now time.Duration, m Message) Verdict {
	if m.Seq > r.durable {
		return Stale // this tail is behind itself: it will hear from its predecessor
	}
	r.out = outLink{open: true, peer: m.Sender, stable: m.Mark}
	r.start(now, m.Seq)
	r.upstream = max(r.upstream, m.Seq)
	r.advance()
	return Accepted
}

// onPull passes on what a learner wants of the snapshot.
func (r *Replica) onPull(m Message) Verdict {
	from := wire.Cursor(m.Rest)
	if !r.Tail() || !from.Valid() {
		return Malformed
	}
	r.host.Pull(from)
	return Accepted
}

// MaySnapshot reports whether the learner was sent everything that is stable, so that a snapshot of
// that state finds it there.
func (r *Replica) MaySnapshot() bool {
	return r.members != nil && r.Tail() && r.out.open && r.out.sent >= r.stable
}

// BeginSnapshot starts a packet with a piece of the snapshot from a cursor on. Rows follow, then
// SendSnapshot.
func (r *Replica) BeginSnapshot(from wire.Cursor) wire.Packet {
	return wire.AppendSnapshotHeader(r.message(wire.OpChainSnapshot, r.out.peer, r.stable, 0),
		from.Digest())
}

// SendSnapshot sends a piece of the snapshot.
func (r *Replica) SendSnapshot(p wire.Packet) { r.sendDown(p) }

// start begins to send updates to a successor that has everything up to seq.
func (r *Replica) start(now time.Duration, seq kv.Seq) {
	r.out.acked, r.out.sent, r.out.fetchTo = seq, seq, 0
	r.out.schedule(now, r.cfg.Timing.Retransmit)
	if r.behind && r.out.whole {
		r.catchUp() // the successor has every acknowledged update, and so has this member now
	}
	if !r.ready {
		r.becomeReady()
	}
}

func (r *Replica) sendFetch() {
	r.sendDown(r.message(wire.OpChainFetch, r.out.peer, r.Applied()+1, 0))
}

// onEntries applies what this member had lost, and asks for more or goes to work.
func (r *Replica) onEntries(now time.Duration, m Message) Verdict {
	if r.out.fetchTo == 0 {
		return Stale
	}
	n, ok := wire.CountChainEntries(m.Rest)
	if !ok || m.Seq == 0 || m.Seq+kv.Seq(n)-1 > r.out.fetchTo {
		return Malformed
	}
	if m.Seq > r.Applied()+1 && n == 0 {
		r.host.Lost() // the successor forgot what this member lacks
		return Accepted
	}
	before := r.Applied()
	r.accept(m.Seq, m.Rest)
	switch {
	case r.Applied() == r.out.fetchTo:
		r.start(now, r.Applied())
	case r.Applied() > before:
		r.out.schedule(now, r.cfg.Timing.Retransmit)
		r.sendFetch()
	}
	return Accepted
}

// onAck moves the marks and fills the gap that the successor names.
func (r *Replica) onAck(now time.Duration, m Message) Verdict {
	if m.Seq > r.sendable() || r.out.fetchTo != 0 {
		return Malformed
	}
	progress := m.Seq > r.out.acked || m.Mark > r.out.stable
	r.out.stable = max(r.out.stable, m.Mark)
	r.out.acked = max(r.out.acked, m.Seq)
	r.out.sent = max(r.out.sent, r.out.acked)
	if !r.Tail() {
		r.learnStable(m.Mark)
	}
	if progress {
		r.out.schedule(now, r.cfg.Timing.Retransmit)
	}
	if gap := wire.ChainGap(m.Rest); gap > r.out.acked && gap <= r.out.sent {
		r.mend(now, gap)
	}
	return Accepted
}

// mend sends the entries up to gap again, unless that was just done.
func (r *Replica) mend(now time.Duration, gap kv.Seq) {
	if gap <= r.out.mended && now < r.out.mendedAt+r.cfg.Timing.AckDelay {
		return
	}
	r.out.mended, r.out.mendedAt = gap, now
	for seq := r.out.acked + 1; seq <= gap; {
		seq = r.sendUpdate(seq)
	}
}

// sendUpdates sends what is new, and the mark alone if only that has moved.
func (r *Replica) sendUpdates(now time.Duration) {
	limit := min(r.sendable(), r.out.acked+inFlight)
	for n := 0; n < burst && r.out.sent < limit; n++ {
		r.out.sent = r.sendUpdate(r.out.sent+1) - 1
	}
	if r.mark() > max(r.out.markSent, r.out.stable) {
		r.sendMark()
	}
	if r.out.deadline == 0 && r.out.stable < r.sendable() {
		r.out.schedule(now, r.cfg.Timing.Retransmit)
	}
}

// sendUpdate sends one packet of entries from seq on and returns the seq after the last.
func (r *Replica) sendUpdate(seq kv.Seq) (next kv.Seq) {
	p := r.message(wire.OpChainUpdate, r.out.peer, seq, r.mark())
	p, next = r.fill(p, seq, r.sendable())
	r.out.markSent = r.mark()
	r.sendDown(p)
	return next
}

// sendMark sends an update without entries, which also asks for an ack.
func (r *Replica) sendMark() {
	r.out.markSent = r.mark()
	r.sendDown(r.message(wire.OpChainUpdate, r.out.peer, r.out.sent+1, r.mark()))
}

// tickOut repeats what was not answered in time.
func (r *Replica) tickOut(now time.Duration) {
	if r.out.deadline == 0 || now < r.out.deadline {
		return
	}
	if r.out.open && r.out.fetchTo == 0 && r.out.stable >= r.sendable() {
		r.out.deadline = 0
		return
	}
	r.out.backOff(now, r.cfg.Timing.RetransmitMax)
	switch {
	case !r.out.open:
		r.sendHello()
	case r.out.fetchTo != 0:
		r.sendFetch()
	case r.out.acked < r.out.sent:
		r.out.sent = r.out.acked // go back; Flush sends again
	default:
		r.sendMark()
	}
}

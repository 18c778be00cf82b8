package chain

import (
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// stashSize is how many update packets that arrived before their turn are kept; more are dropped
// and sent again.
const stashSize = 64

// ackEvery is the number of applied entries after which an ack is not delayed any longer: a
// quarter of what the predecessor sends ahead.
const ackEvery = inFlight / 4

// inLink is the link with the predecessor, seen from below.
type inLink struct {
	peer         uint64        // the life of the predecessor that was admitted; 0 if none was
	readyAt      time.Duration // when to ask for a HELLO again as long as there is no peer
	readyDelay   time.Duration
	ackNow       bool // an ack is due with the next Flush
	ackAt        time.Duration
	ackedApplied kv.Seq // what the last ack said
	ackedStable  kv.Seq
	stash        []stashed
	told         bool   // a predecessor that is not behind has told
	whole        kv.Seq // that it has every acknowledged update up to here
}

// stashed is the entries of an update that came too early.
type stashed struct {
	first   kv.Seq
	entries []byte
}

// fromAbove takes a message of the predecessor.
func (r *Replica) fromAbove(now time.Duration, m Message) Verdict {
	switch {
	case m.Sender < r.in.peer:
		return Stale // what an older life sent, arriving late
	case !r.ready:
		return Stale // it will be told when this member is
	case m.Op == wire.OpChainHello:
		return r.onHello(m)
	case m.Sender != r.in.peer || m.Receiver != r.cfg.Incarnation:
		r.sendReady() // it believes in a link that this life knows nothing of
		return Stale
	case m.Op == wire.OpChainFetch:
		return r.onFetch(m)
	case m.Op == wire.OpChainSnapshot:
		return r.onSnapshot(m)
	}
	return r.onUpdate(now, m)
}

// onHello admits a life of the predecessor. From now on nothing changes this member's log but what
// this life sends, so the applied seq of the WELCOME holds until then.
func (r *Replica) onHello(m Message) Verdict {
	switch {
	case m.Mark > m.Seq:
		return Malformed
	case r.Follows() && (r.blank || r.Applied() < m.Mark):
		r.restart(m.Seq)
	case r.Applied() < m.Mark:
		r.host.Lost()
		return Accepted
	}
	if m.Sender > r.in.peer {
		r.in = inLink{peer: m.Sender}
	}
	if !wire.ChainBehind(m.Rest) && !r.in.told {
		r.in.told, r.in.whole = true, m.Seq
	}
	r.sendUp(r.appendBehind(r.message(wire.OpChainWelcome, r.in.peer, r.Applied(), r.stable)))
	r.in.ackedApplied, r.in.ackedStable = r.Applied(), r.stable
	r.compareAbove()
	return Accepted
}

// restart gives a learner the state of an empty replica at base.
func (r *Replica) restart(base kv.Seq) {
	r.log.Reset(base)
	r.durable, r.stable, r.upstream = base, base, base
	r.blank, r.behind, r.in.stash = false, true, nil
	r.host.Restart(base)
}

// compareAbove ends being behind, if this member has what its predecessor had when the link began:
// whatever was acknowledged before this one was a member is among it.
func (r *Replica) compareAbove() {
	if r.behind && !r.Follows() && r.in.told && r.Applied() >= r.in.whole {
		r.catchUp()
	}
}

func (r *Replica) catchUp() {
	r.behind = false
	r.host.CaughtUp()
}

// appendBehind says in a HELLO, WELCOME or READY that this member is behind, if it is.
func (r *Replica) appendBehind(p []byte) []byte {
	if r.behind {
		return wire.AppendChainBehind(p)
	}
	return p
}

// onSnapshot gives a learner a piece of the snapshot, which also tells how far the tail is.
func (r *Replica) onSnapshot(m Message) Verdict {
	if !r.Follows() || !r.host.Snapshot(m.Seq, m.Rest) {
		return Malformed
	}
	r.upstream = max(r.upstream, m.Seq)
	return Accepted
}

// MayPull reports whether a learner has a link with the tail.
func (r *Replica) MayPull() bool { return r.members != nil && r.Follows() && r.in.peer != 0 }

// Pull asks the tail for the snapshot from a cursor on.
func (r *Replica) Pull(from wire.Cursor) {
	r.sendUp(append(r.message(wire.OpChainPull, r.in.peer, r.Applied(), 0), from...))
}

// Heard returns the last update that the learner knows to be stable, whether it has it or not.
func (r *Replica) Heard() kv.Seq { return r.upstream }

// onUpdate applies the entries that are next, keeps those that are early and skips old ones.
func (r *Replica) onUpdate(now time.Duration, m Message) Verdict {
	n, ok := wire.CountChainEntries(m.Rest)
	if !ok || n > 0 && !r.mayHold(m.Seq, n) {
		return Malformed
	}
	before, marked := r.Applied(), m.Mark > r.upstream
	r.upstream = max(r.upstream, m.Mark)
	switch {
	case n > 0 && m.Seq > before+1:
		r.keep(m)
	case n > 0:
		r.accept(m.Seq, m.Rest)
		r.acceptStashed()
	}
	r.compareAbove()
	r.advance()
	if r.Applied() == before && (n > 0 || !marked) {
		r.in.ackNow = true // a repetition, a gap, or a question how far this member is
	} else if r.in.ackAt == 0 {
		r.in.ackAt = now + r.cfg.Timing.AckDelay
	}
	return Accepted
}

// mayHold bounds what a predecessor can make this member store. A correct one stays within its
// window beyond the stable mark, and of that this member may know less by what acks are on the way.
func (r *Replica) mayHold(first kv.Seq, n int) bool {
	limit := r.stable + 2*kv.Seq(r.cfg.Window)
	return first > 0 && first <= limit && first+kv.Seq(n)-1 <= limit
}

// accept applies those entries that follow the last applied one.
func (r *Replica) accept(first kv.Seq, entries []byte) {
	for seq := first; len(entries) > 0; seq++ {
		e, rest, _ := wire.CutChainEntry(entries)
		if seq == r.Applied()+1 {
			r.apply(e)
		}
		entries = rest
	}
}

// keep stores entries that came too early.
func (r *Replica) keep(m Message) {
	for _, s := range r.in.stash {
		if s.first == m.Seq && len(s.entries) >= len(m.Rest) {
			return
		}
	}
	if len(r.in.stash) < stashSize {
		r.in.stash = append(r.in.stash, stashed{m.Seq, append([]byte(nil), m.Rest...)})
	}
}

// acceptStashed applies kept entries whose turn has come.
func (r *Replica) acceptStashed() {
	for i := 0; i < len(r.in.stash); {
		s := r.in.stash[i]
		if s.first > r.Applied()+1 {
			i++
			continue
		}
		r.accept(s.first, s.entries)
		last := len(r.in.stash) - 1
		r.in.stash[i] = r.in.stash[last]
		r.in.stash = r.in.stash[:last]
		i = 0
	}
}

// gap returns the last missing seq before the kept entries, 0 if nothing is missing.
func (r *Replica) gap() (last kv.Seq) {
	for _, s := range r.in.stash {
		if last == 0 || s.first-1 < last {
			last = s.first - 1
		}
	}
	return last
}

// ackDue reports whether the predecessor should hear of progress now. The stable mark is told at
// once, because the head waits for it; what is merely applied can wait for the stable mark.
func (r *Replica) ackDue() bool {
	return r.in.ackNow || r.stable > r.in.ackedStable || r.Applied() >= r.in.ackedApplied+ackEvery
}

func (r *Replica) sendAck() {
	p := r.message(wire.OpChainAck, r.in.peer, r.Applied(), r.stable)
	if gap := r.gap(); gap > 0 {
		p = wire.AppendChainGap(p, gap)
	}
	r.sendUp(p)
	r.in.ackNow, r.in.ackAt = false, 0
	r.in.ackedApplied, r.in.ackedStable = r.Applied(), r.stable
}

// sendReady asks the predecessor for a HELLO to this life.
func (r *Replica) sendReady() {
	r.sendUp(r.appendBehind(r.message(wire.OpChainReady, 0, r.Applied(), 0)))
}

// onFetch sends one packet of entries that the restarted predecessor lacks. They are still in the
// log: it has lost only what was not stable. Else the packet is empty and says where the log begins.
func (r *Replica) onFetch(m Message) Verdict {
	if m.Seq > r.Applied() {
		return Malformed
	}
	first := max(m.Seq, r.log.Base()+1)
	p := r.message(wire.OpChainEntries, r.in.peer, first, 0)
	if first == m.Seq {
		p, _ = r.fill(p, first, r.Applied())
	}
	r.sendUp(p)
	return Accepted
}

// fill appends entries from seq to last until the packet is full, and returns the seq after the
// last that it has.
func (r *Replica) fill(p []byte, seq, last kv.Seq) ([]byte, kv.Seq) {
	for ; seq <= last; seq++ {
		e := r.log.At(seq)
		if len(p)+len(e) > wire.MaxPacketSize {
			break
		}
		p = append(p, e...)
	}
	return p, seq
}

// tickIn asks a predecessor that has not been heard of for its HELLO, because it may believe in a
// link to an older life, or one that was behind, because it may not be so any more. And it lets a
// delayed ack go.
func (r *Replica) tickIn(now time.Duration) {
	unknown := r.in.peer == 0 || r.behind && !r.Follows() && !r.in.told
	if r.ready && unknown && now >= r.in.readyAt {
		t := r.cfg.Timing
		r.in.readyDelay = min(max(2*r.in.readyDelay, t.Retransmit), t.RetransmitMax)
		r.in.readyAt = now + r.in.readyDelay
		r.sendReady()
	}
	if r.in.ackAt != 0 && now >= r.in.ackAt {
		r.in.ackNow, r.in.ackAt = true, 0
	}
}

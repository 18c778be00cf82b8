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
	}
	return r.onUpdate(now, m)
}

// onHello admits a life of the predecessor. From now on nothing changes this member's log but what
// this life sends, so the applied seq of the WELCOME holds until then.
func (r *Replica) onHello(m Message) Verdict {
	if m.Sender > r.in.peer {
		r.in = inLink{peer: m.Sender}
	}
	r.sendUp(r.message(wire.OpChainWelcome, r.in.peer, r.Applied(), r.stable))
	r.in.ackedApplied, r.in.ackedStable = r.Applied(), r.stable
	return Accepted
}

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
	r.sendUp(r.message(wire.OpChainReady, 0, r.Applied(), 0))
}

// onFetch sends one packet of entries that the restarted predecessor lacks. They are still in the
// log: it has lost only what was not stable.
func (r *Replica) onFetch(m Message) Verdict {
	if m.Seq <= r.log.Base() || m.Seq > r.Applied() {
		return Malformed
	}
	p := r.message(wire.OpChainEntries, r.in.peer, m.Seq, 0)
	p, _ = r.fill(p, m.Seq)
	r.sendUp(p)
	return Accepted
}

// fill appends entries from seq on until the packet is full, and returns the seq after the last.
func (r *Replica) fill(p []byte, seq kv.Seq) ([]byte, kv.Seq) {
	for ; seq <= r.Applied(); seq++ {
		e := r.log.At(seq)
		if len(p)+len(e) > wire.MaxPacketSize {
			break
		}
		p = append(p, e...)
	}
	return p, seq
}

// tickIn asks a predecessor that has not been heard of for its HELLO, because it may believe in a
// link to an older life, and lets a delayed ack go.
func (r *Replica) tickIn(now time.Duration) {
	if r.ready && r.in.peer == 0 && now >= r.in.readyAt {
		t := r.cfg.Timing
		r.in.readyDelay = min(max(2*r.in.readyDelay, t.Retransmit), t.RetransmitMax)
		r.in.readyAt = now + r.in.readyDelay
		r.sendReady()
	}
	if r.in.ackAt != 0 && now >= r.in.ackAt {
		r.in.ackNow, r.in.ackAt = true, 0
	}
}

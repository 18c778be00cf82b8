package serverlib

import (
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// write orders a write at the head, unless it is a repetition. p has passed the checks of
// dispatch.go.
func (r *replica) write(now time.Duration, p wire.Packet, key, value []byte) {
	r.now = now
	known := r.sessions[p.Client()]
	if known != nil {
		known.lastSeen = now
		if r.repeated(p, known) {
			return
		}
	}
	if r.assignment.Frozen || !r.chain.HasRoom() || !r.mayRemember(p, known) {
		r.server.refuse(p, wire.StatusTryAgain)
		return
	}
	f := wire.ChainEntryFields{
		Op: p.Op(), Client: p.Client(), Sequence: p.Sequence(), Lowest: p.LowestOutstanding(),
		ClientAddr: p.ClientAddr(), Key: key,
	}
	r.resolve(&f, p.RecordVersion(), value)
	if r.store.failed != nil {
		r.server.refuse(p, wire.StatusInternal)
		return
	}
	r.server.counters.Ordered++
	r.order(f)
}

// order makes an entry the next update of the chain.
func (r *replica) order(f wire.ChainEntryFields) {
	r.server.entry = wire.AppendChainEntry(r.server.entry[:0], f)
	r.chain.Append(wire.ChainEntry(r.server.entry))
}

// repeated answers a write that was executed before. One that is not yet stable is left to the
// tail, and the client told to wait; one that the client no longer waits for, to nobody.
func (r *replica) repeated(p wire.Packet, known *session) bool {
	if p.Sequence() < known.lowest {
		r.server.counters.Repeated++
		return true
	}
	res := known.find(p.Sequence())
	if res == nil {
		return false
	}
	r.server.counters.Repeated++
	if res.seq <= r.chain.Stable() {
		r.server.replyResult(p.ClientAddr(), r.assignment, p.Op(), p.Client(), *res)
	} else {
		r.server.sendSealed(p.ClientAddr(), p.AppendReply(r.server.buffer(), wire.StatusPending))
	}
	return true
}

// mayRemember bounds the memory for exactly-once execution.
func (r *replica) mayRemember(p wire.Packet, known *session) bool {
	limits := &r.server.cfg.Limits
	if known == nil {
		return len(r.sessions) < limits.Sessions
	}
	return known.countFrom(p.LowestOutstanding()) < limits.SessionResults
}

// resolve decides what a write does, on the newest state, which includes updates that are not
// acknowledged yet. That is sound because the entry is acknowledged after them, also if it is a
// failure.
func (r *replica) resolve(f *wire.ChainEntryFields, expected kv.Version, operand []byte) {
	f.Effect, f.Value = wire.EffectPut, operand
	if f.Op == wire.OpPut {
		return
	}
	version, value, found := r.newest(f.Key)
	switch {
	case f.Op == wire.OpDelete && !found:
		fail(f, wire.StatusNotFound)
	case f.Op == wire.OpDelete && expected != 0 && version != expected,
		f.Op == wire.OpCAS && version != expected:
		fail(f, wire.StatusVersionMismatch)
		r.server.operand = wire.AppendFoundVersion(r.server.operand[:0], version)
		f.Value = r.server.operand
	case f.Op == wire.OpDelete:
		f.Effect, f.Value = wire.EffectDelete, nil
	case f.Op == wire.OpIncrement:
		r.add(f, value, found)
	}
}

// newest returns a record as the last update left it; version 0 if there is none. The value is
// valid until the next call.
func (r *replica) newest(key []byte) (v kv.Version, value []byte, found bool) {
	row, ok := r.store.get(r.recordKey(key), r.server.value[:0])
	r.server.value = row
	if !ok {
		return 0, nil, false
	}
	return cutRecord(row)
}

// add resolves an INCREMENT; an absent record counts as 0, and sums wrap around as in two's
// complement.
func (r *replica) add(f *wire.ChainEntryFields, value []byte, found bool) {
	delta, _ := wire.Number(f.Value) // checked by dispatch
	sum := int64(0)
	if found {
		var ok bool
		if sum, ok = wire.Number(value); !ok {
			fail(f, wire.StatusNotANumber)
			return
		}
	}
	r.server.operand = wire.AppendNumber(r.server.operand[:0], sum+delta)
	f.Value = r.server.operand
}

// fail makes the entry one without effect. It keeps the key: after a split, only the half that holds
// the key may give the answer.
func fail(f *wire.ChainEntryFields, s wire.Status) {
	f.Status, f.Effect, f.Value = s, wire.EffectNone, nil
}

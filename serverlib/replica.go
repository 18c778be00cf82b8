package serverlib

import (
	"encoding/binary"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib/chain"
	"github.com/turbokv/turbokv/wire"
)

// truncatePart is the part of the window that a durable log keeps of stable entries before it is
// cut: 256 of them by default. A range deletion costs as much as several updates. By then most
// clients no longer wait for the results in them, so these never need rows of their own.
const truncatePart = 16

// replica is one sub-range on this node. It is the chain.Host of its chain.Replica: here an entry
// becomes rows of the engine, a remembered result, and a reply.
type replica struct {
	server     *Server
	store      *store
	assignment kv.Assignment
	chain      *chain.Replica // nil if the data is lost
	join       *joining       // of a learner
	source     source         // at the tail, for a learner
	sessions   sessions
	view       view      // at the tail
	recent     *newestOf // of a durable replica, from its first update on
	valueless  kv.Seq    // last entry that was loaded without its value
	durable    bool
	state      State // what was last reported through Events

	now         time.Duration // of the current step
	configured  time.Duration // when the epoch began on this node
	restored    bool          // the epoch began in an earlier life of the node
	wantsSync   bool          // in store.unsynced
	syncTo      kv.Seq        // what the running sync covers
	unsaved     bool          // the assignment may be lost in a crash: nobody hears of it yet
	saving      bool          // the running sync covers it
	unproven    bool          // caught up, but a crash may make it forget that: nobody hears of it yet
	proving     bool          // the running sync covers it
	touched     bool          // in server.touched
	busy        bool          // in server.busy
	resultOwner kv.ClientID   // whose results deleteResult removes
	forget      func(kv.RequestSeq)
	samples     reservoir
}

// unknownTime stands for the start of an epoch that began in an earlier life of the node.
const unknownTime time.Duration = -1

func newReplica(s *Server, st *store, a kv.Assignment) *replica {
	r := &replica{
		server: s, store: st, assignment: a, sessions: sessions{},
		durable: a.Durability == kv.DurabilitySync,
	}
	r.forget = r.deleteResult
	return r
}

// begin gives the replica a log that starts after base.
func (r *replica) begin(base kv.Seq) {
	r.chain = chain.New(r.chainConfig(), r, base)
}

func (r *replica) chainConfig() chain.Config {
	return chain.Config{
		Self: r.server.cfg.Node, Incarnation: r.server.cfg.Incarnation, SubRange: r.assignment.SubRange,
		Volatile: !r.durable, Window: r.server.cfg.Limits.Window, Timing: chain.DefaultTiming,
	}
}

// enter puts an assignment into force that is about to be stored.
func (r *replica) enter(now time.Duration, a kv.Assignment) {
	r.unsaved, r.saving = r.durable && r.chain != nil, false
	if r.unsaved {
		r.store.wantSync(r)
	}
	r.resume(now, a)
}

// resume puts an assignment into force.
func (r *replica) resume(now time.Duration, a kv.Assignment) {
	a.Create, a.Forks, a.Absorb = false, nil, kv.Absorbed{} // used up
	r.assignment, r.now, r.configured, r.restored = a, now, now, false
	r.server.touch(r)
	if r.chain == nil {
		return
	}
	r.view.reset()
	if a.Chain.Tail() == r.server.cfg.Node {
		r.shadowUnknown()
	}
	r.source = source{}
	r.chain.Configure(now, a.Epoch, a.Chain, a.Learner)
	if r.durable && r.chain.Durable() < r.chain.Applied() {
		r.store.wantSync(r)
	}
}

// saved lets the replica speak, its assignment being on stable storage now. Whoever had spoken before
// could come back from a crash as a member of an older epoch, order updates there with neighbours
// that have not heard of this one, and bring them along to those that have.
func (r *replica) saved(now time.Duration) {
	r.unsaved, r.saving = false, false
	r.resume(now, r.assignment)
}

// shadowUnknown hides from readers the records with updates that are not known to be committed.
func (r *replica) shadowUnknown() {
	for seq := r.chain.Stable() + 1; seq <= r.chain.Applied(); seq++ {
		r.view.addDoubtful(seq, r.changedKey(r.chain.Entry(seq)))
	}
}

// currentState tells what the replica can do, as it is reported: the controller gives up other
// copies for one that serves, so that must outlast a crash.
func (r *replica) currentState() State {
	if s := r.ability(); s != StateServing || !r.unproven {
		return s
	}
	return StateRecovering
}

// ability tells what the replica can do now.
func (r *replica) ability() State {
	switch {
	case r.store.failed != nil:
		return StateFailed
	case r.chain == nil:
		return StateLost
	case r.join != nil && r.join.joined:
		return StateJoined
	case r.join != nil:
		return StateLearning
	case !r.chain.Ready() || r.chain.Behind():
		return StateRecovering
	}
	return StateServing
}

// noteState reports a change, unless the node has the replica no more.
func (r *replica) noteState() {
	if r.server.replicas[r.assignment.SubRange] != r {
		return
	}
	if state := r.currentState(); state != r.state {
		r.state = state
		if f := r.server.cfg.Events.StateChanged; f != nil {
			f(r.assignment.SubRange, state)
		}
	}
}

// recordKey returns the engine key of a record, valid until the next call.
func (r *replica) recordKey(key []byte) []byte {
	var ik kv.IndexKey
	if r.assignment.Partitioner == kv.HashPartitioned {
		ik = r.assignment.Partitioner.IndexKey(key)
	}
	r.server.key = appendRecordKey(r.server.key[:0], &r.assignment, ik, key)
	return r.server.key
}

// Apply implements chain.Host: record, result and log entry become one batch (I5).
func (r *replica) Apply(seq kv.Seq, e wire.ChainEntry, committed bool) {
	key := r.changedKey(e)
	if !committed && r.chain.Tail() {
		r.shadow(seq, key)
	}
	if len(key) > 0 {
		r.change(seq, key, e)
	}
	r.remember(seq, e)
	if r.durable {
		r.logEntry(seq, key, e)
	}
	r.store.flushLarge()
}

// change writes the record that an entry changes.
func (r *replica) change(seq kv.Seq, key []byte, e wire.ChainEntry) {
	if e.Effect() == wire.EffectDelete {
		r.store.batch.Delete(r.recordKey(key))
		return
	}
	r.server.value = appendRecord(r.server.value[:0], kv.Version(seq), e.Value())
	r.store.batch.Put(r.recordKey(key), r.server.value)
}

// shadow keeps what the record that an update changes, if any, was before, for readers. What is
// collected in the store's batch is not committed, so the engine without it is the state before.
func (r *replica) shadow(seq kv.Seq, key []byte) {
	if r.chain.Behind() {
		r.view.addDoubtful(seq, key) // it may have been acknowledged before this node was a member
		return
	}
	s := r.view.add(seq, key)
	if s == nil {
		return
	}
	if !r.durable {
		r.store.flush()
	}
	s.before, s.had = r.store.getApplied(r.recordKey(key), s.before)
	s.known = true
}

// remember makes the result of an entry part of the replicated state.
func (r *replica) remember(seq kv.Seq, e wire.ChainEntry) {
	if e.Effect() == wire.EffectExpire {
		r.expire(e.Client())
		return
	}
	if !r.owns(e.Key()) {
		return
	}
	r.resultOwner = e.Client()
	known := r.sessions[e.Client()]
	if known == nil {
		known = r.sessions.open(e.Client())
		known.lastSeen = r.now
	}
	known.record(resultOf(seq, e), e.Lowest(), r.forget)
}

// deleteResult removes the row of a result that resultOwner no longer waits for.
func (r *replica) deleteResult(n kv.RequestSeq) {
	r.server.key = appendResultKey(r.server.key[:0], r.assignment.SubRange, r.resultOwner, n)
	r.store.batch.Delete(r.server.key)
}

// expire forgets a session and its rows.
func (r *replica) expire(c kv.ClientID) {
	known := r.sessions[c]
	delete(r.sessions, c)
	if !r.durable || known == nil {
		return
	}
	id := r.assignment.SubRange
	r.store.batch.Delete(appendSessionKey(nil, id, c))
	start := appendResultKey(nil, id, c, 0)
	end := append(appendResultKey(nil, id, c, ^kv.RequestSeq(0)), 0)
	r.store.batch.DeleteRange(start, end)
}

// Commit implements chain.Host: the tail answers the client.
func (r *replica) Commit(seq kv.Seq, e wire.ChainEntry) {
	r.view.commit(seq, e)
	if to := e.ClientAddr(); to.Port() != 0 && r.owns(e.Key()) {
		r.server.replyResult(to, r.assignment, e.Op(), e.Client(), resultOf(seq, e))
	}
}

// Stabilized implements chain.Host: entries that every member has are no longer needed, unless by a
// learner.
func (r *replica) Stabilized(kv.Seq) {
	upTo, part := r.chain.Expendable(), kv.Seq(r.server.cfg.Limits.Window/truncatePart)
	switch {
	case !r.durable:
		r.chain.Truncate(upTo)
	case upTo >= r.chain.Base()+part:
		r.truncate(upTo)
	}
}

// truncate cuts the stored log. Sessions and results that stood only in it get rows of their own.
func (r *replica) truncate(upTo kv.Seq) {
	base := r.chain.Base()
	for seq := base + 1; seq <= upTo; seq++ {
		r.storeOutcome(r.chain.Entry(seq))
	}
	id, b := r.assignment.SubRange, &r.store.batch
	b.DeleteRange(appendLogKey(nil, id, base+1), appendLogKey(nil, id, upTo+1))
	r.storeBase(upTo)
	r.chain.Truncate(upTo)
}

func (r *replica) storeBase(base kv.Seq) {
	key := appendSubRangeKey(nil, rowMeta, r.assignment.SubRange)
	r.store.batch.Put(key, binary.BigEndian.AppendUint64(nil, uint64(base)))
}

// storeOutcome gives rows to the session of an entry, and to its result if it is still remembered.
func (r *replica) storeOutcome(e wire.ChainEntry) {
	known := r.sessions[e.Client()]
	if known == nil {
		return // expired since, or it is about no client
	}
	r.storeSession(e.Client(), known)
	if res := known.find(e.Sequence()); res != nil {
		r.storeResult(e.Client(), res)
	}
}

func (r *replica) storeSession(c kv.ClientID, known *session) {
	if known.stored && known.storedLowest == known.lowest {
		return
	}
	known.stored, known.storedLowest = true, known.lowest
	s := r.server
	s.key = appendSessionKey(s.key[:0], r.assignment.SubRange, c)
	s.value = binary.BigEndian.AppendUint64(s.value[:0], uint64(known.lowest))
	r.store.batch.Put(s.key, s.value)
}

func (r *replica) storeResult(c kv.ClientID, res *result) {
	if res.stored {
		return
	}
	res.stored = true
	s := r.server
	s.key = appendResultKey(s.key[:0], r.assignment.SubRange, c, res.request)
	s.value = appendResult(s.value[:0], *res)
	r.store.batch.Put(s.key, s.value)
}

// Buffer implements chain.Host.
func (r *replica) Buffer() []byte { return r.server.buffer() }

// Send implements chain.Host.
func (r *replica) Send(to kv.NodeID, packet []byte) {
	if r.unsaved {
		return
	}
	r.server.send(r.server.nodeAddr(to), packet)
}

// expireIdle orders the end of sessions that have been idle for long, at the head.
func (r *replica) expireIdle(now time.Duration) {
	idle := r.server.cfg.Limits.SessionIdle
	if r.configured == unknownTime {
		r.configured = now
	}
	if r.currentState() != StateServing || !r.chain.Head() || r.assignment.Frozen ||
		now-r.configured < idle {
		return
	}
	r.now = now
	for _, c := range r.sessions.idle(nil, now-idle, expireAtOnce) {
		if !r.chain.HasRoom() {
			return
		}
		r.server.touch(r)
		r.order(wire.ChainEntryFields{Effect: wire.EffectExpire, Client: c})
	}
}

package serverlib

import (
	"errors"
	"fmt"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// A split turns a sub-range into two halves and a merge two neighbours into one. Records stay where
// they are, because they are stored by keyspace; what is copied or joined is what belongs to a
// sub-range: the log, the sessions, the results.
//
// Fork. Members of a chain hold different parts of the log at a moment, and each forks when it hears
// of it. So after a fork both halves have the same log at each member, updates of foreign keys
// included, and each half sends it on by itself. That is sound because an update counts only in the
// half that holds its key: only there it changes the record, is answered, and its result is
// remembered. The other half keeps it for its seq alone. An update that was not acknowledged may
// survive in one half and be lost in the other, when a member fails: then it never happened if it is
// lost in its own half, and nobody may be told the contrary.
//
// Absorb. Two neighbours that are frozen and at rest hold the same at all members. They become one
// whose log is empty and begins behind both, so that versions go on growing.
//
// Both are part of the batch that stores the new assignments. A crash either loses all of that or
// nothing, and who has lost it does it again.

// ErrNotAtRest says that two sub-ranges cannot be merged here, because they are not both frozen in
// the epochs of the merge, with every update known to be at every member.
var ErrNotAtRest = errors.New("sub-range is not at rest in its frozen epoch")

// owns reports whether a key belongs to the sub-range; in the log of one that was split there are
// others.
func (r *replica) owns(key []byte) bool {
	a := &r.assignment
	return len(key) == 0 || a.Interval.Contains(a.Partitioner.IndexKey(key))
}

// changedKey returns the key of the record that an entry changes in this sub-range, nil if none.
func (r *replica) changedKey(e wire.ChainEntry) []byte {
	changes := e.Effect() == wire.EffectPut || e.Effect() == wire.EffectDelete
	if key := e.Key(); changes && r.owns(key) {
		return key
	}
	return nil
}

// mayReshape checks the forks and the merge of an assignment, and that the sub-range does not grow
// or move without one.
func (s *Server) mayReshape(a kv.Assignment) error {
	for _, f := range a.Forks {
		switch {
		case f.Interval.Overlaps(a.Interval):
			return fmt.Errorf("%w: fork %v of %v, which keeps %v", ErrContradicts, f.SubRange, f.Interval,
				a.Interval)
		case f.Partitioner != a.Partitioner || f.Durability != a.Durability:
			return fmt.Errorf("%w: fork %v is %v, %v: must be %v, %v", ErrContradicts, f.SubRange,
				f.Partitioner, f.Durability, a.Partitioner, a.Durability)
		}
		if err := s.mayConfigure(f); err != nil && !errors.Is(err, ErrStaleEpoch) {
			return fmt.Errorf("fork %v: %w", f.SubRange, err)
		}
	}
	r := s.replicas[a.SubRange]
	q, err := s.toAbsorb(r, a.Absorb)
	if err != nil || !r.keeps(a) {
		return err
	}
	grown := []kv.Interval{r.assignment.Interval}
	if q != nil {
		grown = append(grown, q.assignment.Interval)
	}
	if left := a.Interval.Without(grown...); len(left) > 0 {
		return fmt.Errorf("%w: interval %v has %v, which is not in %v", ErrContradicts, a.Interval, left,
			grown)
	}
	return nil
}

// keeps reports whether the replica goes on with the state that it has in the epoch of a.
func (r *replica) keeps(a kv.Assignment) bool {
	return r != nil && r.chain != nil && r.assignment.Epoch >= a.Since
}

// toAbsorb returns the replica that r is to absorb; nil if there is none, or no more.
func (s *Server) toAbsorb(r *replica, b kv.Absorbed) (*replica, error) {
	if b == (kv.Absorbed{}) || r != nil && r.assignment.Epoch > b.Into {
		return nil, nil
	}
	q := s.replicas[b.SubRange]
	if !r.atRest(b.Into) {
		return nil, fmt.Errorf("%w: to absorb %v it must be at %v, and is %v", ErrNotAtRest, b.SubRange,
			b.Into, r)
	}
	if !q.atRest(b.Epoch) {
		return nil, fmt.Errorf("%w: to be absorbed, %v must be at %v, and is %v", ErrNotAtRest,
			b.SubRange, b.Epoch, q)
	}
	return q, nil
}

// atRest reports whether the replica is frozen in this epoch and has nothing that another member may
// lack. One that has been restarted in this epoch cannot know that, and need not: the controller asks
// for a merge only after every member has told that it is so, and nothing changes in a frozen epoch.
func (r *replica) atRest(frozen kv.Epoch) bool {
	return r != nil && r.chain != nil && r.join == nil && !r.chain.Behind() &&
		r.assignment.Epoch == frozen && r.assignment.Frozen && (r.restored || r.chain.Stable() == r.chain.Applied())
}

// String describes the replica in errors.
func (r *replica) String() string {
	switch {
	case r == nil:
		return "not on this node"
	case r.chain == nil:
		return fmt.Sprintf("%v at %v, lost", r.assignment.SubRange, r.assignment.Epoch)
	}
	return fmt.Sprintf("%v at %v, frozen %v, applied %d, stable %d", r.assignment.SubRange,
		r.assignment.Epoch, r.assignment.Frozen, r.chain.Applied(), r.chain.Stable())
}

// reshape does what an assignment says about forks and a merge, before it comes into force itself.
// It has passed mayReshape.
func (s *Server) reshape(a kv.Assignment) (forked []*replica) {
	r := s.replicas[a.SubRange]
	if !r.keeps(a) || r.assignment.Epoch >= a.Epoch {
		return nil
	}
	if q, _ := s.toAbsorb(r, a.Absorb); q != nil {
		r.absorb(q)
	}
	for _, f := range a.Forks {
		if s.replicas[f.SubRange] == nil && len(f.Interval.Without(r.assignment.Interval)) == 0 {
			forked = append(forked, r.fork(f))
		}
	}
	if a.Interval != r.assignment.Interval {
		s.eraseRecords(r, a.Interval)
		r.narrow(a.Interval)
	}
	return forked
}

// fork makes a replica of another sub-range out of a copy of this one.
func (r *replica) fork(a kv.Assignment) *replica {
	s := r.server
	q := newReplica(s, r.store, a)
	q.sessions = r.sessions.clone()
	q.chain = r.chain.Fork(q.chainConfig(), q)
	q.forgetForeign()
	if q.durable {
		q.storeBase(q.chain.Base())
		q.storeLog()
		q.storeSessions()
	}
	if q.chain.Behind() {
		q.storeMark(markBehind)
	}
	s.replicas[a.SubRange] = q
	return q
}

// narrow cuts the interval and forgets what belongs to others from then on.
func (r *replica) narrow(to kv.Interval) {
	r.assignment.Interval = to
	r.forgetForeign()
}

// forgetForeign forgets the results of requests that now belong to another sub-range. Of those that
// stand no longer in the log it cannot tell, but they are stable, so the other has the same.
func (r *replica) forgetForeign() {
	if r.chain == nil {
		return
	}
	for seq := r.chain.Base() + 1; seq <= r.chain.Applied(); seq++ {
		e := r.chain.Entry(seq)
		known := r.sessions[e.Client()]
		if known == nil || r.owns(e.Key()) {
			continue
		}
		r.resultOwner = e.Client()
		known.remove(e.Sequence(), seq, r.forget)
	}
}

// absorb makes another replica part of this one.
func (r *replica) absorb(q *replica) {
	base := max(r.chain.Applied(), q.chain.Applied())
	for _, c := range q.sessions.clients() {
		r.resultOwner = c
		r.sessions.open(c).merge(q.sessions[c], r.forget)
	}
	if r.durable {
		r.store.batch.DeleteRange(subRangeRows(rowLog, r.assignment.SubRange))
		r.storeBase(base)
		r.storeSessions()
	}
	r.begin(base)
	r.assignment.Interval = r.assignment.Interval.Hull(q.assignment.Interval)
	r.server.drop(q)
}

// storeLog gives rows to all entries, complete with their values.
func (r *replica) storeLog() {
	for seq := r.chain.Base() + 1; seq <= r.chain.Applied(); seq++ {
		r.putLogRow(seq, r.chain.Entry(seq), false)
	}
}

// storeSessions gives rows to all sessions and results that have none.
func (r *replica) storeSessions() {
	for _, c := range r.sessions.clients() {
		known := r.sessions[c]
		r.storeSession(c, known)
		for i := range known.live() {
			r.storeResult(c, &known.live()[i])
		}
	}
}

// drop removes a replica and all its rows but the records.
func (s *Server) drop(r *replica) {
	id := r.assignment.SubRange
	r.eraseRows()
	r.chain, r.join = nil, nil // in case it still stands in some list
	delete(s.replicas, id)
	if s.durable != nil {
		s.durable.batch.Delete(appendSubRangeKey(nil, rowAssignment, id))
	}
}

// eraseRows removes all rows but the records and the assignment.
func (r *replica) eraseRows() {
	if !r.durable {
		return
	}
	id, b := r.assignment.SubRange, &r.store.batch
	b.Delete(appendSubRangeKey(nil, rowMeta, id))
	b.Delete(appendSubRangeKey(nil, rowJoin, id))
	for _, row := range []byte{rowLog, rowSession, rowResult} {
		b.DeleteRange(subRangeRows(row, id))
	}
}

// eraseRecords removes the records of a replica's interval, but for those that it keeps and those
// that belong to another replica of this node which has data: its view of what it holds may be old.
func (s *Server) eraseRecords(r *replica, keep ...kv.Interval) {
	for _, id := range s.ids() {
		o := s.replicas[id]
		if o != r && o.chain != nil && o.assignment.Keyspace == r.assignment.Keyspace {
			keep = append(keep, o.assignment.Interval)
		}
	}
	a := &r.assignment
	for _, i := range a.Interval.Without(keep...) {
		r.store.batch.DeleteRange(appendLower(nil, a, i.First), appendUpper(nil, a, i.Last))
	}
}

// claim makes the records of a learner's interval its own: it erases them all, and takes them from
// other replicas of this node that believe to hold some. Those are from before a split or a merge
// that the node has not heard of; left alone, records that were removed since would come back. A
// sub-range never loses the first index key of its interval as long as there is one, because a split
// leaves it the lower part; so one whose first index key is claimed has been merged into another.
func (s *Server) claim(r *replica) {
	mine := r.assignment.Interval
	for _, id := range s.ids() {
		o := s.replicas[id]
		a := &o.assignment
		if o == r || a.Keyspace != r.assignment.Keyspace || !a.Interval.Overlaps(mine) {
			continue
		}
		if mine.Contains(a.Interval.First) {
			o.lose()
			s.touch(o)
			continue
		}
		to := a.Interval
		to.Last, _ = mine.First.Prev() // it has a first index key below
		o.narrow(to)
		s.remember(o.assignment)
	}
	s.eraseRecords(r)
}

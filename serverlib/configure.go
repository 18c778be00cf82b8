package serverlib

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// Configure puts an assignment into force. It is idempotent. When it has returned nil, the
// assignment is in the durable engine but not synced: the driver syncs before it tells the
// controller. Errors: ErrStaleEpoch, ErrNotMember, ErrContradicts, ErrNoEngine, ErrEngineFailed,
// and those of kv.Assignment.Validate.
func (s *Server) Configure(now time.Duration, a kv.Assignment) error {
	s.start()
	if err := s.mayConfigure(a); err != nil {
		return fmt.Errorf("configure %v: %w", a.SubRange, err)
	}
	r := s.replicas[a.SubRange]
	if r != nil && r.assignment.Epoch == a.Epoch {
		return nil
	}
	if r == nil {
		r = newReplica(s, s.storeOf(a.Durability), a)
		s.replicas[a.SubRange] = r
	}
	if r.chain == nil && a.Create {
		r.begin(0)
		if r.durable {
			r.storeBase(0)
		}
	}
	s.remember(a)
	r.enter(now, a)
	if err := s.flushStores(); err != nil {
		return fmt.Errorf("configure %v: %w", a.SubRange, err)
	}
	return nil
}

// mayConfigure checks an assignment against what the node is and has.
func (s *Server) mayConfigure(a kv.Assignment) error {
	if err := a.Validate(); err != nil {
		return err
	}
	switch st := s.storeOf(a.Durability); {
	case a.Chain.Position(s.cfg.Node) < 0:
		return fmt.Errorf("%w: %v in chain %v", ErrNotMember, s.cfg.Node, a.Chain)
	case st == nil:
		return fmt.Errorf("%w: %v", ErrNoEngine, a.Durability)
	case st.failed != nil:
		return fmt.Errorf("%w: %v: %w", ErrEngineFailed, a.Durability, st.failed)
	}
	r := s.replicas[a.SubRange]
	if r == nil {
		return nil
	}
	old := r.assignment
	switch {
	case a.Epoch < old.Epoch:
		return fmt.Errorf("%w: %v, in force is %v", ErrStaleEpoch, a.Epoch, old.Epoch)
	case a.Keyspace != old.Keyspace, a.Partitioner != old.Partitioner, a.Durability != old.Durability:
		return fmt.Errorf("%w: keyspace %d, %v, %v: in force are %d, %v, %v", ErrContradicts,
			a.Keyspace, a.Partitioner, a.Durability, old.Keyspace, old.Partitioner, old.Durability)
	case a.Epoch == old.Epoch && (a.Interval != old.Interval || !slices.Equal(a.Chain, old.Chain)):
		return fmt.Errorf("%w: %v has chain %v and interval %v", ErrContradicts, a.Epoch,
			old.Chain, old.Interval)
	}
	return nil
}

// remember stores an assignment, so that a restarted node serves without the controller (I2), or
// knows that it has lost what was in memory. Create is not stored: it is used up.
func (s *Server) remember(a kv.Assignment) {
	if s.durable == nil {
		return
	}
	a.Create = false
	row, err := json.Marshal(a)
	if err != nil {
		panic(fmt.Sprintf("serverlib: assignment: %v", err)) // no field can fail to marshal
	}
	s.durable.batch.Put(appendSubRangeKey(nil, rowAssignment, a.SubRange), row)
}

// Revoke removes the replica of a sub-range and its data. epoch is the one that no longer lists
// this node; one older than that in force gives ErrStaleEpoch. Revoking a sub-range that the node
// does not have is no error. The driver syncs before it tells the controller.
func (s *Server) Revoke(now time.Duration, id kv.SubRangeID, epoch kv.Epoch) error {
	s.start()
	r := s.replicas[id]
	if r == nil {
		return nil
	}
	if epoch < r.assignment.Epoch {
		return fmt.Errorf("revoke %v: %w: %v, in force is %v", id, ErrStaleEpoch, epoch,
			r.assignment.Epoch)
	}
	r.erase()
	delete(s.replicas, id)
	if s.durable != nil {
		s.durable.batch.Delete(appendSubRangeKey(nil, rowAssignment, id))
	}
	if err := s.flushStores(); err != nil {
		return fmt.Errorf("revoke %v: %w", id, err)
	}
	return nil
}

// erase removes all rows, and makes the replica one that has lost its data, in case it still
// stands in some list.
func (r *replica) erase() {
	a, b := &r.assignment, &r.store.batch
	b.DeleteRange(appendLower(nil, a, a.Interval.First), appendUpper(nil, a, a.Interval.Last))
	if r.durable {
		b.Delete(appendSubRangeKey(nil, rowMeta, a.SubRange))
		for _, row := range []byte{rowLog, rowSession, rowResult} {
			b.DeleteRange(subRangeRows(row, a.SubRange))
		}
	}
	r.chain = nil
}

// flushStores applies what was collected, for those who must not go on without it.
func (s *Server) flushStores() error {
	for _, st := range []*store{s.volatile, s.durable} {
		if st != nil && !st.flush() {
			return fmt.Errorf("%w: %v: %w", ErrEngineFailed, st.durability, st.failed)
		}
	}
	return nil
}

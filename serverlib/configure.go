package serverlib

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// Configure puts an assignment into force, and with it its forks, in one step. It is idempotent.
// When it has returned nil, the assignments are in the durable engine but not synced: the driver
// syncs before it tells the controller, and the server says nothing to neighbours before it has been
// told of a sync. Errors, all before anything has changed but the last:
// ErrStaleEpoch, ErrNotMember, ErrContradicts, ErrNotAtRest, ErrNoEngine, those of
// kv.Assignment.Validate, and ErrEngineFailed.
func (s *Server) Configure(now time.Duration, a kv.Assignment) error {
	s.start()
	if err := s.mayConfigure(a); err != nil {
		return fmt.Errorf("configure %v: %w", a.SubRange, err)
	}
	if err := s.mayReshape(a); err != nil {
		return fmt.Errorf("configure %v: %w", a.SubRange, err)
	}
	for _, q := range s.reshape(a) {
		s.remember(q.assignment)
		q.enter(now, q.assignment)
	}
	s.put(now, a)
	for _, f := range a.Forks {
		f.Create = false // it has the state of what it is cut out of, or none
		s.put(now, f)
	}
	if err := s.flushStores(); err != nil {
		return fmt.Errorf("configure %v: %w", a.SubRange, err)
	}
	return nil
}

// put puts one assignment into force, unless it is or a later one.
func (s *Server) put(now time.Duration, a kv.Assignment) {
	r := s.replicas[a.SubRange]
	if r != nil && r.assignment.Epoch >= a.Epoch {
		return
	}
	kept := r.keeps(a)
	if r == nil {
		r = newReplica(s, s.storeOf(a.Durability), a)
		s.replicas[a.SubRange] = r
	}
	r.takeOver(a, kept)
	s.remember(a)
	r.enter(now, a)
}

// mayConfigure checks an assignment against what the node is and has.
func (s *Server) mayConfigure(a kv.Assignment) error {
	if err := a.Validate(); err != nil {
		return err
	}
	switch st := s.storeOf(a.Durability); {
	case a.Chain.Position(s.cfg.Node) < 0 && a.Learner != s.cfg.Node:
		return fmt.Errorf("%w: %v in chain %v with learner %v", ErrNotMember, s.cfg.Node, a.Chain,
			a.Learner)
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
	case a.Epoch == old.Epoch && (a.Interval != old.Interval || a.Frozen != old.Frozen ||
		a.Learner != old.Learner || !slices.Equal(a.Chain, old.Chain)):
		return fmt.Errorf("%w: %v has chain %v, learner %v, interval %v, frozen %v", ErrContradicts,
			a.Epoch, old.Chain, old.Learner, old.Interval, old.Frozen)
	}
	return nil
}

// remember stores an assignment, so that a restarted node serves without the controller (I2), or
// knows that it has lost what was in memory. What is used up is not stored.
func (s *Server) remember(a kv.Assignment) {
	if s.durable == nil {
		return
	}
	a.Create, a.Forks, a.Absorb = false, nil, kv.Absorbed{}
	row, err := json.Marshal(a)
	if err != nil {
		panic(fmt.Sprintf("serverlib: assignment: %v", err)) // no field can fail to marshal
	}
	s.durable.batch.Put(appendSubRangeKey(nil, rowAssignment, a.SubRange), row)
}

// Revoke removes the replica of a sub-range and its data, but for records that by now belong to
// another sub-range of the same keyspace on this node. epoch is the one that no longer lists
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
	s.eraseRecords(r)
	s.drop(r)
	if err := s.flushStores(); err != nil {
		return fmt.Errorf("revoke %v: %w", id, err)
	}
	return nil
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

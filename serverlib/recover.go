package serverlib

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// ErrCorrupt says that the durable engine holds rows that this package did not write so.
var ErrCorrupt = errors.New("stored rows are corrupt")

// recoverAll finds the assignments that the node had and restores their replicas (I2): it serves
// again without asking the controller.
func (s *Server) recoverAll() error {
	var found []kv.Assignment
	var bad error
	start, end := []byte{rowAssignment}, []byte{rowAssignment + 1}
	err := s.durable.engine.Scan(start, end, func(_, row []byte) bool {
		var a kv.Assignment
		if bad = json.Unmarshal(row, &a); bad == nil {
			bad = a.Validate()
		}
		found = append(found, a)
		return bad == nil
	})
	if bad != nil {
		return fmt.Errorf("%w: assignment: %w", ErrCorrupt, bad)
	}
	if err != nil {
		return fmt.Errorf("read assignments: %w", err)
	}
	for _, a := range found {
		st := s.storeOf(a.Durability)
		if st == nil {
			return fmt.Errorf("%v: %w: %v", a.SubRange, ErrNoEngine, a.Durability)
		}
		s.replicas[a.SubRange] = newReplica(s, st, a)
	}
	// Learners come last: one that starts over must know whose records it has to leave alone.
	slices.SortStableFunc(found, func(a, b kv.Assignment) int {
		return cmp.Compare(s.learns(a), s.learns(b))
	})
	for _, a := range found {
		if err := s.replicas[a.SubRange].restore(); err != nil {
			return fmt.Errorf("%v: %w", a.SubRange, err)
		}
	}
	return nil
}

// learns returns 1 if the node is the learner of an assignment, else 0.
func (s *Server) learns(a kv.Assignment) int {
	if a.Learner == s.cfg.Node {
		return 1
	}
	return 0
}

// restore brings a replica back. What was only in memory is lost: only the controller may decide to
// go on without it. A learner that had not come to the end starts over by itself.
func (r *replica) restore() error {
	mark, err := r.loadMark()
	if err != nil {
		return err
	}
	learns := r.assignment.Learner == r.server.cfg.Node
	switch {
	case learns && mark != markBehind:
		r.beginJoin(r.assignment)
	case r.durable && mark != markJoining:
		if err := r.load(); err != nil {
			return err
		}
		r.dropValueless()
	}
	if r.chain != nil && mark == markBehind {
		r.chain.SetBehind()
		if learns {
			r.join = &joining{begun: true, cursor: wire.AppendEndCursor(nil), durable: true}
		}
	}
	r.resume(0, r.assignment)
	r.configured, r.restored = unknownTime, true
	return nil
}

// loadMark returns how far the replica was as a learner, 0 if it has not been one.
func (r *replica) loadMark() (byte, error) {
	if !r.durable {
		return 0, nil
	}
	key := appendSubRangeKey(nil, rowJoin, r.assignment.SubRange)
	row, ok, err := r.store.engine.Get(key, nil)
	if err != nil || !ok {
		return 0, err
	}
	if len(row) != 1 || row[0] != markJoining && row[0] != markBehind {
		return 0, fmt.Errorf("%w: join row %x", ErrCorrupt, row)
	}
	return row[0], nil
}

// load reads log, sessions and results; without a meta row there is nothing to load.
func (r *replica) load() error {
	id, engine := r.assignment.SubRange, r.store.engine
	row, ok, err := engine.Get(appendSubRangeKey(nil, rowMeta, id), nil)
	if err != nil || !ok {
		return err
	}
	if len(row) != 8 {
		return fmt.Errorf("%w: meta of %d bytes", ErrCorrupt, len(row))
	}
	r.begin(kv.Seq(binary.BigEndian.Uint64(row)))
	for _, part := range []struct {
		row  byte
		load func(key, row []byte) error // key without row type and sub-range
	}{
		{rowSession, r.loadSession}, {rowResult, r.loadResult}, {rowLog, r.loadEntry},
	} {
		if err := r.loadRows(part.row, part.load); err != nil {
			return err
		}
	}
	return r.checkLog()
}

func (r *replica) loadRows(kind byte, load func(key, row []byte) error) error {
	start, end := subRangeRows(kind, r.assignment.SubRange)
	var bad error
	err := r.store.engine.Scan(start, end, func(key, row []byte) bool {
		bad = load(key[len(start):], row)
		return bad == nil
	})
	return errors.Join(bad, err)
}

func (r *replica) loadSession(key, row []byte) error {
	if len(key) != 8 || len(row) != 8 {
		return fmt.Errorf("%w: session", ErrCorrupt)
	}
	known := r.sessions.open(kv.ClientID(binary.BigEndian.Uint64(key)))
	known.lowest = kv.RequestSeq(binary.BigEndian.Uint64(row))
	known.stored, known.storedLowest = true, known.lowest
	return nil
}

func (r *replica) loadResult(key, row []byte) error {
	if len(key) != 16 {
		return fmt.Errorf("%w: key of a result", ErrCorrupt)
	}
	res, ok := decodeResult(kv.RequestSeq(binary.BigEndian.Uint64(key[8:])), row)
	if !ok {
		return fmt.Errorf("%w: result", ErrCorrupt)
	}
	r.resultOwner = kv.ClientID(binary.BigEndian.Uint64(key))
	r.sessions.open(r.resultOwner).record(res, 0, r.forget)
	return nil
}

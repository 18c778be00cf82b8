package controlpb

import (
	"fmt"
	"math"

	"github.com/turbokv/turbokv/kv"
)

// FromAssignment returns the message for an assignment.
func FromAssignment(a kv.Assignment) *Assign {
	m := &Assign{
		SubRange:      uint32(a.SubRange),
		Epoch:         uint32(a.Epoch),
		Keyspace:      uint32(a.Keyspace),
		Partitioner:   uint32(a.Partitioner),
		Durability:    uint32(a.Durability),
		FirstIndexKey: a.Interval.First[:],
		LastIndexKey:  a.Interval.Last[:],
		Chain:         make([]uint32, len(a.Chain)),
		Create:        a.Create,
		Since:         uint32(a.Since),
		Learner:       uint32(a.Learner),
		Frozen:        a.Frozen,
	}
	for i, n := range a.Chain {
		m.Chain[i] = uint32(n)
	}
	for _, f := range a.Forks {
		m.Forks = append(m.Forks, FromAssignment(f))
	}
	if b := a.Absorb; b != (kv.Absorbed{}) {
		m.Absorb = &Absorbed{
			SubRange: uint32(b.SubRange), Epoch: uint32(b.Epoch), Into: uint32(b.Into),
		}
	}
	return m
}

// maxForks bounds what one message can make a node do: a split makes one.
const maxForks = 16

// Assignment returns the assignment in the message, validated.
func (m *Assign) Assignment() (kv.Assignment, error) {
	first, err := indexKey("first_index_key", m.GetFirstIndexKey())
	if err != nil {
		return kv.Assignment{}, err
	}
	last, err := indexKey("last_index_key", m.GetLastIndexKey())
	if err != nil {
		return kv.Assignment{}, err
	}
	if err := m.checkWidths(); err != nil {
		return kv.Assignment{}, err
	}
	a := kv.Assignment{
		SubRange:    kv.SubRangeID(m.GetSubRange()),
		Epoch:       kv.Epoch(m.GetEpoch()),
		Keyspace:    kv.KeyspaceID(m.GetKeyspace()),
		Partitioner: kv.Partitioner(m.GetPartitioner()),
		Durability:  kv.Durability(m.GetDurability()),
		Interval:    kv.Interval{First: first, Last: last},
		Create:      m.GetCreate(),
		Since:       kv.Epoch(m.GetSince()),
		Learner:     kv.NodeID(m.GetLearner()),
		Frozen:      m.GetFrozen(),
		Absorb: kv.Absorbed{
			SubRange: kv.SubRangeID(m.GetAbsorb().GetSubRange()),
			Epoch:    kv.Epoch(m.GetAbsorb().GetEpoch()),
			Into:     kv.Epoch(m.GetAbsorb().GetInto()),
		},
	}
	for _, n := range m.GetChain() {
		a.Chain = append(a.Chain, kv.NodeID(n))
	}
	if a.Forks, err = m.forks(); err != nil {
		return kv.Assignment{}, err
	}
	return a, a.Validate()
}

// forks returns the nested assignments. Theirs must not nest again, which also bounds the depth.
func (m *Assign) forks() (out []kv.Assignment, err error) {
	if len(m.GetForks()) > maxForks {
		return nil, fmt.Errorf("assign of sub-range %d: %d forks: must be at most %d",
			m.GetSubRange(), len(m.GetForks()), maxForks)
	}
	for _, f := range m.GetForks() {
		if len(f.GetForks()) > 0 {
			return nil, fmt.Errorf("assign of sub-range %d: fork %d has forks", m.GetSubRange(),
				f.GetSubRange())
		}
		a, err := f.Assignment()
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// checkWidths refuses numbers that the narrower kv types would cut.
func (m *Assign) checkWidths() error {
	switch {
	case m.GetKeyspace() > math.MaxUint16:
		return fmt.Errorf("assign of sub-range %d: keyspace %d: must be at most %d",
			m.GetSubRange(), m.GetKeyspace(), math.MaxUint16)
	case m.GetPartitioner() > math.MaxUint8 || m.GetDurability() > math.MaxUint8:
		return fmt.Errorf("assign of sub-range %d: partitioner %d, durability %d: must fit 8 bits",
			m.GetSubRange(), m.GetPartitioner(), m.GetDurability())
	}
	return nil
}

func indexKey(field string, b []byte) (k kv.IndexKey, err error) {
	if len(b) != kv.IndexKeySize {
		return k, fmt.Errorf("assign: %s has %d bytes: must be %d", field, len(b), kv.IndexKeySize)
	}
	copy(k[:], b)
	return k, nil
}

// RoleOf returns the role of n in a chain.
func RoleOf(n kv.NodeID, c kv.Chain) Role {
	at := c.Position(n)
	switch {
	case at < 0:
		return Role_ROLE_NONE
	case len(c) == 1:
		return Role_ROLE_SINGLE
	case at == 0:
		return Role_ROLE_HEAD
	case at == len(c)-1:
		return Role_ROLE_TAIL
	}
	return Role_ROLE_MIDDLE
}

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
	}
	for i, n := range a.Chain {
		m.Chain[i] = uint32(n)
	}
	return m
}

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
	}
	for _, n := range m.GetChain() {
		a.Chain = append(a.Chain, kv.NodeID(n))
	}
	return a, a.Validate()
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

package coordinate

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/turbokv/turbokv/kv"
)

// SubRange is one entry of a Map: what partition_table and sub_range_table of the switch hold of it.
type SubRange struct {
	ID       kv.SubRangeID
	Keyspace kv.KeyspaceID
	Interval kv.Interval
	Epoch    kv.Epoch
	Chain    kv.Chain // at most kv.MaxChain; an empty one is answered TRY_AGAIN
	Blocked  bool     // answered TRY_AGAIN: its epoch is about to change
}

// ErrMap says that sub-ranges do not make a map.
var ErrMap = errors.New("not a partition map")

// Map tells the sub-range of every index key. It does not change; a nil Map knows nothing and is
// for coordinators that have not heard of the controller yet.
type Map struct {
	lines  map[kv.KeyspaceID][]SubRange // in ascending order, disjoint
	epochs map[kv.SubRangeID]kv.Epoch
	nodes  []kv.NodeID
}

// NewMap returns the map of sub-ranges that do not overlap; gaps may be between them. The nodes are
// those that a client may choose as its coordinator. The error wraps ErrMap.
func NewMap(subRanges []SubRange, nodes []kv.NodeID) (*Map, error) {
	m := &Map{
		lines:  make(map[kv.KeyspaceID][]SubRange),
		epochs: make(map[kv.SubRangeID]kv.Epoch, len(subRanges)),
		nodes:  slices.Clone(nodes),
	}
	for _, r := range subRanges {
		if err := m.add(r); err != nil {
			return nil, err
		}
	}
	for id, line := range m.lines {
		slices.SortFunc(line, func(a, b SubRange) int {
			return a.Interval.First.Compare(b.Interval.First)
		})
		for i := 1; i < len(line); i++ {
			if line[i].Interval.Overlaps(line[i-1].Interval) {
				return nil, fmt.Errorf("%w: keyspace %d: %v and %v overlap", ErrMap, id, line[i-1].ID,
					line[i].ID)
			}
		}
	}
	return m, nil
}

func (m *Map) add(r SubRange) error {
	_, twice := m.epochs[r.ID]
	switch {
	case r.ID == 0 || twice:
		return fmt.Errorf("%w: %v: ids must be distinct and at least 1", ErrMap, r.ID)
	case len(r.Chain) > kv.MaxChain:
		return fmt.Errorf("%w: %v: chain of %d: at most %d", ErrMap, r.ID, len(r.Chain), kv.MaxChain)
	case r.Interval.Last.Less(r.Interval.First):
		return fmt.Errorf("%w: %v: interval %v ends before it starts", ErrMap, r.ID, r.Interval)
	}
	m.epochs[r.ID] = r.Epoch
	m.lines[r.Keyspace] = append(m.lines[r.Keyspace], r)
	return nil
}

// Lookup returns the sub-range that holds the index key, which must not be changed; nil if there is
// none.
func (m *Map) Lookup(k kv.KeyspaceID, key kv.IndexKey) *SubRange {
	if m == nil {
		return nil
	}
	line := m.lines[k]
	after := sort.Search(len(line), func(i int) bool { return key.Less(line[i].Interval.First) })
	if after == 0 || line[after-1].Interval.Last.Less(key) {
		return nil
	}
	return &line[after-1]
}

// Has reports whether there is anything of the keyspace.
func (m *Map) Has(k kv.KeyspaceID) bool { return m != nil && len(m.lines[k]) > 0 }

// Outdated reports whether the map still says what a node has refused: that epoch of the sub-range,
// or an older one.
func (m *Map) Outdated(id kv.SubRangeID, refused kv.Epoch) bool {
	if m == nil {
		return true
	}
	epoch, ok := m.epochs[id]
	return ok && epoch <= refused
}

// Nodes returns the nodes that a client may choose as its coordinator; they must not be changed.
func (m *Map) Nodes() []kv.NodeID {
	if m == nil {
		return nil
	}
	return m.nodes
}

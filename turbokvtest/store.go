package turbokvtest

import (
	"maps"
	"slices"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// store is the controller's disk: what was committed survives every crash of the controller.
type store struct {
	meta      directory.Meta
	nodes     map[kv.NodeID]directory.Node
	keyspaces map[kv.KeyspaceID]directory.Keyspace
	subRanges map[kv.SubRangeID]directory.SubRange
	retired   map[kv.SubRangeID]directory.Retired
	plans     map[uint64]directory.Plan
}

func newStore(clusterID string) *store {
	return &store{
		meta:      directory.Meta{ClusterID: clusterID},
		nodes:     map[kv.NodeID]directory.Node{},
		keyspaces: map[kv.KeyspaceID]directory.Keyspace{},
		subRanges: map[kv.SubRangeID]directory.SubRange{},
		retired:   map[kv.SubRangeID]directory.Retired{},
		plans:     map[uint64]directory.Plan{},
	}
}

// commit stores changes.
func (s *store) commit(changes []directory.Change) {
	for _, c := range changes {
		switch {
		case c.Meta != nil:
			s.meta = *c.Meta
		case c.Node != nil:
			put(s.nodes, c.Node.ID, *c.Node, c.Delete)
		case c.Keyspace != nil:
			put(s.keyspaces, c.Keyspace.ID, *c.Keyspace, c.Delete)
		case c.SubRange != nil:
			put(s.subRanges, c.SubRange.ID, *c.SubRange, c.Delete)
		case c.Retired != nil:
			put(s.retired, c.Retired.ID, *c.Retired, c.Delete)
		case c.Plan != nil:
			put(s.plans, c.Plan.ID, *c.Plan, c.Delete)
		}
	}
}

func put[K comparable, V any](m map[K]V, key K, value V, remove bool) {
	if remove {
		delete(m, key)
	} else {
		m[key] = value
	}
}

// snapshot returns what a controller finds when it starts.
func (s *store) snapshot() directory.Snapshot {
	return directory.Snapshot{
		Meta: s.meta, Nodes: inOrder(s.nodes), Keyspaces: inOrder(s.keyspaces),
		SubRanges: inOrder(s.subRanges), Retired: inOrder(s.retired), Plans: inOrder(s.plans),
	}
}

// inOrder returns the values of a map by ascending key.
func inOrder[K kv.NodeID | kv.KeyspaceID | kv.SubRangeID | uint64, V any](m map[K]V) (out []V) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[key])
	}
	return out
}

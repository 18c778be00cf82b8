package coordinator

import (
	"context"
	"slices"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/kv"
)

// StatusSource is who tells the status of a cluster: an *admin.Client.
type StatusSource interface {
	Status(ctx context.Context) (admin.Status, error)
}

// FromController is the Source that asks the controller's admin service.
func FromController(s StatusSource) Source {
	return func(ctx context.Context) (*coordinate.Map, error) {
		status, err := s.Status(ctx)
		if err != nil {
			return nil, err
		}
		return MapOf(status)
	}
}

// MapOf makes a partition map of a status. Sub-ranges that are being created are not in it, as they
// are in no switch; all nodes that are well may coordinate.
func MapOf(s admin.Status) (*coordinate.Map, error) {
	var subRanges []coordinate.SubRange
	for _, r := range s.SubRanges {
		if r.State != stateCreating {
			subRanges = append(subRanges, coordinate.SubRange{
				ID: r.ID, Keyspace: r.Keyspace, Interval: r.Interval, Epoch: r.Epoch, Chain: r.Chain,
			})
		}
	}
	var nodes []kv.NodeID
	for _, n := range s.Nodes {
		if n.State == stateAlive {
			nodes = append(nodes, n.ID)
		}
	}
	slices.Sort(nodes)
	return coordinate.NewMap(subRanges, nodes)
}

// States as admin.Status words them.
const (
	stateCreating = "creating"
	stateAlive    = "alive"
)

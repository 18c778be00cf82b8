package admin

import (
	"context"

	"github.com/turbokv/turbokv/controller/adminpb"
)

// Index is what the index takes in the switches of a cluster.
type Index struct {
	Levels []IndexLevel // racks first
	// FlatPartition and FlatSubRanges are the rows that every switch would hold if each resolved all
	// requests.
	FlatPartition, FlatSubRanges int
}

// IndexLevel is what it takes in the switches of one level. A row of the partition table is a prefix, one
// entry of a TCAM.
type IndexLevel struct {
	Level, Switches      int
	Partition, SubRanges Spread
}

// Spread is how a number differs among switches.
type Spread struct {
	Min, Max int
	Avg      float64
}

// Compression says how many times fewer rows of the partition table a switch of a level has, on the
// average, than with a flat index; 0 if it has none.
func (x Index) Compression(l IndexLevel) float64 {
	if l.Partition.Avg == 0 {
		return 0
	}
	return float64(x.FlatPartition) / l.Partition.Avg
}

// Index returns what the index takes now.
func (c *Client) Index(ctx context.Context) (x Index, err error) {
	reply, err := c.rpc.Index(ctx, &adminpb.IndexRequest{})
	if err != nil {
		return x, reason(err)
	}
	x.FlatPartition, x.FlatSubRanges = int(reply.GetFlatPartitionEntries()), int(reply.GetFlatSubRangeEntries())
	for _, l := range reply.GetLevels() {
		x.Levels = append(x.Levels, IndexLevel{
			Level: int(l.GetLevel()), Switches: int(l.GetSwitches()),
			Partition: spreadOf(l.GetPartitionEntries()), SubRanges: spreadOf(l.GetSubRangeEntries()),
		})
	}
	return x, nil
}

func spreadOf(m *adminpb.IndexSpread) Spread {
	return Spread{Min: int(m.GetMin()), Max: int(m.GetMax()), Avg: m.GetAverage()}
}

package dataplane

import (
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/p4src"
)

// Rows counts what an index takes in one switch. A row of the partition table is one entry of a TCAM; a
// row of the sub-range table is matched exactly, and stands in SRAM.
type Rows struct {
	Partition int // prefixes
	SubRanges int
}

// Spread is how a number differs among the switches of a level.
type Spread struct {
	Min, Max int
	Avg      float64
}

// LevelCost is what the index takes in the switches of one level.
type LevelCost struct {
	Level, Switches      int
	Partition, SubRanges Spread
}

// IndexCost is what the index takes in all switches, level by level, racks first.
type IndexCost struct {
	Levels []LevelCost
	// Flat is what every switch would hold if each resolved all requests.
	Flat Rows
}

// CostOf measures the index of a fabric; nil: of a switch that stands alone.
func CostOf(v directory.View, f *Fabric) (c IndexCost) {
	for _, parts := range createdByKeyspace(v) {
		for _, r := range parts {
			c.Flat.SubRanges++
			c.Flat.Partition += len(r.Interval.Cover())
		}
	}
	if f == nil {
		c.Levels = []LevelCost{{Switches: 1, Partition: spread([]int{c.Flat.Partition}),
			SubRanges: spread([]int{c.Flat.SubRanges})}}
		return c
	}
	partition, subRanges := make([][]int, f.net.Levels()), make([][]int, f.net.Levels())
	for at, s := range f.net.Switches {
		rows := f.index(v, at).rows()
		partition[s.Level] = append(partition[s.Level], rows.Partition)
		subRanges[s.Level] = append(subRanges[s.Level], rows.SubRanges)
	}
	for level := range partition {
		c.Levels = append(c.Levels, LevelCost{Level: level, Switches: len(partition[level]),
			Partition: spread(partition[level]), SubRanges: spread(subRanges[level])})
	}
	return c
}

// RowsOf counts the rows of the index that one switch of a fabric must hold.
func (f *Fabric) RowsOf(v directory.View, name string) Rows {
	at, ok := f.number[name]
	if !ok {
		return Rows{}
	}
	return f.index(v, at).rows()
}

func (x index) rows() Rows {
	n := Rows{Partition: len(x.passes), SubRanges: len(x.detail)}
	for _, r := range x.detail {
		n.Partition += len(r.Interval.Cover())
	}
	return n
}

func spread(of []int) (s Spread) {
	if len(of) == 0 {
		return s
	}
	s.Min, s.Max = of[0], of[0]
	sum := 0
	for _, n := range of {
		s.Min, s.Max, sum = min(s.Min, n), max(s.Max, n), sum+n
	}
	s.Avg = float64(sum) / float64(len(of))
	return s
}

// RowsIn counts the rows of the index that a switch holds.
func RowsIn(s tables.State) (n Rows) {
	for _, e := range s.Entries {
		switch e.Table {
		case p4src.PartitionTable:
			n.Partition++
		case p4src.SubRangeTable:
			n.SubRanges++
		}
	}
	return n
}

package watch

import (
	"cmp"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

// Sample is the load of all sub-ranges at one time.
type Sample struct {
	At        time.Time
	Keyspaces []Load // by id
}

// Load is the load of the sub-ranges of one keyspace.
type Load struct {
	Keyspace kv.KeyspaceID
	// Cut lists the sub-ranges in the order of their keys. Consecutive samples share it as long as
	// nothing is split or merged.
	Cut *Cut
	// Reads and Writes are requests per second, one number for each sub-range of Cut.
	Reads, Writes []float64
}

// Cut is how a keyspace is cut into sub-ranges.
type Cut struct {
	First []kv.IndexKey // first index keys, ascending; the first is the start of the line
	IDs   []kv.SubRangeID
}

func (c *Cut) equal(d *Cut) bool {
	return slices.Equal(c.First, d.First) && slices.Equal(c.IDs, d.IDs)
}

// sampleOf reduces a status to its loads. The caller holds mu.
func (w *Watcher) sampleOf(now time.Time, s admin.Status) Sample {
	byKeyspace := make(map[kv.KeyspaceID][]admin.SubRange)
	for _, r := range s.SubRanges {
		byKeyspace[r.Keyspace] = append(byKeyspace[r.Keyspace], r)
	}
	out := Sample{At: now}
	for id, ranges := range byKeyspace {
		out.Keyspaces = append(out.Keyspaces, w.loadOf(id, ranges))
	}
	slices.SortFunc(out.Keyspaces, func(a, b Load) int { return cmp.Compare(a.Keyspace, b.Keyspace) })
	return out
}

func (w *Watcher) loadOf(id kv.KeyspaceID, ranges []admin.SubRange) Load {
	slices.SortFunc(ranges, func(a, b admin.SubRange) int {
		return a.Interval.First.Compare(b.Interval.First)
	})
	l := Load{Keyspace: id, Cut: new(Cut)}
	for _, r := range ranges {
		l.Cut.First = append(l.Cut.First, r.Interval.First)
		l.Cut.IDs = append(l.Cut.IDs, r.ID)
		l.Reads, l.Writes = append(l.Reads, r.ReadRate), append(l.Writes, r.WriteRate)
	}
	if before := w.lastCut(id); before != nil && before.equal(l.Cut) {
		l.Cut = before
	}
	return l
}

// lastCut returns how the keyspace was cut when it was looked at last.
func (w *Watcher) lastCut(id kv.KeyspaceID) *Cut {
	if len(w.samples) == 0 {
		return nil
	}
	for _, l := range w.samples[len(w.samples)-1].Keyspaces {
		if l.Keyspace == id {
			return l.Cut
		}
	}
	return nil
}

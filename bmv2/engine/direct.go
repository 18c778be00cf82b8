package engine

import (
	"sync/atomic"

	"github.com/turbokv/turbokv/bmv2"
)

// Direct is what an entry keeps between packets, as far as its table has it: a counter, a meter,
// the time of the last hit. It stays with the entry when that is modified.
type Direct struct {
	Hits  Counter
	Meter Meter
	last  atomic.Uint64
}

// LastHit returns when a packet hit the entry last, or what SetLastHit said, in microseconds.
func (d *Direct) LastHit() uint64 { return d.last.Load() }

// SetLastHit says when the entry came into being.
func (d *Direct) SetLastHit(now uint64) { d.last.Store(now) }

// HasDirect reports whether the entries of a table keep anything between packets.
func HasDirect(t *bmv2.Table) bool { return t.Counter != nil || t.Meter != nil || t.IdleTimeout }

// directSpec says what the entries of a table keep.
type directSpec struct {
	counts, ages bool
	meters       bool
	color        Field // what the direct meter writes
	bytes        bool
	clock        func() uint64
}

func (c *compiler) directSpec(t *bmv2.Table) (d directSpec, err error) {
	d = directSpec{counts: t.Counter != nil, ages: t.IdleTimeout, meters: t.Meter != nil,
		clock: c.clock}
	if d.meters {
		d.bytes = t.Meter.Bytes
		d.color, err = c.Field(t.Meter.Result)
	}
	return d, err
}

// hit is called for each packet that hits the entry, before its action. It returns the colour.
func (s *directSpec) hit(st *State, d *Direct) (color uint64) {
	if s.counts {
		d.Hits.Add(len(st.packet))
	}
	if s.ages {
		d.last.Store(s.clock())
	}
	if s.meters {
		color = d.Meter.Color(s.clock, units(st, s.bytes))
		s.color.Set(st, color)
	}
	return color
}

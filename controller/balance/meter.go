package balance

import (
	"math"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// Window is the time over which rates are smoothed: a person sees them move, one poll does not make
// them jump.
const Window = 5 * time.Second

// Count is what a switch has counted for one sub-range since it was started.
type Count struct {
	SubRange      kv.SubRangeID
	Reads, Writes uint64 // requests
}

// Load is what one sub-range has been asked for.
type Load struct {
	Reads, Writes         uint64  // requests since it was created, as far as is known
	ReadRate, WriteRate   float64 // requests per second, smoothed over Window
	lastReads, lastWrites uint64  // as the switch counts
	at                    time.Duration
	seen                  bool // the switch has been read since the sub-range is known
}

// Meter turns the counters of switches into totals and rates. Pure: time comes in. Each switch has
// counters of its own, so a restart of one is not mistaken for a change of the others.
type Meter struct {
	bySwitch map[string]map[kv.SubRangeID]*Load
}

// NewMeter returns a meter that has seen nothing.
func NewMeter() *Meter { return &Meter{bySwitch: make(map[string]map[kv.SubRangeID]*Load)} }

// Observe takes all counters of one switch as they were read at one time. Sub-ranges that are not in
// them are forgotten. The counters of fresh sub-ranges have never counted for anything else; of
// others, what they showed when first seen belongs to an earlier use of the id.
func (m *Meter) Observe(now time.Duration, from string, counts []Count,
	fresh map[kv.SubRangeID]bool,
) {
	last := m.bySwitch[from]
	seen := make(map[kv.SubRangeID]*Load, len(counts))
	for _, c := range counts {
		l := last[c.SubRange]
		if l == nil {
			l = &Load{at: now}
		}
		if !l.seen && !fresh[c.SubRange] {
			l.lastReads, l.lastWrites, l.at = c.Reads, c.Writes, now
		}
		l.seen = true
		l.add(now, c.Reads, c.Writes)
		seen[c.SubRange] = l
	}
	for id, l := range last { // a half that was split off while these counters were read
		if seen[id] == nil && !l.seen && now < l.at+Window {
			seen[id] = l
		}
	}
	m.bySwitch[from] = seen
}

// Split says that at this time a part of a sub-range became one of its own, which has about this
// share of the load: until it has been counted for a while, it is taken to have it.
func (m *Meter) Split(now time.Duration, from, to kv.SubRangeID, share float64) {
	for _, loads := range m.bySwitch {
		if l := loads[from]; l != nil {
			loads[to] = &Load{
				ReadRate: share * l.ReadRate, WriteRate: share * l.WriteRate, at: now,
			}
			l.ReadRate, l.WriteRate = (1-share)*l.ReadRate, (1-share)*l.WriteRate
		}
	}
}

// Merge says that a sub-range has become part of another.
func (m *Meter) Merge(into, gone kv.SubRangeID) {
	for _, loads := range m.bySwitch {
		l, g := loads[into], loads[gone]
		if l == nil || g == nil {
			continue
		}
		l.Reads, l.Writes = l.Reads+g.Reads, l.Writes+g.Writes
		l.ReadRate, l.WriteRate = l.ReadRate+g.ReadRate, l.WriteRate+g.WriteRate
		delete(loads, gone)
	}
}

func (l *Load) add(now time.Duration, reads, writes uint64) {
	newReads, newWrites := since(l.lastReads, reads), since(l.lastWrites, writes)
	l.Reads, l.Writes = l.Reads+newReads, l.Writes+newWrites
	l.lastReads, l.lastWrites = reads, writes
	if elapsed := (now - l.at).Seconds(); elapsed > 0 {
		keep := math.Exp(-elapsed / Window.Seconds())
		l.ReadRate = keep*l.ReadRate + (1-keep)*float64(newReads)/elapsed
		l.WriteRate = keep*l.WriteRate + (1-keep)*float64(newWrites)/elapsed
	}
	l.at = now
}

// since returns how far a counter went. A counter that went back began again at zero.
func since(last, now uint64) uint64 {
	if now < last {
		return now
	}
	return now - last
}

// Of returns the load of one sub-range over all switches, zeros if nothing is known.
func (m *Meter) Of(id kv.SubRangeID) (sum Load) {
	for _, loads := range m.bySwitch {
		if l := loads[id]; l != nil {
			sum.Reads, sum.Writes = sum.Reads+l.Reads, sum.Writes+l.Writes
			sum.ReadRate, sum.WriteRate = sum.ReadRate+l.ReadRate, sum.WriteRate+l.WriteRate
		}
	}
	return sum
}

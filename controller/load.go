package controller

import (
	"math"
	"time"

	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/kv"
)

// load is what one sub-range has been asked for.
type load struct {
	reads, writes         uint64  // requests since it was created, as far as is known
	readRate, writeRate   float64 // requests per second, smoothed
	lastReads, lastWrites uint64  // as the switch counts
	at                    time.Duration
}

// loadMeter turns the counters of a switch into totals and rates. Pure: time comes in.
type loadMeter struct{ byID map[kv.SubRangeID]*load }

// rateWindow is the time over which rates are smoothed: a person sees them move, one poll does not
// make them jump.
const rateWindow = 5 * time.Second

func newLoadMeter() *loadMeter { return &loadMeter{byID: make(map[kv.SubRangeID]*load)} }

// observe takes the cells of both counters as they were read at one time. Sub-ranges that are not
// in them are forgotten. The cells of fresh sub-ranges have never counted for anything else.
func (m *loadMeter) observe(now time.Duration, reads, writes []p4rt.Cell,
	fresh map[kv.SubRangeID]bool,
) {
	seen := make(map[kv.SubRangeID]*load, len(reads))
	written := make(map[int64]uint64, len(writes))
	for _, c := range writes {
		written[c.Index] = c.Packets
	}
	for _, c := range reads {
		id := kv.SubRangeID(c.Index)
		l, known := m.byID[id]
		if !known {
			l = &load{at: now}
			if !fresh[id] { // the cells have counted for an earlier use of the id
				l.lastReads, l.lastWrites = c.Packets, written[c.Index]
			}
		}
		l.add(now, c.Packets, written[c.Index])
		seen[id] = l
	}
	m.byID = seen
}

func (l *load) add(now time.Duration, reads, writes uint64) {
	newReads, newWrites := since(l.lastReads, reads), since(l.lastWrites, writes)
	l.reads, l.writes = l.reads+newReads, l.writes+newWrites
	l.lastReads, l.lastWrites = reads, writes
	if elapsed := (now - l.at).Seconds(); elapsed > 0 {
		keep := math.Exp(-elapsed / rateWindow.Seconds())
		l.readRate = keep*l.readRate + (1-keep)*float64(newReads)/elapsed
		l.writeRate = keep*l.writeRate + (1-keep)*float64(newWrites)/elapsed
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

// of returns the load of one sub-range, zeros if nothing is known.
func (m *loadMeter) of(id kv.SubRangeID) load {
	if l := m.byID[id]; l != nil {
		return *l
	}
	return load{}
}

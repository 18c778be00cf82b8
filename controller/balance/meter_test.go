package balance

import (
	"math"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

func count(id kv.SubRangeID, reads, writes uint64) []Count { return []Count{{id, reads, writes}} }

func TestRatesApproachTheLoad(t *testing.T) {
	m := NewMeter()
	for i := range uint64(61) {
		m.Observe(time.Duration(i)*time.Second, "s1", count(1, 1000+100*i, 10*i), nil)
	}
	l := m.Of(1)
	if l.Reads != 6000 || l.Writes != 600 || math.Abs(l.ReadRate-100) > 1 ||
		math.Abs(l.WriteRate-10) > 0.1 {
		t.Fatalf("%+v: want 6000 reads at 100/s, 600 writes at 10/s", l)
	}
	for i := range uint64(60) {
		m.Observe(time.Duration(61+i)*time.Second, "s1", count(1, 7000, 600), nil)
	}
	if l := m.Of(1); l.ReadRate > 0.1 || l.WriteRate > 0.1 {
		t.Fatalf("%+v: the load has gone", l)
	}
}

func TestCountersMayBeginAgain(t *testing.T) {
	m := NewMeter()
	m.Observe(0, "s1", count(1, 500, 0), nil) // counted before this controller started
	m.Observe(time.Second, "s1", count(1, 600, 0), nil)
	m.Observe(2*time.Second, "s1", count(1, 30, 0), nil) // the switch has restarted
	if l := m.Of(1); l.Reads != 130 {
		t.Fatalf("%d reads, want 100 and 30", l.Reads)
	}
	m.Observe(3*time.Second, "s1", count(2, 9, 0), map[kv.SubRangeID]bool{2: true})
	if l := m.Of(2); l.Reads != 9 {
		t.Fatalf("%d reads, want all 9 of a counter that is used for the first time", l.Reads)
	}
	if l := m.Of(1); l != (Load{}) {
		t.Fatalf("%+v: the sub-range is gone", l)
	}
}

func TestSwitchesCountForThemselves(t *testing.T) {
	m := NewMeter()
	for i := range uint64(31) {
		now := time.Duration(i) * time.Second
		m.Observe(now, "s1", count(1, 100*i, 0), nil)
		m.Observe(now, "s2", count(1, 50*(i%10), 0), nil) // restarts every ten seconds
	}
	if l := m.Of(1); l.Reads != 3000+3*450+0 || math.Abs(l.ReadRate-150) > 15 {
		t.Fatalf("%+v: want 4350 reads at 150/s", l)
	}
}

func TestRatesFollowSplitsAndMerges(t *testing.T) {
	m := NewMeter()
	for i := range uint64(61) {
		m.Observe(time.Duration(i)*time.Second, "s1", count(1, 100*i, 0), nil)
	}
	m.Split(60*time.Second, 1, 2, 0.25)
	m.Observe(60*time.Second, "s1", count(1, 6000, 0), nil) // read before the split
	for i := range uint64(20) {
		m.Observe(time.Duration(61+i)*time.Second, "s1",
			[]Count{{1, 6075 + 75*i, 0}, {2, 77 + 25*i, 0}}, nil) // 2 has been another's before
		if a, b := m.Of(1).ReadRate, m.Of(2).ReadRate; math.Abs(a-75) > 1 || math.Abs(b-25) > 1 {
			t.Fatalf("%d s after the split: %v and %v/s, want 75 and 25", i+1, a, b)
		}
	}
	m.Merge(1, 2)
	if l := m.Of(1); math.Abs(l.ReadRate-100) > 2 || m.Of(2) != (Load{}) {
		t.Fatalf("%+v", l)
	}
}

package core_test

import (
	"testing"
	"time"

	"github.com/turbokv/turbokv/controller/balance"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/kv"
)

// load is what clients ask for: so many reads per second of some keys. The switch counts them, and
// tails report samples.
type load struct {
	keys   []kv.IndexKey
	rates  []int
	counts map[kv.SubRangeID]uint64
}

// skewed returns a load of 200 keys, of which the first ones are in one corner and asked for most.
func skewed() *load {
	l := &load{counts: make(map[kv.SubRangeID]uint64)}
	for i := range 200 {
		l.keys = append(l.keys, kv.IndexKey{byte(i), byte(i * 7)})
		l.rates = append(l.rates, 4000/(i+20))
	}
	return l
}

// second counts what is asked in a second.
func (l *load) second(w *world) {
	if w.core == nil {
		return
	}
	samples := make(map[kv.SubRangeID][]kv.IndexKey)
	for _, s := range w.core.View().SubRanges() {
		for i, k := range l.keys {
			if s.Interval.Contains(k) && s.Keyspace != kv.SystemKeyspace {
				l.counts[s.ID] += uint64(l.rates[i])
				if w.rand.IntN(100) < l.rates[i] {
					samples[s.ID] = append(samples[s.ID], k)
				}
			}
		}
	}
	var counts []balance.Count
	for _, s := range w.core.View().SubRanges() {
		counts = append(counts, balance.Count{SubRange: s.ID, Reads: l.counts[s.ID]})
		if keys := samples[s.ID]; len(keys) > 0 {
			w.rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			w.node(s.Chain.Tail()).samples[s.ID] = keys[:min(len(keys), 8)]
		}
	}
	w.did(func() { w.core.Counted(w.now, "s1", counts) })
}

// worst returns the load of the busiest node in averages.
func (w *world) worst() (worst float64) {
	for _, l := range w.core.NodeLoads() {
		worst = max(worst, l.Ratio)
	}
	return worst
}

func TestSkewedLoadIsLevelledAndThenLeftAlone(t *testing.T) {
	w := newReadyWorld(t, 5, core.Policy{})
	l := skewed()
	w.every(time.Second, func() { l.second(w) })
	w.pass(10 * time.Second)
	before := w.worst()
	w.pass(3 * time.Minute)
	after, plans := w.worst(), w.told[core.PlanBegun]
	t.Logf("busiest node: %.2f of the average, then %.2f, by %d plans", before, after, plans)
	if before < 1.5 || after > 1.3 {
		w.fail("the load was not skewed, or is not level")
	}
	w.pass(3 * time.Minute)
	if more := w.told[core.PlanBegun] - plans; more > 2 {
		w.fail("%d more plans under the same load", more)
	}
	if w.told[core.PlanAborted] > 0 {
		w.fail("%d plans were given up", w.told[core.PlanAborted])
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	w := newReadyWorld(t, 5, still)
	l := skewed()
	w.every(time.Second, func() { l.second(w) })
	w.pass(20 * time.Second)
	before := w.core.Revision()
	w.did(func() {
		plans, reasons := w.core.Rebalance(w.now, true)
		if len(plans) == 0 || len(reasons) <= len(plans) || plans[0].ID != 0 {
			w.fail("%+v %q", plans, reasons)
		}
	})
	if w.core.Revision() != before || len(w.core.View().Plans()) > 0 {
		w.fail("it did something")
	}
	w.did(func() { w.core.Rebalance(w.now, false) })
	if len(w.core.View().Plans()) == 0 {
		w.fail("it did nothing")
	}
}

package reconcile

import (
	"testing"

	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

// BenchmarkPlanOneChange finds the one sub-range of a full switch whose chain has changed.
func BenchmarkPlanOneChange(b *testing.B) {
	var desired, installed tables.State
	for id := range uint64(16384) {
		e, r := target(id+1, 1), route(id, 1, id+1)
		r.Match = []tables.Match{{Field: "k", Kind: tables.LPM, Value: tables.Uint(id << 50),
			Prefix: 14}}
		installed.Entries = append(installed.Entries, e, r)
		if id == 7777 {
			e = target(id+1, 2)
		}
		desired.Entries = append(desired.Entries, e, r)
	}
	b.ReportAllocs()
	for b.Loop() {
		if n := Count(Plan(desired, installed, testOrder, 0)); n != 1 {
			b.Fatalf("%d updates, want 1", n)
		}
	}
}

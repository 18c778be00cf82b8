package v1model_test

import (
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// small is an entry of range_table of tables.p4 for the numbers from low to high.
func small(low, high, port byte) *v1model.Entry {
	return &v1model.Entry{Table: "ingress.range_table", Action: "ingress.send", Priority: 7,
		Match:  []v1model.Match{{Value: []byte{low}, High: []byte{high}}, {Value: []byte{1}}},
		Params: [][]byte{{port}}}
}

// Of entries with one priority simple_switch takes the one with the lowest handle; a change of an
// entry keeps its handle, and a new entry gets the lowest one that is free.
func TestEqualPrioritiesAreDecidedByHandles(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	w := sw.NewWorker()
	wins := func(port uint16) {
		t.Helper()
		if out := process(w, 0, frame(4, 1, 5)); len(out) != 1 || out[0].port != port {
			t.Errorf("out %v, want port %d", out, port)
		}
	}
	must(t, sw.Insert(small(0, 9, 1)))
	must(t, sw.Insert(small(1, 9, 2)))
	must(t, sw.Insert(small(2, 9, 3)))
	wins(1)
	must(t, sw.Modify(small(0, 9, 4)))
	wins(4)
	must(t, sw.Delete(small(1, 9, 0)))
	must(t, sw.Delete(small(0, 9, 0)))
	wins(3)
	must(t, sw.Insert(small(3, 9, 5)))
	wins(5)
	must(t, sw.Insert(small(4, 9, 6)))
	wins(5)
}

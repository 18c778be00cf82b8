package turbokvtest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestEventsHappenInOrder compares the agenda with what its times and order demand.
func TestEventsHappenInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var e events
	var last [2]int64 // time and order of the last event
	put, done := 0, 0
	var add func()
	add = func() {
		put++
		at, order := int64(e.now)+r.Int64N(50), int64(put)
		e.after(time.Duration(at)-e.now, func() {
			done++
			if int64(e.now) != at || at < last[0] || at == last[0] && order < last[1] {
				t.Fatalf("event %d of %d at %v, after %v", order, at, e.now, last)
			}
			last = [2]int64{at, order}
			for range r.IntN(3) {
				if put < 5000 {
					add()
				}
			}
		})
	}
	for range 100 {
		add()
	}
	for e.step(1 << 40) {
	}
	if done != put || put < 1000 {
		t.Fatalf("%d of %d happened", done, put)
	}
}

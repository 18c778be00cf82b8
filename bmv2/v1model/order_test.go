package v1model

import (
	"math/rand/v2"
	"testing"
)

func TestOrderGivesTheLowestFreeNumber(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	var o order
	taken := map[uint32]bool{}
	for range 5000 {
		if n := uint32(r.IntN(300)); taken[n] && r.IntN(2) == 0 {
			o.free(n)
			delete(taken, n)
			continue
		}
		want := uint32(0)
		for taken[want] {
			want++
		}
		got := o.next()
		if got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
		o.take(got)
		taken[got] = true
	}
}

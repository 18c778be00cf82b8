package serverlib

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// slowSession is the obvious twin of session: a map.
type slowSession struct {
	lowest  kv.RequestSeq
	results map[kv.RequestSeq]result
}

func (s *slowSession) record(r result, lowest kv.RequestSeq, dropped func(kv.RequestSeq)) {
	s.lowest = max(s.lowest, lowest)
	if r.request >= s.lowest {
		r.stored = r.stored || s.results[r.request].stored
		s.results[r.request] = r
	}
	for n, old := range s.results {
		if n < s.lowest {
			if old.stored {
				dropped(n)
			}
			delete(s.results, n)
		}
	}
}

func TestSessionMatchesTwin(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		fast, slow := session{}, slowSession{results: map[kv.RequestSeq]result{}}
		var droppedFast, droppedSlow []kv.RequestSeq
		at := kv.RequestSeq(1)
		for step := range 400 {
			at += kv.RequestSeq(r.IntN(3))
			n := max(1, int(at)+r.IntN(12)-6)
			res := result{request: kv.RequestSeq(n), seq: kv.Seq(step + 1), stored: r.IntN(3) == 0}
			lowest := kv.RequestSeq(max(0, n-r.IntN(30)))
			fast.record(res, lowest, func(n kv.RequestSeq) { droppedFast = append(droppedFast, n) })
			slow.record(res, lowest, func(n kv.RequestSeq) { droppedSlow = append(droppedSlow, n) })
			compareSessions(t, seed, &fast, &slow)
		}
		slices.Sort(droppedFast)
		slices.Sort(droppedSlow)
		if !slices.Equal(droppedFast, droppedSlow) {
			t.Fatalf("seed %d: rows dropped %v, want %v", seed, droppedFast, droppedSlow)
		}
	}
}

func compareSessions(t *testing.T, seed uint64, fast *session, slow *slowSession) {
	t.Helper()
	if fast.lowest != slow.lowest || len(fast.live()) != len(slow.results) {
		t.Fatalf("seed %d: lowest %d with %d results, want %d with %d", seed, fast.lowest,
			len(fast.live()), slow.lowest, len(slow.results))
	}
	for n := fast.lowest - min(fast.lowest, 3); n < fast.lowest+40; n++ {
		got, want := fast.find(n), slow.results[n]
		if (got == nil) != (want.request == 0) || got != nil && *got != want {
			t.Fatalf("seed %d: result %d is %+v, want %+v", seed, n, got, want)
		}
		from := 0
		for m := range slow.results {
			if m >= n {
				from++
			}
		}
		if fast.countFrom(n) != from {
			t.Fatalf("seed %d: %d results from %d, want %d", seed, fast.countFrom(n), n, from)
		}
	}
}

func TestIdleSessionsAreFoundInOrder(t *testing.T) {
	s := sessions{}
	for c := range kv.ClientID(10) {
		s.open(c + 1).lastSeen = time.Duration(c)
	}
	if got := s.idle(nil, 5, 3); !slices.Equal(got, []kv.ClientID{1, 2, 3}) {
		t.Fatalf("idle sessions %v", got)
	}
}

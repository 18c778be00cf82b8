package session

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

func TestConfigIsChecked(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "Rand must be set"},
		{Config{Rand: r, Window: -1}, "window of -1 requests: must be 1 to 1048576"},
		{Config{Rand: r, Queue: -1}, "queue of -1 requests: must be 1 to 1048576"},
		{Config{Rand: r, Span: -1}, "span of -1 writes: must be 1 to 1048576"},
		{Config{Rand: r, MinRTO: time.Second}, "must be positive and ascending"},
	} {
		if _, err := New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want ...%s", c.cfg, err, c.want)
		}
	}
}

func TestWritesAreNotRepeatedForever(t *testing.T) {
	s, err := New(Config{Rand: rand.New(rand.NewPCG(1, 1))})
	if err != nil {
		t.Fatal(err)
	}
	var out Output
	for _, op := range []wire.Op{wire.OpPut, wire.OpGet} {
		s.Submit(0, &Request{
			Op: op, Partitioner: kv.HashPartitioned, Key: []byte("k"), Deadline: time.Hour, Tag: op,
		}, &out)
	}
	for len(out.Completions) == 0 {
		out.Reset()
		at, _ := s.Wake()
		s.Tick(at, &out)
	}
	c := out.Completions[0]
	alone := len(out.Completions) == 1
	if c.Tag != wire.OpPut || c.Outcome != Unknown || c.Elapsed != MaxRepeat || !alone {
		t.Fatalf("%+v", c)
	}
}

func TestTimeoutFollowsRoundTrip(t *testing.T) {
	cfg, err := Config{Rand: rand.New(rand.NewPCG(1, 1))}.complete()
	if err != nil {
		t.Fatal(err)
	}
	e := newEstimator(cfg)
	if e.timeout(0) != DefaultFirstRTO {
		t.Errorf("before the first sample: %v", e.timeout(0))
	}
	for range 100 {
		e.sample(100 * time.Microsecond)
	}
	for n, want := range map[uint]time.Duration{
		0: DefaultMinRTO, 2: 4 * DefaultMinRTO, 60: DefaultMaxRTO,
	} {
		if got := e.timeout(n); got != want {
			t.Errorf("short round trips, time-out after %d: %v, want %v", n, got, want)
		}
	}
	for range 100 {
		e.sample(time.Second)
	}
	if rto := e.timeout(3); rto < time.Second || rto > 1100*time.Millisecond {
		t.Errorf("round trips of 1 s: %v", rto)
	}
}

func TestNeedlessTimeoutsRaiseTheFloor(t *testing.T) {
	e := newEstimator(Config{MinRTO: DefaultMinRTO, FirstRTO: DefaultFirstRTO, MaxRTO: DefaultMaxRTO})
	e.sample(time.Microsecond)
	now := time.Second
	for range 10 { // of one round
		e.tooShort(now)
	}
	if e.timeout(0) != 2*DefaultMinRTO {
		t.Errorf("after a needless time-out: %v", e.timeout(0))
	}
	for range 10 {
		now += time.Second
		e.tooShort(now)
	}
	if e.timeout(0) != maxFloor*DefaultMinRTO {
		t.Errorf("after many: %v", e.timeout(0))
	}
	for range 10 * floorDecay {
		e.sample(time.Microsecond)
	}
	if e.timeout(0) > DefaultMinRTO+time.Millisecond {
		t.Errorf("a quiet while later: %v", e.timeout(0))
	}
}

// TestTimeoutFindsALongerRoundTrip is the case for which requests share their backoff: the round
// trip becomes longer than the time-out, and every request is sent more than once.
func TestTimeoutFindsALongerRoundTrip(t *testing.T) {
	for _, rtt := range []time.Duration{20 * time.Millisecond, 600 * time.Millisecond} {
		l := newLoop(t, wire.OpGet)
		l.run(1) // measures next to nothing
		repeated := 0
		for range 20 {
			repeated = 0
			l.session.Submit(l.now, &l.request, &l.out)
			p := wire.Packet(l.out.Packets[0].AppendReply(nil, wire.StatusOK))
			p.Seal()
			arrival := l.now + rtt
			for at, _ := l.session.Wake(); at < arrival; at, _ = l.session.Wake() {
				l.out.Reset()
				l.session.Tick(at, &l.out)
				repeated += len(l.out.Packets)
			}
			l.now = arrival
			l.session.Deliver(l.now, p, &l.out)
			l.out.Reset()
		}
		if repeated != 0 {
			t.Errorf("round trip %v: still sent %d times too often", rtt, repeated)
		}
	}
}

// TestLedgerAgainstTwin holds the ring against a map.
func TestLedgerAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	l, open := newLedger(300), map[kv.RequestSeq]uint64{}
	for seq := kv.RequestSeq(1); seq < 5000; seq++ {
		if !l.full() {
			open[seq] = l.add(seq)
		}
		for _, n := range slices.Sorted(maps.Keys(open)) {
			if r.IntN(400) < int(seq/100%8) { // faster and slower by turns
				l.finish(open[n])
				delete(open, n)
			}
		}
		want := seq + 1
		for n := range open {
			want = min(want, n)
		}
		if got := l.lowest(seq + 1); got != want {
			t.Fatalf("lowest outstanding %d, want %d", got, want)
		}
	}
	if len(l.ring) != 512 {
		t.Fatalf("a ring of %d for a span of 300", len(l.ring))
	}
}

// TestWindowSharesAQueue holds AIMD against a bottleneck that holds so many requests and drops
// the rest: the window must use it and not overrun it much.
func TestWindowSharesAQueue(t *testing.T) {
	const room = 100
	w := newWindow(DefaultWindow)
	now := time.Duration(0)
	sum, lost := 0.0, 0
	for round := range 2000 {
		now += time.Millisecond
		size := int(w.size)
		for range min(size, room) {
			w.answered(size)
		}
		for range max(0, size-room) {
			w.congested(now, now-time.Millisecond/2)
		}
		if round >= 1000 {
			sum += float64(min(size, room))
			lost += max(0, size-room)
		}
	}
	if use := sum / 1000 / room; use < 0.8 {
		t.Errorf("uses %.0f %% of the bottleneck", 100*use)
	}
	if share := float64(lost) / sum; share > 0.01 {
		t.Errorf("loses %.1f %% of its requests", 100*share)
	}
}

func TestUnusedWindowDoesNotGrow(t *testing.T) {
	w := newWindow(DefaultWindow)
	for range 1000 {
		w.answered(1)
	}
	if w.size != firstWindow {
		t.Errorf("window of %v requests after 1000 answers to a lone client", w.size)
	}
}

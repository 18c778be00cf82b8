package session

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// loop executes operations without a network: each packet is answered in place.
type loop struct {
	session *Session
	out     Output
	reply   []byte
	now     time.Duration
	request Request
	value   []byte
}

func newLoop(t testing.TB, op wire.Op) *loop {
	s, err := New(Config{Rand: rand.New(rand.NewPCG(1, 1))})
	if err != nil {
		t.Fatal(err)
	}
	return &loop{session: s, value: make([]byte, 100), request: Request{
		Op: op, Keyspace: 1, Partitioner: kv.HashPartitioned, Key: []byte("user0000000000000042"),
		Value: make([]byte, 100), Deadline: never, Tag: "tag",
	}}
}

// run submits depth requests, then answers them.
func (l *loop) run(depth int) (completions int) {
	l.now += time.Microsecond
	for range depth {
		l.session.Submit(l.now, &l.request, &l.out)
	}
	for i := 0; i < len(l.out.Packets); i++ {
		p := l.out.Packets[i]
		r := wire.Packet(append(p.AppendReply(l.reply[:0], wire.StatusOK), l.value...))
		r.Seal()
		l.reply = r
		l.session.Deliver(l.now, r, &l.out)
	}
	completions = len(l.out.Completions)
	l.out.Reset()
	return completions
}

func TestNoAllocationPerOperation(t *testing.T) {
	for _, op := range []wire.Op{wire.OpGet, wire.OpPut, wire.OpIncrement} {
		l := newLoop(t, op)
		for range 200 {
			l.run(64) // until buffers and window have grown
		}
		if n := testing.AllocsPerRun(200, func() {
			if got := l.run(64); got != 64 {
				t.Fatalf("%d of 64 requests ended", got)
			}
			l.session.Tick(l.now, &l.out)
		}); n != 0 {
			t.Errorf("%v: %v allocations per 64 operations", op, n)
		}
	}
}

func TestNoAllocationPerScan(t *testing.T) {
	l := newLoop(t, wire.OpScan)
	l.request.Partitioner, l.request.Budget, l.request.Value = kv.RangePartitioned, 1, nil
	half := kv.IndexKey{0x80}
	answer := func(first, last kv.IndexKey, key string) {
		b := wire.BeginScanReply(l.out.Packets[0].AppendReply(l.reply[:0], wire.StatusOK))
		b.Add(wire.ScanRecord{Key: []byte(key), Value: l.value})
		r := wire.Packet(b.Finish())
		r.SetIndexKey(first)
		r.SetEndIndexKey(last)
		r.Seal()
		l.reply = r
		l.session.Deliver(l.now, r, &l.out)
	}
	records := 0
	count := func(wire.ScanRecord) { records++ }
	if n := testing.AllocsPerRun(200, func() {
		l.session.Submit(l.now, &l.request, &l.out)
		next, _ := half.Next()
		answer(next, kv.MaxIndexKey, "\xa0")
		answer(kv.RangePartitioned.IndexKey(l.request.Key), half, "v")
		records = 0
		l.out.Completions[0].Page.Each(count)
		l.out.Reset()
	}); n != 0 || records != 2 {
		t.Errorf("%v allocations per scan of %d records", n, records)
	}
}

func benchmarkLoop(b *testing.B, op wire.Op) {
	const depth = 64
	l := newLoop(b, op)
	b.ReportAllocs()
	for b.Loop() {
		l.run(depth)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/request")
}

func BenchmarkGet(b *testing.B) { benchmarkLoop(b, wire.OpGet) }
func BenchmarkPut(b *testing.B) { benchmarkLoop(b, wire.OpPut) }

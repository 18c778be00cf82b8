package serverlib_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/wire"
)

// nullEngine costs nothing, so that benchmarks measure the core alone. Every record is there.
type nullEngine struct{ row []byte }

func (e nullEngine) Get(_, dst []byte) ([]byte, bool, error) {
	return append(dst, e.row...), true, nil
}

func (nullEngine) Scan(_, _ []byte, _ func(key, value []byte) bool) error { return nil }
func (nullEngine) Apply(*serverlib.Batch) error                           { return nil }
func (nullEngine) Sync() error                                            { return nil }
func (nullEngine) Persistent() bool                                       { return true }
func (nullEngine) Close() error                                           { return nil }

// bench is a chain whose packets are carried over at once.
type bench struct {
	tb      testing.TB
	a       kv.Assignment
	servers []*serverlib.Server
	now     time.Duration
	replies int
	put     wire.Packet
	get     wire.Packet
	seq     kv.RequestSeq
}

func newBench(tb testing.TB, length int, d kv.Durability) *bench {
	b := &bench{tb: tb}
	var c kv.Chain
	for i := range length {
		c = append(c, nodeID(i+1))
	}
	b.a = assignment(1, d, c)
	for _, id := range c {
		engine := nullEngine{row: make([]byte, 108)}
		s, err := serverlib.New(serverlib.Config{
			Node: id, Incarnation: 1, Volatile: engine, Durable: engine,
		})
		if err != nil {
			tb.Fatal(err)
		}
		if err := s.Configure(0, b.a); err != nil {
			tb.Fatal(err)
		}
		b.servers = append(b.servers, s)
	}
	const key = "user0000000000000042"
	put := request{op: wire.OpPut, key: key, value: string(make([]byte, 100)), client: 9}
	b.put = put.packet(b.a, clientAddr(1))
	b.get = request{op: wire.OpGet, key: key, client: 9, seq: 1}.packet(b.a, clientAddr(1))
	b.settle()
	return b
}

// settle carries packets until none is left.
func (b *bench) settle() {
	for more := true; more; {
		more = false
		for i, s := range b.servers {
			out := s.Flush(b.now)
			for _, send := range out.Sends {
				more = true
				to := int(kv.NodeIDOf(send.To.Addr()) - nodeID(1))
				if to < 0 || to >= len(b.servers) {
					b.replies++
					continue
				}
				b.servers[to].Deliver(b.now, netip.AddrPortFrom(b.a.Chain[i].Addr(), wire.Port), send.Payload)
			}
			if out.NeedSync {
				more = true
				s.Synced(b.now, out.SyncToken, nil)
			}
		}
	}
}

// write sends a batch of PUTs of one client through the chain.
func (b *bench) write(batch int) {
	for range batch {
		b.seq++
		b.put.SetRequest(9, b.seq, b.seq-min(b.seq-1, 63))
		b.put.Seal()
		b.servers[0].Deliver(b.now, clientAddr(1), b.put)
	}
	b.settle()
}

func (b *bench) read(batch int) {
	tail := b.servers[len(b.servers)-1]
	for range batch {
		tail.Deliver(b.now, clientAddr(1), b.get)
	}
	b.replies += len(tail.Flush(b.now).Sends)
}

func BenchmarkPut(b *testing.B) {
	for _, c := range []struct {
		name   string
		length int
		batch  int
		d      kv.Durability
	}{
		{"memory/chain=1/batch=32", 1, 32, kv.DurabilityMemory},
		{"memory/chain=3/batch=1", 3, 1, kv.DurabilityMemory},
		{"memory/chain=3/batch=32", 3, 32, kv.DurabilityMemory},
		{"sync/chain=3/batch=32", 3, 32, kv.DurabilitySync},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newBench(b, c.length, c.d)
			w.write(1024)
			w.replies = 0
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				w.write(c.batch)
				n += c.batch
			}
			if w.replies != n {
				b.Fatalf("%d replies to %d writes", w.replies, n)
			}
			perOp := float64(b.Elapsed().Nanoseconds()) / float64(n)
			b.ReportMetric(perOp/float64(c.length), "ns/put/member")
		})
	}
}

func BenchmarkGet(b *testing.B) {
	w := newBench(b, 3, kv.DurabilityMemory)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		w.read(32)
		n += 32
	}
	if w.replies != n {
		b.Fatalf("%d replies to %d reads", w.replies, n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/get")
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		length int
		d      kv.Durability
		run    func(*bench)
	}{
		{"put/memory/chain=1", 1, kv.DurabilityMemory, func(b *bench) { b.write(8) }},
		{"put/memory/chain=3", 3, kv.DurabilityMemory, func(b *bench) { b.write(8) }},
		{"get/memory", 3, kv.DurabilityMemory, func(b *bench) { b.read(8) }},
		{"get/sync", 3, kv.DurabilitySync, func(b *bench) { b.read(8) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newBench(t, c.length, c.d)
			w.write(4096) // grow what grows
			before := w.replies
			if allocs := testing.AllocsPerRun(200, func() { c.run(w) }); allocs != 0 {
				t.Errorf("%v allocations per 8 operations", allocs)
			}
			if w.replies-before != 8*201 {
				t.Errorf("%d replies", w.replies-before)
			}
		})
	}
}

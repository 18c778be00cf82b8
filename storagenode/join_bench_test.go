package storagenode

import (
	"fmt"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode/engine"
	"github.com/turbokv/turbokv/wire"
)

// BenchmarkJoin measures a snapshot from the engine of one node to that of another, packets carried
// over at once and disks synced as the servers ask. Each round begins with erasing what the one before
// has brought:
//
//	go test ./storagenode -run xxx -bench Join -benchtime 3x
func BenchmarkJoin(b *testing.B) {
	for _, kind := range []engine.Kind{engine.Memory, engine.Pebble, engine.Bbolt} {
		for _, size := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%s/value=%d", kind, size), func(b *testing.B) { benchJoin(b, kind, size) })
		}
	}
}

// joinedData is the size of the values that move, in bytes.
const joinedData = 32 << 20

func benchJoin(b *testing.B, kind engine.Kind, size int) {
	w := newJoinBench(b, kind)
	w.fill(joinedData/size, size)
	var bytes uint64
	for epoch := kv.Epoch(2); b.Loop(); epoch++ {
		bytes += w.join(epoch)
	}
	b.ReportMetric(float64(bytes)/b.Elapsed().Seconds()/(1<<20), "MiB/s")
}

// joinBench is a node that has everything and one that joins.
type joinBench struct {
	b       *testing.B
	a       kv.Assignment
	servers [2]*serverlib.Server
	engines [2]serverlib.Engine
	now     time.Duration
}

func newJoinBench(b *testing.B, kind engine.Kind) *joinBench {
	d := kv.DurabilitySync
	if kind == engine.Memory {
		d = kv.DurabilityMemory
	}
	w := &joinBench{b: b, a: wholeLine(d, nodeAddr(1))}
	for i := range w.servers {
		var err error
		if w.engines[i], err = engine.Open(kind, b.TempDir()); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = w.engines[i].Close() })
		c := serverlib.Config{Node: kv.NodeIDOf(nodeAddr(i + 1).Addr()), Incarnation: 1}
		c.Limits.SnapshotRate = 1 << 40 // no bound
		if kind == engine.Memory {
			c.Volatile = w.engines[i]
		} else {
			c.Durable = w.engines[i]
		}
		if w.servers[i], err = serverlib.New(c); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.servers[0].Configure(0, w.a); err != nil {
		b.Fatal(err)
	}
	return w
}

// fill writes records of one client.
func (w *joinBench) fill(records, size int) {
	value := string(make([]byte, size))
	for i := range records {
		seq := kv.RequestSeq(i + 1)
		q := request{wire.OpPut, fmt.Sprintf("user%016d", i), value}
		w.servers[0].Deliver(w.now, nodeAddr(9), stamp(q, w.a, nodeAddr(9), 9, seq, seq))
		if i%64 == 63 {
			w.step()
		}
	}
	w.step()
}

// step ends a batch of both servers, and reports whether packets went between them.
func (w *joinBench) step() (sent bool) {
	for i, s := range w.servers {
		out := s.Flush(w.now)
		for _, send := range out.Sends {
			for to := range w.servers {
				if send.To == nodeAddr(to+1) {
					w.servers[to].Deliver(w.now, nodeAddr(i+1), send.Payload)
					sent = true
				}
			}
		}
		if out.NeedSync {
			s.Synced(w.now, out.SyncToken, w.engines[i].Sync())
		}
	}
	return sent
}

// join lets the second node join anew, and returns the bytes that it took in.
func (w *joinBench) join(epoch kv.Epoch) uint64 {
	a := w.a
	a.Epoch, a.Create, a.Learner = epoch, false, kv.NodeIDOf(nodeAddr(2).Addr())
	for i, s := range w.servers {
		if i == 1 {
			a.Since = epoch
		}
		if err := s.Configure(w.now, a); err != nil {
			w.b.Fatal(err)
		}
	}
	for range 1_000_000 {
		if r := w.servers[1].Report(); len(r) == 1 && r[0].Joined {
			return r[0].JoinedBytes
		}
		if !w.step() {
			w.now += time.Millisecond
			w.servers[0].Tick(w.now)
			w.servers[1].Tick(w.now)
		}
	}
	w.b.Fatalf("not joined: %+v", w.servers[1].Report())
	return 0
}

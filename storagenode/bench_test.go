package storagenode

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// pipe is a Conn that gives the node prepared packets, batch after batch, as often as the test
// says, and drops what the node sends. It measures the node, not a network.
type pipe struct {
	batches chan []transport.Message
	sent    int
	done    chan struct{}
}

func newPipe() *pipe {
	return &pipe{batches: make(chan []transport.Message), done: make(chan struct{})}
}

// ReadBatch implements transport.Conn.
func (p *pipe) ReadBatch(msgs []transport.Message) (int, error) {
	select {
	case batch := <-p.batches:
		return copy(msgs, batch), nil
	case <-p.done:
		return 0, net.ErrClosed
	}
}

// WriteBatch implements transport.Conn.
func (p *pipe) WriteBatch(msgs []transport.Message) error {
	p.sent += len(msgs)
	return nil
}

// LocalAddr implements transport.Conn.
func (p *pipe) LocalAddr() netip.AddrPort { return nodeAddr(1) }

// Close implements transport.Conn.
func (p *pipe) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

// checkServed fails a benchmark that measures something else than served requests.
func (b *benchNode) checkServed(t testing.TB) {
	t.Helper()
	s := b.Stats()
	if s.Refused+s.Malformed+s.Repeated > 0 || s.Received != s.Ordered+s.Read {
		t.Errorf("not all requests were served: %+v", s)
	}
}

// benchNode is a chain of one node with records, and a client that makes packets for it.
type benchNode struct {
	*Node
	c       client
	records int
}

func newBenchNode(b testing.TB, d kv.Durability, records int) *benchNode {
	cfg := Config{Conn: newPipe()}
	if d == kv.DurabilitySync {
		cfg.DataDir = b.TempDir()
	}
	n := startNode(b, cfg)
	a := wholeLine(d, nodeAddr(1))
	if err := n.Configure(a); err != nil {
		b.Fatal(err)
	}
	own := newPipe()
	c := client{conn: own, port: wire.Port, to: a, id: 1, next: 1}
	bn := &benchNode{Node: n, c: c, records: records}
	for i := 0; i < records; i += transport.BatchSize {
		bn.deliver(bn.puts(i))
		bn.catchUp(backlog)
	}
	bn.catchUp(0)
	return bn
}

// backlog is how many updates the benchmarks let wait for fsyncs: half of the server's window.
const backlog = 2048

// catchUp waits until at most so many updates are not acknowledged.
func (b *benchNode) catchUp(most kv.Seq) {
	for {
		if r := b.Reports()[0]; r.Applied-r.Stable <= most {
			return
		}
		runtime.Gosched()
	}
}

func benchKey(i int) string { return fmt.Sprintf("user%019d", uint64(i)*0x9E3779B97F4A7C15>>1) }

// puts returns a batch of writes of the records from i on.
func (b *benchNode) puts(i int) []transport.Message {
	msgs := make([]transport.Message, transport.BatchSize)
	value := string(make([]byte, 100))
	for j := range msgs {
		p, _ := b.c.packet(request{wire.OpPut, benchKey((i + j) % b.records), value}, b.c.next, b.c.next)
		b.c.next++
		msgs[j] = transport.Message{Addr: nodeAddr(9), Payload: p}
	}
	return msgs
}

// gets returns batches of reads of random records.
func (b *benchNode) gets(batches int) [][]transport.Message {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([][]transport.Message, batches)
	for i := range out {
		for range transport.BatchSize {
			q := request{op: wire.OpGet, key: benchKey(rng.IntN(b.records))}
			p, _ := b.c.packet(q, 1, 1)
			out[i] = append(out[i], transport.Message{Addr: nodeAddr(9), Payload: p})
		}
	}
	return out
}

const benchRecords = 50_000

// BenchmarkGet is the cost of a GET at the tail, without the network: ns/op is per packet.
func BenchmarkGet(b *testing.B) {
	for _, d := range []kv.Durability{kv.DurabilityMemory, kv.DurabilitySync} {
		b.Run(d.String(), func(b *testing.B) {
			n := newBenchNode(b, d, benchRecords)
			batches := n.gets(256)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += transport.BatchSize {
				n.deliver(batches[i/transport.BatchSize%len(batches)])
			}
			b.StopTimer()
			n.checkServed(b)
		})
	}
}

// BenchmarkPut is the cost of a PUT in a chain of one, without the network; for sync, with fsyncs
// beside it and a backlog as clients with many requests in flight make it: ns/op is per packet.
func BenchmarkPut(b *testing.B) {
	for _, d := range []kv.Durability{kv.DurabilityMemory, kv.DurabilitySync} {
		b.Run(d.String(), func(b *testing.B) {
			n := newBenchNode(b, d, benchRecords)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += transport.BatchSize {
				b.StopTimer()
				msgs := n.puts(i)
				b.StartTimer()
				n.deliver(msgs)
				n.catchUp(backlog)
			}
			b.StopTimer()
			n.checkServed(b)
		})
	}
}

func TestServingReadsAllocatesNothing(t *testing.T) {
	n := newBenchNode(t, kv.DurabilityMemory, 1000)
	batches, i := n.gets(16), 0
	n.deliver(batches[0])
	before := n.Stats().Read
	allocs := testing.AllocsPerRun(200, func() {
		i++
		n.deliver(batches[i%len(batches)])
	})
	if allocs != 0 {
		t.Errorf("%v allocations per batch of %d reads", allocs, transport.BatchSize)
	}
	if got, want := n.Stats().Read-before, uint64(201*transport.BatchSize); got != want {
		t.Errorf("%d reads answered, want %d", got, want)
	}
	n.checkServed(t)
}

// BenchmarkChain is a write through a chain of three with real fsyncs and a network that costs
// nothing: ns/op is the latency with one request outstanding, and the inverse of the throughput
// with many.
func BenchmarkChain(b *testing.B) {
	for _, d := range []kv.Durability{kv.DurabilityMemory, kv.DurabilitySync} {
		for _, outstanding := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("%v/outstanding=%d", d, outstanding), func(b *testing.B) {
				benchChain(b, d, outstanding)
			})
		}
	}
}

func benchChain(b *testing.B, d kv.Durability, outstanding int) {
	network := transport.NewNetwork()
	nodes, a := startChain(b, network, d)
	c := newClient(b, listen(b, network, nodeAddr(9)), wire.Port, a)
	c.window = outstanding
	value := string(make([]byte, 100))
	b.ResetTimer()
	err := c.stream(b.Context(), func(i int) (request, bool) {
		return request{wire.OpPut, benchKey(i % benchRecords), value}, i < b.N
	}, func(_ int, q request, r reply) {
		if r.status != wire.StatusOK {
			b.Errorf("put %s: %v", q.key, r.status)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	head := nodes[0].Stats()
	b.ReportMetric(float64(head.Syncs)/float64(b.N), "fsyncs/op")
	if head.Syncs > 0 {
		b.ReportMetric(float64(head.SyncTime.Nanoseconds())/float64(head.Syncs), "ns/fsync")
	}
}

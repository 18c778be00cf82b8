package clientlib_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// echo is a Conn that answers each request itself, in the reading goroutine and without
// allocation: what is measured over it is the client alone.
type echo struct {
	mu      sync.Mutex
	arrived sync.Cond
	in, out []byte // requests and replies, one after the other
	at      int    // how much of in is answered
	closed  bool
	reply   []byte
}

func newEcho(valueSize int) *echo {
	e := &echo{reply: make([]byte, valueSize)}
	e.arrived.L = &e.mu
	return e
}

func (e *echo) WriteBatch(msgs []transport.Message) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range msgs {
		e.in = append(e.in, m.Payload...)
	}
	e.arrived.Signal()
	return nil
}

func (e *echo) ReadBatch(msgs []transport.Message) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.in) == e.at && !e.closed {
		e.arrived.Wait()
	}
	if e.closed {
		return 0, net.ErrClosed
	}
	e.out = e.out[:0]
	n := 0
	for ; n < len(msgs) && e.at < len(e.in); n++ {
		request := wire.Packet(e.in[e.at:])
		at := len(e.out)
		e.out = request.AppendReply(e.out, wire.StatusOK)
		if request.Op() == wire.OpGet {
			e.out = append(e.out, e.reply...)
		}
		r := wire.Packet(e.out[at:])
		r.Seal()
		msgs[n] = transport.Message{Addr: serviceAddr, Payload: r}
		e.at += wire.HeaderSize + request.PayloadLength()
	}
	if e.at == len(e.in) {
		e.in, e.at = e.in[:0], 0
	}
	return n, nil
}

func (e *echo) LocalAddr() netip.AddrPort { return clientAddr }

func (e *echo) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.arrived.Signal()
	return nil
}

func dialEcho(b testing.TB, valueSize int) *clientlib.Client {
	b.Helper()
	c, err := clientlib.Dial(context.Background(), clientlib.Config{
		Conn: newEcho(valueSize), Service: serviceAddr, Descriptor: &users,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	})
	return c
}

// report adds operations per second, what the speed aims are given in.
func report(b *testing.B, perIteration int) {
	b.ReportMetric(float64(b.N*perIteration)/b.Elapsed().Seconds(), "ops/s")
}

func BenchmarkGetAlone(b *testing.B) {
	c, ctx, key := dialEcho(b, 100), context.Background(), []byte("key-000000000001")
	var value []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if value, _, err = c.GetAppend(ctx, key, value[:0]); err != nil {
			b.Fatal(err)
		}
	}
	report(b, 1)
}

func benchmarkParallel(b *testing.B, goroutines int, op func(*clientlib.Client, []byte) error) {
	c := dialEcho(b, 100)
	b.ReportAllocs()
	b.SetParallelism(goroutines / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		key := []byte("key-000000000001")
		for i := uint64(0); pb.Next(); i++ {
			binary.BigEndian.PutUint64(key[8:], i)
			if err := op(c, key); err != nil {
				b.Error(err)
				return
			}
		}
	})
	report(b, 1)
}

func BenchmarkGetParallel64(b *testing.B) {
	benchmarkParallel(b, 64, func(c *clientlib.Client, key []byte) error {
		_, err := c.Get(context.Background(), key)
		return err
	})
}

func BenchmarkPutParallel64(b *testing.B) {
	value := make([]byte, 100)
	benchmarkParallel(b, 64, func(c *clientlib.Client, key []byte) error {
		_, err := c.Put(context.Background(), key, value, nil)
		return err
	})
}

func BenchmarkBatchGet256(b *testing.B) {
	c, ctx, key := dialEcho(b, 100), context.Background(), []byte("key-000000000001")
	batch := c.NewBatch()
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		for range 256 {
			batch.Get(key)
		}
		if err := batch.Do(ctx); err != nil {
			b.Fatal(err)
		}
	}
	report(b, 256)
}

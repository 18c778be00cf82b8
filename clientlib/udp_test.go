package clientlib_test

import (
	"context"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// dialUDPEcho returns a client of a server that answers everything at once, over sockets of the
// kernel.
func dialUDPEcho(b testing.TB) *clientlib.Client {
	b.Helper()
	loopback := netip.MustParseAddrPort("127.0.0.1:0")
	conn, err := transport.ListenUDP(loopback)
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		msgs := make([]transport.Message, transport.BatchSize)
		replies := make([][]byte, transport.BatchSize)
		for {
			n, err := conn.ReadBatch(msgs)
			if err != nil {
				return
			}
			for i, m := range msgs[:n] {
				r := wire.Packet(wire.Packet(m.Payload).AppendReply(replies[i][:0], wire.StatusOK))
				r = append(r, "value"...)
				r.Seal()
				replies[i], msgs[i].Payload = r, r
			}
			_ = conn.WriteBatch(msgs[:n])
		}
	}()
	c, err := clientlib.Dial(context.Background(), clientlib.Config{
		Local: loopback, Service: conn.LocalAddr(), Descriptor: &users,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
		if err := conn.Close(); err != nil {
			b.Error(err)
		}
		<-done
	})
	return c
}

func TestKernelSocket(t *testing.T) {
	c := dialUDPEcho(t)
	for range 100 {
		r, err := c.Get(context.Background(), key)
		if err != nil || string(r.Value) != "value" {
			t.Fatalf("%q, %v", r.Value, err)
		}
	}
}

func BenchmarkUDPGetAlone(b *testing.B) {
	c := dialUDPEcho(b)
	for b.Loop() {
		if _, _, err := c.GetAppend(context.Background(), key, nil); err != nil {
			b.Fatal(err)
		}
	}
	report(b, 1)
}

func BenchmarkUDPGetParallel64(b *testing.B) {
	c := dialUDPEcho(b)
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		key := []byte("key-000000000001")
		for i := uint64(0); pb.Next(); i++ {
			binary.BigEndian.PutUint64(key[8:], i)
			if _, _, err := c.GetAppend(context.Background(), key, nil); err != nil {
				b.Error(err)
				return
			}
		}
	})
	report(b, 1)
	s := c.Stats()
	b.ReportMetric(float64(s.Retransmitted), "retransmitted")
	b.ReportMetric(float64(s.Window), "window")
	b.ReportMetric(float64(s.Spurious), "spurious")
}

func BenchmarkUDPBatchGet256(b *testing.B) {
	c := dialUDPEcho(b)
	batch := c.NewBatch()
	for b.Loop() {
		batch.Reset()
		for range 256 {
			batch.Get(key)
		}
		if err := batch.Do(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	report(b, 256)
	s := c.Stats()
	b.ReportMetric(float64(s.Retransmitted), "retransmitted")
	b.ReportMetric(float64(s.Window), "window")
	b.ReportMetric(float64(s.Spurious), "spurious")
}

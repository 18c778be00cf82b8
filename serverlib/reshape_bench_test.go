package serverlib_test

import (
	"testing"

	"github.com/turbokv/turbokv/kv"
)

// BenchmarkFork forks a sub-range with 10,000 sessions of one result each: how long the node does
// nothing else.
func BenchmarkFork(b *testing.B) {
	for _, d := range []kv.Durability{kv.DurabilityMemory, kv.DurabilitySync} {
		b.Run(d.String(), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				w := newBench(b, 1, d)
				for client := range 10_000 {
					w.put.SetRequest(kv.ClientID(client+1), 1, 1)
					w.put.Seal()
					w.servers[0].Deliver(w.now, clientAddr(1), w.put)
					if client%256 == 0 {
						w.settle()
					}
				}
				w.settle()
				p, _ := halves(w.a)
				b.StartTimer()
				if err := w.servers[0].Configure(w.now, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

const (
	benchRecords   = 10000
	benchValueSize = 1000
)

func benchCluster(b *testing.B, d kv.Durability) *clientlib.Client {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	b.Cleanup(cancel)
	c, err := Start(ctx, Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	err = c.CreateKeyspace(ctx, admin.KeyspaceSpec{Name: "b", Partitioner: kv.HashPartitioned, Durability: d})
	if err != nil {
		b.Fatal(err)
	}
	client, err := c.Dial(ctx, "b")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	inParallel(b, 256, benchRecords, func(i int) error {
		_, err := client.Put(context.Background(), benchKey(i), make([]byte, benchValueSize), nil)
		return err
	})
	return client
}

func benchKey(i int) []byte { return fmt.Appendf(nil, "user%019d", i%benchRecords) }

// inParallel calls do for 0 to n-1 from so many goroutines.
func inParallel(b *testing.B, goroutines, n int, do func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkCluster measures whole operations through client, switch and nodes in one process.
func BenchmarkCluster(b *testing.B) {
	for _, d := range []kv.Durability{kv.DurabilityMemory, kv.DurabilitySync} {
		b.Run(d.String(), func(b *testing.B) {
			client := benchCluster(b, d)
			value := make([]byte, benchValueSize)
			get := func(i int) error { _, err := client.Get(context.Background(), benchKey(i*7)); return err }
			put := func(i int) error {
				_, err := client.Put(context.Background(), benchKey(i*7), value, nil)
				return err
			}
			for _, clients := range []int{1, 64, 512} {
				for name, do := range map[string]func(int) error{"get": get, "put": put} {
					b.Run(fmt.Sprintf("%s/%d", name, clients), func(b *testing.B) {
						before := client.Stats().Sent
						inParallel(b, clients, b.N, do)
						b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
						b.ReportMetric(float64(client.Stats().Sent-before)/float64(b.N), "packets/op")
					})
				}
			}
		})
	}
}

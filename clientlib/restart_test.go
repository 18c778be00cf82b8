package clientlib_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

// TestIncrementsCountOnceAcrossRestarts restarts every node of a real cluster, one after the other,
// under increments: each must count once, whichever copies of it were lost with a node.
func TestIncrementsCountOnceAcrossRestarts(t *testing.T) {
	const goroutines, each = 8, 20
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Config{Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	err = c.CreateKeyspace(ctx, admin.KeyspaceSpec{
		Name: "counts", Partitioner: kv.HashPartitioned, Durability: kv.DurabilitySync,
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := c.Dial(ctx, "counts")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	for node := range 3 {
		var done, begun sync.WaitGroup
		begun.Add(goroutines)
		for g := range goroutines {
			done.Go(func() {
				for i := range each {
					if _, err := client.Increment(ctx, fmt.Appendf(nil, "count %d", g), 1); err != nil {
						t.Error(err)
					}
					if i == 0 {
						begun.Done()
					}
				}
			})
		}
		begun.Wait() // all are under way
		if err := c.StopNode(node); err != nil {
			t.Fatal(err)
		}
		if err := c.StartNode(node); err != nil {
			t.Fatal(err)
		}
		done.Wait()
	}
	for g := range goroutines {
		n, err := client.Increment(ctx, fmt.Appendf(nil, "count %d", g), 0)
		if err != nil || n != 3*each {
			t.Errorf("count %d: %d, %v, want %d", g, n, err, 3*each)
		}
	}
}

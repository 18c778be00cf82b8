package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

func start(t *testing.T, cfg Config) (*Cluster, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	c, err := Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, ctx
}

func open(t *testing.T, ctx context.Context, c *Cluster, spec admin.KeyspaceSpec) *clientlib.Client {
	t.Helper()
	if err := c.CreateKeyspace(ctx, spec); err != nil {
		t.Fatal(err)
	}
	client, err := c.Dial(ctx, spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func TestEveryOperationOnEveryKindOfKeyspace(t *testing.T) {
	c, ctx := start(t, Config{})
	for _, p := range []kv.Partitioner{kv.RangePartitioned, kv.HashPartitioned} {
		for _, d := range []kv.Durability{kv.DurabilityMemory, kv.DurabilitySync} {
			name := fmt.Sprintf("%v-%v", p, d)
			t.Run(name, func(t *testing.T) {
				client := open(t, ctx, c, admin.KeyspaceSpec{Name: name, Partitioner: p, Durability: d})
				useEverything(t, ctx, client)
			})
		}
	}
}

func useEverything(t *testing.T, ctx context.Context, c *clientlib.Client) {
	t.Helper()
	key := []byte("user:42")
	if _, err := c.Get(ctx, key); !errors.Is(err, clientlib.ErrNotFound) {
		t.Fatalf("get of nothing: %v", err)
	}
	version, err := c.Put(ctx, key, []byte("Ada"), nil)
	if err != nil {
		t.Fatal(err)
	}
	record, err := c.Get(ctx, key)
	if err != nil || string(record.Value) != "Ada" || record.Version != version {
		t.Fatalf("get: %+v, %v; want version %d", record, err, version)
	}
	if _, err := c.CompareAndSwap(ctx, key, version+1, []byte("Eve")); !errors.Is(err, clientlib.ErrVersionMismatch) {
		t.Fatalf("swap of another version: %v", err)
	}
	if _, err := c.CompareAndSwap(ctx, key, version, []byte("Grace")); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(ctx, key, nil); err != nil {
		t.Fatal(err)
	}
	for want := range int64(3) {
		if sum, err := c.Increment(ctx, []byte("visits"), 1); err != nil || sum != want+1 {
			t.Fatalf("increment: %d, %v", sum, err)
		}
	}
	if _, err := c.Put(ctx, key, make([]byte, 2000), nil); !errors.Is(err, clientlib.ErrTooLarge) {
		t.Fatalf("put of too much: %v", err)
	}
}

func TestScanCrossesSubRanges(t *testing.T) {
	c, ctx := start(t, Config{Nodes: 3})
	client := open(t, ctx, c, admin.KeyspaceSpec{
		Name: "s", Partitioner: kv.RangePartitioned, Durability: kv.DurabilityMemory, SubRanges: 16,
	})
	for i := range 256 {
		if _, err := client.Put(ctx, []byte{byte(i), 'x'}, bytes.Repeat([]byte{byte(i)}, 100), nil); err != nil {
			t.Fatal(err)
		}
	}
	next := 10
	for record, err := range client.Scan(ctx, []byte{10}, []byte{250}, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if record.Key[0] != byte(next) || len(record.Value) != 100 {
			t.Fatalf("record %q of %d bytes, want key %d", record.Key, len(record.Value), next)
		}
		next++
	}
	if next != 250 {
		t.Fatalf("scan ended before %d", next)
	}
}

func TestClusterComesBackFromItsDirectory(t *testing.T) {
	dir := t.TempDir()
	spec := admin.KeyspaceSpec{Name: "kept", Partitioner: kv.HashPartitioned, Durability: kv.DurabilitySync}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	first, err := Start(ctx, Config{DataDir: dir, Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	client := open(t, ctx, first, spec)
	for i := range 100 {
		if _, err := client.Put(ctx, fmt.Appendf(nil, "key%d", i), fmt.Appendf(nil, "value%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(client.Close(), first.Close()); err != nil {
		t.Fatal(err)
	}
	second, ctx := start(t, Config{DataDir: dir, Nodes: 3})
	client, err = second.Dial(ctx, spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range 100 {
		record, err := client.Get(ctx, fmt.Appendf(nil, "key%d", i))
		if err != nil || string(record.Value) != fmt.Sprintf("value%d", i) {
			t.Fatalf("key%d: %q, %v", i, record.Value, err)
		}
	}
}

func TestNodeRestartLosesNothing(t *testing.T) {
	c, ctx := start(t, Config{Nodes: 3})
	client := open(t, ctx, c, admin.KeyspaceSpec{
		Name: "r", Partitioner: kv.HashPartitioned, Durability: kv.DurabilitySync, SubRanges: 4,
	})
	for i := range c.cfg.Nodes {
		key := fmt.Appendf(nil, "before the stop of node %d", i)
		if _, err := client.Put(ctx, key, []byte("here"), nil); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.StopNode(i), c.StartNode(i)); err != nil {
			t.Fatal(err)
		}
		if record, err := client.Get(ctx, key); err != nil || string(record.Value) != "here" {
			t.Fatalf("%s: %q, %v", key, record.Value, err)
		}
	}
}

func TestANodeIsAddedToARunningCluster(t *testing.T) {
	c, ctx := start(t, Config{Nodes: 3})
	i, id, err := c.AddNode()
	if err != nil || i != 3 || len(c.Nodes()) != 4 {
		t.Fatalf("node %d, %v; %d nodes run", i, err, len(c.Nodes()))
	}
	for joined := false; !joined; {
		s, err := c.Admin().Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range s.Nodes {
			joined = joined || n.ID == id && n.Online
		}
	}
	if err := c.StopNode(i); err != nil || len(c.Nodes()) != 3 {
		t.Errorf("stop: %v; %d nodes run", err, len(c.Nodes()))
	}
}

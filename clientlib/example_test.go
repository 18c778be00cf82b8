package clientlib_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/antihax/optional"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

// startCluster starts a cluster in this process with a keyspace "users". A program that dials a
// cluster elsewhere sets Service of its clientlib.Config to the cluster's service address.
func startCluster(ctx context.Context) *cluster.Cluster {
	c, err := cluster.Start(ctx, cluster.Config{Nodes: 3})
	if err != nil {
		log.Fatal(err)
	}
	err = c.CreateKeyspace(ctx, admin.KeyspaceSpec{
		Name: "users", Partitioner: kv.RangePartitioned, Durability: kv.DurabilityMemory,
	})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// dial connects to the keyspace "users" of a fresh cluster.
func dial(ctx context.Context) (client *clientlib.Client, hangUp func()) {
	c := startCluster(ctx)
	client, err := c.Dial(ctx, "users")
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		if err := errors.Join(client.Close(), c.Close()); err != nil {
			log.Fatal(err)
		}
	}
}

func Example() {
	ctx := context.Background()
	c := startCluster(ctx) // "turbokv up" starts one, too
	defer c.Close()
	conn, err := c.Connect()
	if err != nil {
		log.Fatal(err)
	}

	client, err := clientlib.Dial(ctx, clientlib.Config{
		Service:  cluster.Service, // all that a client knows of a cluster
		Keyspace: "users",
		Conn:     conn, // a socket of the kernel if it is not set
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	if _, err := client.Put(ctx, []byte("alice"), []byte("in Zurich"), nil); err != nil {
		log.Fatal(err)
	}
	record, err := client.Get(ctx, []byte("alice"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s is %s\n", record.Key, record.Value)
	// Output: alice is in Zurich
}

func ExampleClient_Get() {
	ctx := context.Background()
	client, hangUp := dial(ctx)
	defer hangUp()

	// A deadline bounds the operation, with all that the client repeats in between.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := client.Get(ctx, []byte("nobody"))
	switch {
	case errors.Is(err, clientlib.ErrNotFound):
		fmt.Println(err)
	case errors.Is(err, clientlib.ErrUnavailable):
		fmt.Println("try later")
	}
	// Output: GET users/"nobody": not found
}

func ExampleClient_Put_ifAbsent() {
	ctx := context.Background()
	client, hangUp := dial(ctx)
	defer hangUp()

	absent := &clientlib.PutOpts{ExpectedVersion: optional.NewUint64(0)}
	for range 2 {
		_, err := client.Put(ctx, []byte("lock"), []byte("mine"), absent)
		fmt.Println("taken before:", errors.Is(err, clientlib.ErrVersionMismatch))
	}
	// Output:
	// taken before: false
	// taken before: true
}

func ExampleClient_CompareAndSwap() {
	ctx := context.Background()
	client, hangUp := dial(ctx)
	defer hangUp()

	key := []byte("motto")
	if _, err := client.Put(ctx, key, []byte("fast"), nil); err != nil {
		log.Fatal(err)
	}
	// Read, change, write: again if somebody else was quicker.
	for {
		record, err := client.Get(ctx, key)
		if err != nil {
			log.Fatal(err)
		}
		value := append(record.Value, " and right"...)
		_, err = client.CompareAndSwap(ctx, key, record.Version, value)
		if errors.Is(err, clientlib.ErrVersionMismatch) {
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", value)
		break
	}
	// Output: fast and right
}

func ExampleClient_Increment() {
	ctx := context.Background()
	client, hangUp := dial(ctx)
	defer hangUp()

	for range 3 {
		n, err := client.Increment(ctx, []byte("visits"), 1)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(n)
	}
	// Output:
	// 1
	// 2
	// 3
}

func ExampleClient_Scan() {
	ctx := context.Background()
	client, hangUp := dial(ctx)
	defer hangUp()

	for _, name := range []string{"user:carol", "user:alice", "user:dave", "user:bob", "zebra"} {
		if _, err := client.Put(ctx, []byte(name), []byte("here"), nil); err != nil {
			log.Fatal(err)
		}
	}
	limit := &clientlib.ScanOpts{Limit: optional.NewInt32(3)}
	for record, err := range client.Scan(ctx, []byte("user:"), []byte("user;"), limit) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s\n", record.Key, record.Value)
	}
	// Output:
	// user:alice here
	// user:bob here
	// user:carol here
}

func ExampleClient_NewBatch() {
	ctx := context.Background()
	client, hangUp := dial(ctx)
	defer hangUp()

	batch := client.NewBatch()
	for i := range 1000 {
		batch.Put(fmt.Appendf(nil, "key-%d", i), fmt.Appendf(nil, "value-%d", i), nil)
	}
	if err := batch.Do(ctx); err != nil {
		log.Fatal(err)
	}

	batch.Reset()
	present, missing := batch.Get([]byte("key-7")), batch.Get([]byte("key-1000"))
	if err := batch.Do(ctx); err != nil && !errors.Is(err, clientlib.ErrNotFound) {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", batch.Result(present).Value)
	fmt.Println(batch.Result(missing).Err)
	// Output:
	// value-7
	// GET users/"key-1000": not found
}

func ExampleClient_StartGet() {
	ctx := context.Background()
	client, hangUp := dial(ctx)
	defer hangUp()

	if _, err := client.Put(ctx, []byte("a"), []byte("1"), nil); err != nil {
		log.Fatal(err)
	}
	first := client.StartGet(ctx, []byte("a")) // both are in flight together
	second := client.StartIncrement(ctx, []byte("n"), 41)
	fmt.Printf("%s %d\n", first.Wait(ctx).Value, second.Wait(ctx).Number)
	// Output: 1 41
}

func ExampleClient_Keyspace() {
	ctx := context.Background()
	users, hangUp := dial(ctx)
	defer hangUp()

	system, err := users.Keyspace(ctx, "system") // over the same session and socket
	if err != nil {
		log.Fatal(err)
	}
	for record, err := range system.Scan(ctx, nil, nil, nil) { // one record per keyspace
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", record.Key)
	}
	// Output:
	// system
	// users
}

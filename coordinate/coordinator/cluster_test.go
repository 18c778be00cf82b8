package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/coordinate/coordinator"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
)

// rack is a cluster in this process whose nodes coordinate.
type rack struct {
	t *testing.T
	*cluster.Cluster
	cache  *coordinator.Cache // of the clients; each node has its own
	master netip.AddrPort
}

const rackKeyspace = "counters"

func newCache(t testing.TB, controller string) (*coordinator.Cache, error) {
	client, err := admin.Dial(controller, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	cache := coordinator.NewCache(t.Context(), coordinator.FromController(client))
	t.Cleanup(func() {
		cache.Close()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return cache, nil
}

func startRack(t *testing.T, spec admin.KeyspaceSpec) *rack {
	t.Helper()
	r := &rack{t: t}
	var err error
	r.Cluster, err = cluster.Start(t.Context(), cluster.Config{
		NodeConn: func(conn transport.Conn, controller string) (transport.Conn, error) {
			cache, err := newCache(t, controller)
			if err != nil {
				return nil, err
			}
			return coordinator.NewNode(conn, cache)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.CreateKeyspace(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if r.cache, err = newCache(t, r.ControllerAddr()); err != nil {
		t.Fatal(err)
	}
	return r
}

// startMaster plugs in a master.
func (r *rack) startMaster() {
	r.t.Helper()
	cache, err := newCache(r.t, r.ControllerAddr())
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := r.Connect()
	if err != nil {
		r.t.Fatal(err)
	}
	r.master = conn.LocalAddr()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- coordinator.Master(ctx, conn, cache) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	})
}

// drivers are the ways to coordinate that are not the switch.
var drivers = map[string]func(*rack, transport.Conn) (transport.Conn, error){
	"client": func(r *rack, conn transport.Conn) (transport.Conn, error) {
		return coordinator.NewClient(conn, cluster.Service, r.cache)
	},
	"server": func(r *rack, conn transport.Conn) (transport.Conn, error) {
		return coordinator.NewSpray(conn, cluster.Service, r.cache, coordinator.SprayConfig{})
	},
	"server, replies through it": func(r *rack, conn transport.Conn) (transport.Conn, error) {
		return coordinator.NewSpray(conn, cluster.Service, r.cache,
			coordinator.SprayConfig{ReplyThrough: true})
	},
	"master": func(r *rack, conn transport.Conn) (transport.Conn, error) {
		return coordinator.NewAsker(conn, cluster.Service, r.master)
	},
}

// forEachDriver runs a test with a client of each way.
func forEachDriver(
	t *testing.T, spec admin.KeyspaceSpec, test func(*testing.T, *rack, *clientlib.Client),
) {
	for name, wrap := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRack(t, spec)
			if name == "master" {
				r.startMaster()
			}
			inner, err := r.Connect()
			if err != nil {
				t.Fatal(err)
			}
			served := &withoutService{Conn: inner}
			conn, err := wrap(r, served)
			if err != nil {
				t.Fatal(err)
			}
			client, err := clientlib.Dial(t.Context(), clientlib.Config{
				Conn: conn, Service: cluster.Service, Keyspace: spec.Name, Timeout: 30 * time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
			test(t, r, client)
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			if n := served.count.Load(); n > 0 {
				t.Errorf("%d packets went to the service address, so the switch has coordinated", n)
			}
		})
	}
}

// withoutService counts what goes to the service address.
type withoutService struct {
	transport.Conn
	count atomic.Int64
}

func (c *withoutService) WriteBatch(msgs []transport.Message) error {
	for _, m := range msgs {
		if m.Addr == cluster.Service {
			c.count.Add(1)
		}
	}
	return c.Conn.WriteBatch(msgs)
}

// TestCountersSurviveALostNode increments counters in every way while a node goes: each acknowledged
// increment has happened exactly once, each of unknown outcome at most once.
func TestCountersSurviveALostNode(t *testing.T) {
	spec := admin.KeyspaceSpec{Name: rackKeyspace, Partitioner: kv.HashPartitioned,
		Durability: kv.DurabilityMemory, Replication: 3, SubRanges: 16}
	forEachDriver(t, spec, func(t *testing.T, r *rack, client *clientlib.Client) {
		const counters = 40
		var acked, unknown [counters]atomic.Int64
		var rounds atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var workers sync.WaitGroup
		for i := range counters {
			workers.Go(func() {
				for ctx.Err() == nil {
					_, err := client.Increment(t.Context(), counterKey(i), 1)
					switch {
					case err == nil:
						acked[i].Add(1)
					case errors.Is(err, clientlib.ErrOutcomeUnknown):
						unknown[i].Add(1)
					default:
						t.Errorf("counter %d: %v", i, err)
						return
					}
					rounds.Add(1)
				}
			})
		}
		await(t, func() bool { return rounds.Load() > 20*counters })
		if err := r.StopNode(0); err != nil {
			t.Fatal(err)
		}
		r.awaitEvicted(kv.NodeIDOf(netip.MustParseAddr("10.0.0.1")))
		after := rounds.Load()
		await(t, func() bool { return rounds.Load() > after+20*counters })
		stop()
		workers.Wait()
		for i := range counters {
			checkCounter(t, client, i, acked[i].Load(), unknown[i].Load())
		}
	})
}

func counterKey(i int) []byte { return fmt.Appendf(nil, "counter %d", i) }

func checkCounter(t *testing.T, client *clientlib.Client, i int, acked, unknown int64) {
	t.Helper()
	got, err := client.Increment(t.Context(), counterKey(i), 1)
	if err != nil {
		t.Errorf("counter %d: %v", i, err)
		return
	}
	if n := got - 1; n < acked || n > acked+unknown {
		t.Errorf("counter %d holds %d; acknowledged %d, unknown %d", i, n, acked, unknown)
	}
}

// await looks until it holds.
func await(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) || t.Failed() {
			t.Fatal("it does not come to hold")
		}
	}
}

// awaitEvicted waits until a node is in no chain.
func (r *rack) awaitEvicted(id kv.NodeID) {
	r.t.Helper()
	await(r.t, func() bool {
		status, err := r.Admin().Status(r.t.Context())
		if err != nil {
			return false
		}
		for _, s := range status.SubRanges {
			if s.Chain.Position(id) >= 0 {
				return false
			}
		}
		return true
	})
}

// TestScansAreSplit scans over many sub-ranges in every way.
func TestScansAreSplit(t *testing.T) {
	spec := admin.KeyspaceSpec{Name: "ordered", Partitioner: kv.RangePartitioned,
		Durability: kv.DurabilityMemory, Replication: 2, SubRanges: 16}
	forEachDriver(t, spec, func(t *testing.T, _ *rack, client *clientlib.Client) {
		const records = 256
		batch := client.NewBatch()
		for i := range records {
			batch.Put([]byte{byte(i), 1}, []byte{byte(i)}, nil)
		}
		if err := batch.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := 0
		for r, err := range client.Scan(t.Context(), nil, nil, nil) {
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Key) != 2 || int(r.Key[0]) != next {
				t.Fatalf("record %d has key %x", next, r.Key)
			}
			next++
		}
		if next != records {
			t.Errorf("the scan returned %d records of %d", next, records)
		}
	})
}

// TestADroppedKeyspaceIsMissing asks every way for a keyspace that was dropped.
func TestADroppedKeyspaceIsMissing(t *testing.T) {
	spec := admin.KeyspaceSpec{Name: "short-lived", Partitioner: kv.HashPartitioned,
		Durability: kv.DurabilityMemory, Replication: 1}
	forEachDriver(t, spec, func(t *testing.T, r *rack, client *clientlib.Client) {
		if _, err := client.Put(t.Context(), []byte("k"), nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := r.DropKeyspace(t.Context(), spec.Name); err != nil {
			t.Fatal(err)
		}
		await(t, func() bool { // a node may know it a second longer than the controller
			_, err := client.Get(t.Context(), []byte("k"))
			return errors.Is(err, clientlib.ErrNoKeyspace)
		})
	})
}

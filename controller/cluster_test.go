package controller_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/storagenode"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

var (
	service  = netip.MustParseAddr("10.255.0.1")
	plain    = grpc.WithTransportCredentials(insecure.NewCredentials())
	usersKey = admin.KeyspaceSpec{Name: "users", Partitioner: kv.RangePartitioned,
		Durability: kv.DurabilitySync, Replication: 3, SubRanges: 8}
)

// rig is a whole cluster in one process: the built-in switch, storage nodes, and a controller that
// a test can stop and start.
type rig struct {
	t      *testing.T
	dir    string
	sw     *daemon.Daemon
	cables map[uint16]*cable // by port of the switch
	nodes  []*storagenode.Node
	listen string // the controller's address, once it has been started
	admin  *admin.Client

	mu     sync.Mutex
	events []controller.Event
	news   chan struct{} // closed and replaced with every event

	stop  context.CancelFunc
	ended chan error

	stopSwitch func()
	point      func(*controller.Config) // at the switches; nil: at the only one
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), news: make(chan struct{}), cables: make(map[uint16]*cable)}
	r.startSwitch("127.0.0.1:0")
	t.Cleanup(func() { r.stopSwitch() })
	return r
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	r.t.Cleanup(cancel)
	return ctx
}

// start runs the controller, at the address that it had before.
func (r *rig) start(expect int) {
	r.t.Helper()
	cfg := controller.Config{
		Store: filepath.Join(r.dir, "controller.db"), Listen: "127.0.0.1:" + r.controlPort(),
		Service: service, Address: netip.MustParseAddrPort("10.254.0.1:21579"),
		ExpectNodes:    expect,
		ReportInterval: 20 * time.Millisecond, PollInterval: 20 * time.Millisecond,
		Events: controller.Events{Notify: r.notify},
	}
	if r.point != nil {
		r.point(&cfg)
	} else {
		cfg.Switches = []controller.Switch{{Name: "s1", Target: r.sw.Addr().String(),
			DialOptions: []grpc.DialOption{plain}}}
	}
	c, err := controller.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.listen = c.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	r.stop, r.ended = cancel, ended
	if r.admin == nil {
		if r.admin, err = admin.Dial(r.listen, plain); err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = r.admin.Close() })
		r.t.Cleanup(func() { r.halt() })
	}
}

func (r *rig) controlPort() string {
	if r.listen == "" {
		return "0"
	}
	_, port, _ := net.SplitHostPort(r.listen)
	return port
}

// halt stops the controller and nothing else.
func (r *rig) halt() {
	r.t.Helper()
	if r.stop == nil {
		return
	}
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("controller: %v", err)
	}
	r.stop = nil
}

func (r *rig) notify(e controller.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	close(r.news)
	r.news = make(chan struct{})
}

// await waits for an event, also an earlier one, that meets the condition.
func (r *rig) await(what string, meets func(controller.Event) bool) controller.Event {
	r.t.Helper()
	ctx := r.context()
	for seen := 0; ; {
		r.mu.Lock()
		news := r.news
		fresh := r.events[seen:]
		seen = len(r.events)
		r.mu.Unlock()
		for _, e := range fresh {
			if meets(e) {
				return e
			}
		}
		select {
		case <-news:
		case <-ctx.Done():
			r.t.Fatalf("no event: %s; there were %v", what, r.events)
		}
	}
}

func (r *rig) awaitKind(kind controller.EventKind) controller.Event {
	r.t.Helper()
	return r.await(string(kind), func(e controller.Event) bool { return e.Kind == kind })
}

// attach plugs a host into a port of the switch.
func (r *rig) attach(number uint16, addr netip.AddrPort) *transport.Host {
	r.t.Helper()
	inside, outside := port.NewPair(1024)
	r.unplug(number)
	r.cables[number] = &cable{host: inside}
	r.plug(number)
	host, err := transport.NewHost(outside, transport.HostConfig{Addr: addr})
	if err != nil {
		r.t.Fatal(err)
	}
	return host
}

// addNodes starts storage nodes 10.0.0.1 and up on ports 1 and up.
func (r *rig) addNodes(n int, persistent bool) {
	r.t.Helper()
	for range n {
		i := len(r.nodes) + 1
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), wire.Port)
		cfg := storagenode.Config{Conn: r.attach(uint16(i), addr), Control: storagenode.Control{
			Target: r.listen, DialOptions: []grpc.DialOption{plain},
			MAC: transport.MACOf(addr.Addr()), Port: uint32(i),
		}}
		if persistent {
			cfg.DataDir = filepath.Join(r.dir, fmt.Sprint("node", i))
		}
		node, err := storagenode.Start(context.Background(), cfg)
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = node.Close() })
		r.nodes = append(r.nodes, node)
	}
}

// client plugs in a client that nobody announced: the switch must learn where it sits.
func (r *rig) client(number uint16, keyspace string) *clientlib.Client {
	r.t.Helper()
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(number)}), 40000)
	c, err := clientlib.Dial(r.context(), clientlib.Config{
		Service: netip.AddrPortFrom(service, wire.Port), Keyspace: keyspace,
		Conn: r.attach(number, addr),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *rig) status() admin.Status {
	r.t.Helper()
	s, err := r.admin.Status(r.context())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// until waits for a status that meets the condition.
func (r *rig) until(what string, meets func(admin.Status) bool) admin.Status {
	r.t.Helper()
	ctx := r.context()
	for ; ; time.Sleep(5 * time.Millisecond) {
		s, err := r.admin.Status(ctx)
		if err == nil && meets(s) {
			return s
		}
		if ctx.Err() != nil {
			r.t.Fatalf("no status: %s; problems %q, plans %+v, events %v", what, s.Problems, s.Plans,
				r.events)
		}
	}
}

func (r *rig) create(spec admin.KeyspaceSpec) admin.Keyspace {
	r.t.Helper()
	k, err := r.admin.CreateKeyspace(r.context(), spec)
	if err != nil {
		r.t.Fatalf("%v; status %+v", err, r.status().Problems)
	}
	return k
}

// newCluster is a rig with a controller and persistent nodes, complete.
func newCluster(t *testing.T, nodes int) *rig {
	t.Helper()
	r := newRig(t)
	r.start(nodes)
	r.addNodes(nodes, true)
	r.await("system keyspace ready", func(e controller.Event) bool {
		return e.Kind == controller.KeyspaceReady && e.Keyspace == kv.SystemDescriptor.Name
	})
	return r
}

func TestKeyspaceLivesFromCreationToDrop(t *testing.T) {
	r := newCluster(t, 3)
	k := r.create(usersKey)
	if k.Phase != "ready" || k.SubRanges != 8 || k.ID != 1 {
		t.Fatalf("%+v", k)
	}
	c := r.client(20, "users")
	ctx := r.context()
	for i := range 200 {
		key, value := fmt.Appendf(nil, "%c%d", i*13, i), fmt.Append(nil, i)
		if _, err := c.Put(ctx, key, value, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 {
		got, err := c.Get(ctx, fmt.Appendf(nil, "%c%d", i*13, i))
		if err != nil || string(got.Value) != fmt.Sprint(i) {
			t.Fatalf("key %d: %q, %v", i, got.Value, err)
		}
	}
	list, err := r.admin.ListKeyspaces(ctx)
	if err != nil || len(list) != 2 || list[1].Name != "users" {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := r.admin.DropKeyspace(ctx, "users"); err != nil {
		t.Fatal(err)
	}
	if err := r.admin.DropKeyspace(ctx, "users"); !errors.Is(err, admin.ErrNotFound) {
		t.Fatalf("dropped twice: %v", err)
	}
	if _, err := c.Keyspace(ctx, "users"); !errors.Is(err, clientlib.ErrNoKeyspace) {
		t.Fatalf("found after it was dropped: %v", err)
	}
	// The same name again must be empty, on ids and nodes that have held the old one.
	r.create(usersKey)
	again, err := c.Keyspace(ctx, "users")
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Get(ctx, fmt.Appendf(nil, "%c%d", 13, 1))
	if !errors.Is(err, clientlib.ErrNotFound) {
		t.Fatalf("a record of the dropped keyspace is back: %q, %v", got.Value, err)
	}
}

func TestStatusShowsNodesChainsAndLoad(t *testing.T) {
	r := newCluster(t, 4)
	r.create(usersKey)
	c := r.client(20, "users")
	ctx := r.context()
	for range 50 {
		if _, err := c.Put(ctx, []byte("key"), []byte("value"), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Get(ctx, []byte("key")); err != nil {
			t.Fatal(err)
		}
	}
	var s admin.Status
	for loaded := false; !loaded; { // the counters are polled
		s = r.status()
		for _, sr := range s.SubRanges {
			loaded = loaded || sr.Reads >= 50 && sr.Writes >= 50 && sr.ReadRate > 0
		}
		if ctx.Err() != nil {
			t.Fatalf("no load in %+v", s.SubRanges)
		}
	}
	if len(s.Nodes) != 4 || len(s.SubRanges) != 9 || len(s.Problems) != 0 {
		t.Fatalf("%d nodes, %d sub-ranges, problems %q", len(s.Nodes), len(s.SubRanges), s.Problems)
	}
	sw := s.Switches[0]
	if !sw.Primary || !sw.Synced || sw.PipelinePushes != 1 || sw.Error != "" || sw.Hosts != 1 ||
		sw.PartitionEntries != 9 {
		t.Fatalf("%+v", sw)
	}
	for _, sr := range s.SubRanges {
		if sr.State != "serving" || sr.Prefixes != 1 || len(sr.Chain) != 3 ||
			len(sr.Unacknowledged) != 0 {
			t.Fatalf("%+v", sr)
		}
	}
}

// TestRestartUnderLoadDisturbsNothing stops and starts the controller while a client works: every
// request succeeds, and neither a table entry nor the pipeline is written again.
func TestRestartUnderLoadDisturbsNothing(t *testing.T) {
	r := newCluster(t, 3)
	r.create(usersKey)
	c := r.client(20, "users")
	ctx := r.context()
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			key, value := fmt.Appendf(nil, "%d", i%100), fmt.Append(nil, i)
			if _, err := c.Put(ctx, key, value, nil); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 3 {
		r.halt()
		r.start(3)
		ctx := r.context()
		for {
			s, err := r.admin.Status(ctx) // the first one may find the old connection broken
			if ctx.Err() != nil {
				t.Fatalf("%+v, %v", s, err)
			}
			if err != nil || !s.Switches[0].Synced || len(s.Problems) > 0 {
				continue
			}
			if sw := s.Switches[0]; sw.Updates != 0 || sw.PipelinePushes != 0 {
				t.Fatalf("after a restart: %d updates, %d pushes", sw.Updates, sw.PipelinePushes)
			}
			break
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestSyncKeyspaceIsRefusedWithoutPersistentNodes(t *testing.T) {
	r := newRig(t)
	r.start(3)
	r.addNodes(3, false)
	r.awaitKind(controller.KeyspaceReady)
	_, err := r.admin.CreateKeyspace(r.context(), usersKey)
	if !errors.Is(err, admin.ErrNotReady) {
		t.Fatal(err)
	}
	r.until("a word about a system keyspace in memory", func(s admin.Status) bool {
		return len(s.Problems) == 1
	})
}

func TestKeyspaceWaitsForTheExpectedNodes(t *testing.T) {
	r := newRig(t)
	r.start(2)
	r.addNodes(1, true)
	r.awaitKind(controller.NodeJoined)
	if _, err := r.admin.CreateKeyspace(r.context(), usersKey); !errors.Is(err, admin.ErrNotReady) {
		t.Fatal(err)
	}
	r.addNodes(1, true)
	r.awaitKind(controller.KeyspaceReady)
}

// TestLostMemoryIsEvicted restarts a node that held replicas in memory: whether its failure or its
// loss is noticed first, it is taken out of the chain, which goes on.
func TestLostMemoryIsEvicted(t *testing.T) {
	r := newRig(t)
	r.start(2)
	r.addNodes(2, false)
	r.awaitKind(controller.KeyspaceReady)
	lost := r.nodes[1]
	if err := lost.Close(); err != nil {
		t.Fatal(err)
	}
	r.await("node left", func(e controller.Event) bool {
		return e.Kind == controller.NodeLeft && e.Node == lost.ID()
	})
	r.unplug(2)
	r.nodes = r.nodes[:1]
	r.addNodes(1, false)
	r.await("evicted", func(e controller.Event) bool {
		return e.Kind == core.MemberEvicted && e.Node == lost.ID() && e.Count == 1
	})
	r.create(admin.KeyspaceSpec{Name: "more", Partitioner: kv.HashPartitioned,
		Durability: kv.DurabilityMemory, Replication: 1, SubRanges: 1}) // the catalogue takes writes
}

// TestAClusterInMemoryStartsAgain restarts all nodes at once: what was in them is lost, and said to
// be, but the cluster takes orders again.
func TestAClusterInMemoryStartsAgain(t *testing.T) {
	r := newRig(t)
	r.start(2)
	r.addNodes(2, false)
	r.awaitKind(controller.KeyspaceReady)
	cache := admin.KeyspaceSpec{Name: "cache", Partitioner: kv.HashPartitioned,
		Durability: kv.DurabilityMemory, Replication: 2, SubRanges: 2}
	r.create(cache)
	for i, n := range r.nodes {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		r.unplug(uint16(i + 1))
	}
	r.nodes = nil
	r.addNodes(2, false)
	r.awaitKind(core.CatalogueRecreated)
	r.awaitKind(core.SubRangeLost)
	if err := r.admin.DropKeyspace(r.context(), "cache"); err != nil {
		t.Fatal(err)
	}
	r.create(cache)
	c := r.client(20, "cache")
	if _, err := c.Put(r.context(), []byte("key"), []byte("value"), nil); err != nil {
		t.Fatal(err)
	}
}

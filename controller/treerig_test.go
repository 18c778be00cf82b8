package controller_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/storagenode"
	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
	"google.golang.org/grpc"
)

// tree is a rig with several switches, as a topology has them.
type tree struct {
	*rig
	net      *topology.Network
	switches map[string]*daemon.Daemon
	stops    map[string]func()
	cords    []*cord // one per link of the network
	byHost   map[string]*storagenode.Node
}

// cord is a cable between two ends that come and go.
type cord struct {
	pumps sync.WaitGroup

	mu   sync.Mutex
	ends [2]port.Port // outside of what it is plugged into; nil: it hangs loose
	cut  bool         // frames disappear, and nobody is told
}

// plug puts an end into something, of which outside is the other side; nil: into nothing.
func (c *cord) plug(end int, outside port.Port) {
	c.mu.Lock()
	old := c.ends[end]
	c.ends[end] = outside
	c.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
	if outside != nil {
		c.pumps.Go(func() { carry(outside, func() port.Port { return c.to(1 - end) }) })
	}
}

func (c *cord) to(end int) port.Port {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil
	}
	return c.ends[end]
}

func (c *cord) setCut(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = is
}

func newTree(t *testing.T, shape string) *tree {
	t.Helper()
	s, err := topology.ParseShape(shape)
	if err != nil {
		t.Fatal(err)
	}
	r := &tree{
		rig: &rig{t: t, dir: t.TempDir(), news: make(chan struct{})}, net: s.Network(),
		switches: make(map[string]*daemon.Daemon), stops: make(map[string]func()),
		byHost: make(map[string]*storagenode.Node),
	}
	for range r.net.Links {
		r.cords = append(r.cords, new(cord))
	}
	t.Cleanup(func() {
		for _, stop := range r.stops {
			stop()
		}
		for _, c := range r.cords {
			c.plug(0, nil)
			c.plug(1, nil)
			c.pumps.Wait()
		}
	})
	for _, sw := range r.net.Switches {
		r.startSwitch(sw.Name, "127.0.0.1:0")
	}
	r.point = func(cfg *controller.Config) {
		cfg.Topology, cfg.SwitchOptions = r.addressed(), []grpc.DialOption{plain}
	}
	return r
}

// addressed is the topology with the addresses of its switches, as a file would give them.
func (r *tree) addressed() *topology.Network {
	net := *r.net
	net.Switches = append([]topology.Switch(nil), net.Switches...)
	for i, s := range net.Switches {
		net.Switches[i].P4Runtime = r.switches[s.Name].Addr().String()
	}
	return &net
}

// startSwitch starts a switch that knows nothing, with all its cables.
func (r *tree) startSwitch(name, addr string) {
	r.t.Helper()
	sw, err := daemon.New(daemon.Config{Listener: listenAgain(r.context(), r.t, addr)})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- sw.Run(ctx) }()
	r.switches[name] = sw
	for _, x := range r.net.Neighbours(name) {
		r.plugSwitch(x.Link, name)
	}
	r.stops[name] = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil && !errors.Is(err, context.Canceled) {
			r.t.Errorf("switch %s: %v", name, err)
		}
	})
}

// plugSwitch puts an end of a cable into its switch.
func (r *tree) plugSwitch(link int, name string) {
	r.t.Helper()
	l := r.net.Links[link]
	inside, outside := port.NewPair(1024)
	if err := r.switches[name].AddPort(uint16(l.At(name).Port), inside); err != nil {
		r.t.Fatal(err)
	}
	r.cords[link].plug(endOf(l, name), outside)
}

func endOf(l topology.Link, name string) int {
	if l.A.Name == name {
		return 0
	}
	return 1
}

// killSwitch ends a switch; all that it held is gone.
func (r *tree) killSwitch(name string) (addr string) {
	addr = r.switches[name].Addr().String()
	r.stops[name]()
	return addr
}

// linkOf returns the number of the cable between two switches.
func (r *tree) linkOf(a, b string) int {
	r.t.Helper()
	for _, x := range r.net.Neighbours(a) {
		if x.End.Name == b {
			return x.Link
		}
	}
	r.t.Fatalf("no cable between %s and %s", a, b)
	return 0
}

// pull pulls a cable out of both switches, which notice; push puts it back.
func (r *tree) pull(link int) {
	for _, e := range []topology.End{r.net.Links[link].A, r.net.Links[link].B} {
		if err := r.switches[e.Name].RemovePort(uint16(e.Port)); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *tree) push(link int) {
	r.plugSwitch(link, r.net.Links[link].A.Name)
	r.plugSwitch(link, r.net.Links[link].B.Name)
}

// attach plugs a host into its switch.
func (r *tree) attach(name string, number uint16) *transport.Host {
	r.t.Helper()
	h, _ := r.net.Host(name)
	x := r.net.Neighbours(name)[0]
	inside, outside := port.NewPair(1024)
	r.cords[x.Link].plug(endOf(r.net.Links[x.Link], name), inside)
	host, err := transport.NewHost(outside, transport.HostConfig{
		Addr: netip.AddrPortFrom(h.Addr.Addr(), number)})
	if err != nil {
		r.t.Fatal(err)
	}
	return host
}

// startNode starts a storage node, which does not know where it hangs: the topology does.
func (r *tree) startNode(name string) *storagenode.Node {
	r.t.Helper()
	h, _ := r.net.Host(name)
	node, err := storagenode.Start(context.Background(), storagenode.Config{
		Conn: r.attach(name, wire.Port), DataDir: filepath.Join(r.dir, name),
		Control: storagenode.Control{Target: r.listen, DialOptions: []grpc.DialOption{plain},
			MAC: transport.MACOf(h.Addr.Addr()), Port: 1},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = node.Close() })
	r.byHost[name] = node
	return node
}

// stopNode ends a node without a word to anybody, as far as others can tell.
func (r *tree) stopNode(name string) kv.NodeID {
	r.t.Helper()
	node := r.byHost[name]
	if err := node.Close(); err != nil {
		r.t.Fatal(err)
	}
	x := r.net.Neighbours(name)[0]
	r.cords[x.Link].plug(endOf(r.net.Links[x.Link], name), nil)
	return node.ID()
}

// client starts a client at a host.
func (r *tree) client(name, keyspace string) *clientlib.Client {
	r.t.Helper()
	c, err := clientlib.Dial(r.context(), clientlib.Config{
		Service: netip.AddrPortFrom(service, wire.Port), Keyspace: keyspace, Conn: r.attach(name, 40000),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// hostsOf returns the hosts of a role in a rack.
func (r *tree) hostsOf(rack string, role topology.Role) (names []string) {
	for _, h := range r.net.HostsOf(rack) {
		if h.Role == role {
			names = append(names, h.Name)
		}
	}
	return names
}

// newTreeCluster is a tree with a controller and all storage nodes, complete.
func newTreeCluster(t *testing.T, shape string) *tree {
	t.Helper()
	r := newTree(t, shape)
	nodes := 0
	for _, h := range r.net.Hosts {
		if h.Role == topology.Node {
			nodes++
		}
	}
	r.start(nodes)
	for _, h := range r.net.Hosts {
		if h.Role == topology.Node {
			r.startNode(h.Name)
		}
	}
	r.await("system keyspace ready", func(e controller.Event) bool {
		return e.Kind == controller.KeyspaceReady && e.Keyspace == kv.SystemDescriptor.Name
	})
	return r
}

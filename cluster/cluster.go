package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/storagenode"
	"github.com/turbokv/turbokv/transport"
)

// Cluster is a running cluster.
type Cluster struct {
	cfg       Config
	dir       string
	temporary bool // dir goes with the cluster

	sw     *daemon.Daemon
	admin  *admin.Client
	target string // of the controller

	stop  context.CancelCauseFunc
	ctx   context.Context
	parts sync.WaitGroup

	mu      sync.Mutex // guards what follows
	nodes   []*storagenode.Node
	clients map[uint16]bool // switch ports in use
}

// plaintext is right on the loopback interface, the only one that a cluster listens on by itself.
var plaintext = grpc.WithTransportCredentials(insecure.NewCredentials())

// Start starts a cluster and returns when it takes orders, or with an error when ctx ends before.
// The cluster must be closed.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	c := &Cluster{cfg: cfg, clients: make(map[uint16]bool), nodes: make([]*storagenode.Node, cfg.Nodes)}
	c.ctx, c.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("cluster: %w", err), c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if err := c.makeDir(); err != nil {
		return err
	}
	if err := c.startSwitch(); err != nil {
		return err
	}
	if err := c.startController(); err != nil {
		return err
	}
	for i := range c.nodes {
		if err := c.StartNode(i); err != nil {
			return err
		}
	}
	return c.awaitReady(ctx)
}

func (c *Cluster) makeDir() (err error) {
	c.dir = c.cfg.DataDir
	if c.dir == "" {
		c.dir, err = os.MkdirTemp("", "turbokv-")
		c.temporary = err == nil
		return err
	}
	return os.MkdirAll(c.dir, 0o755)
}

// run starts a part of the cluster; its error ends the cluster.
func (c *Cluster) run(part func(context.Context) error) {
	c.parts.Go(func() {
		if err := part(c.ctx); err != nil {
			c.stop(err)
		}
	})
}

func (c *Cluster) startSwitch() error {
	listener, err := listen(c.cfg.P4Runtime)
	if err != nil {
		return fmt.Errorf("switch: %w", err)
	}
	c.sw, err = daemon.New(daemon.Config{Listener: listener, Ports: c.cfg.Ports})
	if err != nil {
		return err
	}
	c.run(c.sw.Run)
	return nil
}

func (c *Cluster) startController() error {
	listener, err := listen(c.cfg.Controller)
	if err != nil {
		return fmt.Errorf("controller: %w", err)
	}
	control, err := controller.New(controller.Config{
		Store: filepath.Join(c.dir, "controller.db"), Listener: listener,
		Switches: []controller.Switch{{
			Target: c.sw.Addr().String(), DeviceID: daemon.DefaultDeviceID,
			DialOptions: []grpc.DialOption{plaintext},
		}},
		Service: Service.Addr(), Address: controlHost, ExpectNodes: c.cfg.Nodes,
		Events: controller.Events{Notify: c.cfg.Events.Controller},
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	c.run(control.Run)
	c.target = control.Addr().String()
	c.admin, err = admin.Dial(c.target, plaintext)
	return err
}

// StartNode starts node i, 0 <= i < Config.Nodes, which must not be running.
func (c *Cluster) StartNode(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i < 0 || i >= len(c.nodes) || c.nodes[i] != nil {
		return fmt.Errorf("node %d: %w, or it is running", i, ErrNoNode)
	}
	addr, number := nodeAddr(i), uint16(i+1)
	conn, err := c.plugNode(number, addr)
	if err != nil {
		return err
	}
	node, err := storagenode.Start(c.ctx, storagenode.Config{
		Conn: conn, DataDir: filepath.Join(c.dir, fmt.Sprintf("node%d", i+1)), Engine: c.cfg.Engine,
		Control: storagenode.Control{
			Target: c.target, DialOptions: []grpc.DialOption{plaintext},
			MAC: transport.MACOf(addr.Addr()), Port: uint32(number),
		},
	})
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	c.nodes[i] = node
	return nil
}

// plugNode plugs a node in, with what Config.NodeConn puts around its socket.
func (c *Cluster) plugNode(number uint16, addr netip.AddrPort) (transport.Conn, error) {
	conn, err := c.plug(number, transport.HostConfig{Addr: addr})
	if err != nil || c.cfg.NodeConn == nil {
		return conn, err
	}
	wrapped, err := c.cfg.NodeConn(conn, c.target)
	if err != nil {
		return nil, errors.Join(err, conn.Close(), c.sw.RemovePort(number))
	}
	return wrapped, nil
}

// AddNode starts one more node than there were so far, and returns its number and its identity. The
// cluster uses it as soon as its controller sees fit.
func (c *Cluster) AddNode() (i int, id kv.NodeID, err error) {
	c.mu.Lock()
	i = len(c.nodes)
	if i >= MaxNodes || c.ctx.Err() != nil {
		c.mu.Unlock()
		return 0, 0, fmt.Errorf("node %d: a cluster has at most %d, and must be running", i, MaxNodes)
	}
	c.nodes = append(c.nodes, nil)
	c.mu.Unlock()
	return i, kv.NodeIDOf(nodeAddr(i).Addr()), c.StartNode(i)
}

// Nodes returns the nodes that run, by their numbers.
func (c *Cluster) Nodes() map[int]*storagenode.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[int]*storagenode.Node)
	for i, n := range c.nodes {
		if n != nil {
			out[i] = n
		}
	}
	return out
}

// StopNode stops node i in an orderly way. What it holds in keyspaces of durability memory is lost.
func (c *Cluster) StopNode(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i < 0 || i >= len(c.nodes) || c.nodes[i] == nil {
		return fmt.Errorf("node %d: %w, or it is not running", i, ErrNoNode)
	}
	node := c.nodes[i]
	c.nodes[i] = nil
	return errors.Join(node.Close(), c.sw.RemovePort(uint16(i+1)))
}

// plug lays an in-memory cable between a port of the switch and a host.
func (c *Cluster) plug(number uint16, host transport.HostConfig) (transport.Conn, error) {
	inner, outer := port.NewPair(queueLength)
	conn, err := transport.NewHost(outer, host)
	if err != nil {
		return nil, err
	}
	if err := c.sw.AddPort(number, inner); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Switch returns the switch.
func (c *Cluster) Switch() *daemon.Daemon { return c.sw }

// Admin returns a client of the controller's admin service. The cluster closes it.
func (c *Cluster) Admin() *admin.Client { return c.admin }

// ControllerAddr is where nodes and operators reach the controller, host:port.
func (c *Cluster) ControllerAddr() string { return c.target }

// Done is closed when a part of the cluster failed; Close tells why.
func (c *Cluster) Done() <-chan struct{} { return c.ctx.Done() }

// Close stops all parts and returns the error of the one that failed, if one did.
func (c *Cluster) Close() error {
	c.stop(ErrClosed)
	var errs []error
	if c.admin != nil {
		errs = append(errs, c.admin.Close())
	}
	for _, node := range c.takeNodes() {
		if node != nil {
			errs = append(errs, node.Close())
		}
	}
	c.parts.Wait()
	if c.temporary {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	if cause := context.Cause(c.ctx); !errors.Is(cause, ErrClosed) {
		errs = append(errs, cause)
	}
	return ignoreClosed(errors.Join(errs...))
}

func (c *Cluster) takeNodes() []*storagenode.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes := c.nodes
	c.nodes = nil
	return nodes
}

// ignoreClosed drops the error of closing something twice.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/transport"
)

// readyPoll is the time between two looks at a cluster that starts.
const readyPoll = 5 * time.Millisecond

// awaitReady waits until keyspaces can be created.
func (c *Cluster) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		spaces, err := c.admin.ListKeyspaces(ctx)
		if err == nil && len(spaces) > 0 && spaces[0].Phase == "ready" {
			return nil
		}
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// CreateKeyspace creates a keyspace and returns when clients can use it.
func (c *Cluster) CreateKeyspace(ctx context.Context, spec admin.KeyspaceSpec) error {
	_, err := c.admin.CreateKeyspace(ctx, spec)
	return err
}

// DropKeyspace drops a keyspace and returns when clients can no longer find it.
func (c *Cluster) DropKeyspace(ctx context.Context, name string) error {
	return c.admin.DropKeyspace(ctx, name)
}

// Dial opens a client session on a keyspace over a switch port of its own.
func (c *Cluster) Dial(ctx context.Context, keyspace string) (*clientlib.Client, error) {
	return c.DialConfig(ctx, clientlib.Config{Keyspace: keyspace})
}

// DialConfig is Dial with more to choose. Service and Conn of cfg are filled in.
func (c *Cluster) DialConfig(ctx context.Context, cfg clientlib.Config) (*clientlib.Client, error) {
	conn, err := c.Connect()
	if err != nil {
		return nil, err
	}
	cfg.Conn, cfg.Service = conn, Service
	return clientlib.Dial(ctx, cfg)
}

// Connect plugs a new host into the switch. Closing it frees the port.
func (c *Cluster) Connect() (transport.Conn, error) {
	number, err := c.takePort()
	if err != nil {
		return nil, err
	}
	conn, err := c.plug(number, transport.HostConfig{Addr: clientAddr(number)})
	if err != nil {
		c.freePort(number)
		return nil, err
	}
	return &clientConn{Conn: conn, cluster: c, number: number}, nil
}

func (c *Cluster) takePort() (uint16, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for number := uint16(FirstClientPort); number <= LastClientPort; number++ {
		if !c.clients[number] {
			c.clients[number] = true
			return number, nil
		}
	}
	return 0, fmt.Errorf("%w: %d are connected", ErrClients, len(c.clients))
}

func (c *Cluster) freePort(number uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.clients, number)
}

// clientConn gives its switch port back when it is closed.
type clientConn struct {
	transport.Conn
	cluster *Cluster
	number  uint16
}

// Close implements transport.Conn.
func (c *clientConn) Close() error {
	err := c.Conn.Close()
	if removed := c.cluster.sw.RemovePort(c.number); removed == nil {
		c.cluster.freePort(c.number)
	}
	return err
}

// LocalAddr implements transport.Conn.
func (c *clientConn) LocalAddr() netip.AddrPort { return c.Conn.LocalAddr() }

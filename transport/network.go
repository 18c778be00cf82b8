package transport

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Network is an in-memory network of Conns that loses nothing but what overflows a queue. It is
// for tests; a cluster in one process uses the ports of the built-in switch.
type Network struct {
	mu    sync.Mutex
	conns map[netip.AddrPort]*memConn
}

// NewNetwork returns a network without members.
func NewNetwork() *Network { return &Network{conns: make(map[netip.AddrPort]*memConn)} }

// queueLength bounds what a member has not read yet, in datagrams.
const queueLength = 4096

// Listen adds a member. Its address must be free.
func (n *Network) Listen(addr netip.AddrPort) (Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, taken := n.conns[addr]; taken {
		return nil, fmt.Errorf("in-memory network: %v is taken", addr)
	}
	c := &memConn{
		net: n, addr: addr,
		queue: make(chan Message, queueLength), done: make(chan struct{}),
	}
	n.conns[addr] = c
	return c, nil
}

func (n *Network) lookup(a netip.AddrPort) *memConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.conns[a]
}

func (n *Network) remove(a netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, a)
}

type memConn struct {
	net   *Network
	addr  netip.AddrPort
	queue chan Message
	done  chan struct{}
	once  sync.Once
	lost  atomic.Uint64
}

// ReadBatch implements Conn.
func (c *memConn) ReadBatch(msgs []Message) (int, error) {
	select {
	case <-c.done:
		return 0, net.ErrClosed
	case msgs[0] = <-c.queue:
	}
	for n := 1; n < len(msgs); n++ {
		select {
		case msgs[n] = <-c.queue:
		default:
			return n, nil
		}
	}
	return len(msgs), nil
}

// WriteBatch implements Conn.
func (c *memConn) WriteBatch(msgs []Message) error {
	for _, m := range msgs {
		to := c.net.lookup(m.Addr)
		if to == nil {
			c.lost.Add(1)
			continue
		}
		select {
		case to.queue <- Message{Addr: c.addr, Payload: append([]byte(nil), m.Payload...)}:
		default:
			c.lost.Add(1)
		}
	}
	return nil
}

// LocalAddr implements Conn.
func (c *memConn) LocalAddr() netip.AddrPort { return c.addr }

// Close implements Conn.
func (c *memConn) Close() error {
	c.once.Do(func() {
		c.net.remove(c.addr)
		close(c.done)
	})
	return nil
}

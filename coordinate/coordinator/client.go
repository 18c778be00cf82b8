package coordinator

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// ErrLocalAddr says that a socket does not know its own address, to which replies must go.
var ErrLocalAddr = errors.New("the socket must be bound to an address of the data network")

// checkLocal returns ErrLocalAddr for a socket that is bound to any address.
func checkLocal(conn transport.Conn) error {
	if local := conn.LocalAddr(); !local.Addr().Is4() || local.Addr().IsUnspecified() {
		return fmt.Errorf("coordinate on %v: %w", local, ErrLocalAddr)
	}
	return nil
}

// client is client-driven coordination.
type client struct {
	transport.Conn
	service netip.AddrPort
	cache   *Cache

	mu    sync.Mutex // guards what follows
	out   coordinate.Output
	batch []transport.Message
}

// NewClient returns a Conn over conn that resolves by itself what is sent to the service address, and
// sends it to the head or the tail. What a switch would answer, it sends to its own address, so that
// it takes the way of all replies. The cache is not closed with it.
func NewClient(conn transport.Conn, service netip.AddrPort, cache *Cache) (transport.Conn, error) {
	if err := checkLocal(conn); err != nil {
		return nil, err
	}
	return &client{Conn: conn, service: service, cache: cache}, nil
}

// WriteBatch implements transport.Conn.
func (c *client) WriteBatch(msgs []transport.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.Reset()
	for _, m := range msgs {
		if m.Addr == c.service && len(m.Payload) >= wire.HeaderSize {
			c.cache.For(m.Payload).Resolve(m.Payload, c.LocalAddr(), &c.out)
		} else {
			c.out.Sends = append(c.out.Sends, coordinate.Send{To: m.Addr, Payload: m.Payload})
		}
	}
	c.batch = messages(c.batch[:0], &c.out)
	return c.Conn.WriteBatch(c.batch)
}

// messages appends what is in an output.
func messages(dst []transport.Message, out *coordinate.Output) []transport.Message {
	for _, s := range out.Sends {
		dst = append(dst, transport.Message{Addr: s.To, Payload: s.Payload})
	}
	return dst
}

// ReadBatch implements transport.Conn.
func (c *client) ReadBatch(msgs []transport.Message) (int, error) {
	n, err := c.Conn.ReadBatch(msgs)
	for _, m := range msgs[:n] {
		if p, ok := refusal(m.Payload); ok {
			c.cache.Refused(p.SubRange(), p.Epoch())
		}
	}
	return n, err
}

// refusal returns the reply with which a node refused an epoch. One that says TRY_AGAIN serves it: it
// is recovering or overloaded, and the map is right.
func refusal(b []byte) (p wire.Packet, ok bool) {
	if len(b) < wire.HeaderSize {
		return nil, false
	}
	p = wire.Packet(b)
	return p, p.Flags()&wire.FlagReply != 0 && p.Status() == wire.StatusWrongEpoch
}

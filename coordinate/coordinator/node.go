package coordinator

import (
	"net/netip"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// node is the server's side of server-driven coordination.
type node struct {
	transport.Conn
	cache *Cache
	self  netip.AddrPort
	id    kv.NodeID

	// What follows is the reader's.
	out     coordinate.Output
	batch   []transport.Message
	clients map[kv.ClientID]netip.AddrPort // whose replies go through here
}

// maxClients bounds the clients that a node remembers; those of a full memory are forgotten all at
// once, and their requests in flight are repeated.
const maxClients = 1 << 16

// NewNode returns a Conn over the conn of a storage node that resolves requests which clients have
// sent to it unresolved: those for its own replicas it delivers, others it forwards. The cache is not
// closed with it.
func NewNode(conn transport.Conn, cache *Cache) (transport.Conn, error) {
	if err := checkLocal(conn); err != nil {
		return nil, err
	}
	self := conn.LocalAddr()
	return &node{Conn: conn, cache: cache, self: self, id: kv.NodeIDOf(self.Addr()),
		clients: make(map[kv.ClientID]netip.AddrPort)}, nil
}

// ReadBatch implements transport.Conn.
func (n *node) ReadBatch(msgs []transport.Message) (int, error) {
	for {
		count, err := n.Conn.ReadBatch(msgs)
		if err != nil {
			return 0, err
		}
		if count = n.sort(msgs[:count]); count > 0 {
			return count, nil
		}
	}
}

// sort forwards what is not for this node and moves the rest to the front.
func (n *node) sort(msgs []transport.Message) (kept int) {
	n.out.Reset()
	n.batch = n.batch[:0]
	for _, m := range msgs {
		if len(m.Payload) < wire.HeaderSize {
			continue
		}
		switch p := wire.Packet(m.Payload); {
		case p.Flags()&wire.FlagReply != 0:
			n.relay(p)
		case p.Op().Class() <= wire.ClassWrite && p.ChainLength() == 0:
			if local := n.resolve(p, m.Addr); local != nil {
				msgs[kept] = transport.Message{Addr: m.Addr, Payload: local}
				kept++
			}
		default:
			msgs[kept] = m
			kept++
		}
	}
	if len(n.batch) > 0 {
		_ = n.Conn.WriteBatch(n.batch) // what is lost, clients repeat
	}
	return kept
}

// resolve appends to the batch what leaves for others and returns what is for this node itself. Of the
// pieces of a scan that is one; further ones go through the network like those for others.
func (n *node) resolve(p wire.Packet, from netip.AddrPort) (local wire.Packet) {
	before, through := len(n.out.Sends), p.ChainPosition() == replyThrough
	n.cache.For(p).Resolve(p, from, &n.out)
	for _, s := range n.out.Sends[before:] {
		if through && s.To != from {
			n.remember(wire.Packet(s.Payload), from)
		}
		if s.To == n.self && local == nil {
			local = s.Payload
			continue
		}
		n.batch = append(n.batch, transport.Message{Addr: s.To, Payload: s.Payload})
	}
	return local
}

// remember has the reply to a resolved request come here, unless this node will make it itself.
func (n *node) remember(p wire.Packet, from netip.AddrPort) {
	if p.ChainNode(p.ChainLength()-1) == n.id {
		return
	}
	if _, known := n.clients[p.Client()]; !known && len(n.clients) >= maxClients {
		clear(n.clients)
	}
	n.clients[p.Client()] = from
	p.SetClientAddr(n.self)
}

// relay sends a reply on to the client that it is for.
func (n *node) relay(p wire.Packet) {
	if to, ok := n.clients[p.Client()]; ok {
		n.batch = append(n.batch, transport.Message{Addr: to, Payload: p})
	}
}

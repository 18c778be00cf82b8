package coordinator

import (
	"net/netip"
	"sync"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// SprayConfig says how nodes coordinate for a client.
type SprayConfig struct {
	// ReplyThrough has replies come back through the node that the request was sent to. By default
	// they come from the tail, which is the form of server-driven coordination that is best to it.
	ReplyThrough bool
}

// replyThrough is the chain position, which no sender sets else, of a request whose reply shall come
// back through the node that resolves it.
const replyThrough = 1

// spray is the client's side of server-driven coordination.
type spray struct {
	transport.Conn
	service netip.AddrPort
	cache   *Cache // of which it uses the list of nodes only
	cfg     SprayConfig
	hint    hint

	mu    sync.Mutex // guards what follows
	next  uint
	out   coordinate.Output
	batch []transport.Message
}

// NewSpray returns a Conn over conn that sends what is sent to the service address to one storage
// node after the other, without looking at it. The nodes must be of NewNode. A request is lost while
// no node is known. The cache is not closed with it.
func NewSpray(
	conn transport.Conn, service netip.AddrPort, cache *Cache, cfg SprayConfig,
) (transport.Conn, error) {
	if err := checkLocal(conn); err != nil {
		return nil, err
	}
	return &spray{Conn: conn, service: service, cache: cache, cfg: cfg}, nil
}

// WriteBatch implements transport.Conn.
func (s *spray) WriteBatch(msgs []transport.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Reset()
	s.batch = s.batch[:0]
	nodes, hint := s.cache.Map().Nodes(), s.hint.fresh()
	for _, m := range msgs {
		if m.Addr == s.service {
			if len(nodes) == 0 {
				continue
			}
			m.Payload = s.mark(hint.mark(m.Payload, &s.out))
			m.Addr = netip.AddrPortFrom(nodes[s.next%uint(len(nodes))].Addr(), wire.Port)
			s.next++
		}
		s.batch = append(s.batch, m)
	}
	return s.Conn.WriteBatch(s.batch)
}

// mark returns the request with the wish for its reply in it, a copy if there is one.
func (s *spray) mark(request []byte) []byte {
	if !s.cfg.ReplyThrough || len(request) < wire.HeaderSize {
		return request
	}
	p := wire.Packet(s.out.Copy(request))
	p.SetChain(nil, replyThrough)
	return p
}

// ReadBatch implements transport.Conn.
func (s *spray) ReadBatch(msgs []transport.Message) (int, error) {
	n, err := s.Conn.ReadBatch(msgs)
	s.hint.listen(msgs[:n])
	return n, err
}

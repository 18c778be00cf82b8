package coordinator

import (
	"net/netip"
	"sync"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// spray is the client's side of server-driven coordination.
type spray struct {
	transport.Conn
	service netip.AddrPort
	cache   *Cache // of which it uses the list of nodes only
	hint    hint

	mu    sync.Mutex // guards what follows
	next  uint
	out   coordinate.Output
	batch []transport.Message
}

// NewSpray returns a Conn over conn that sends what is sent to the service address to one storage
// node after the other, without looking at it. The nodes must be of NewNode. A request is lost while
// no node is known. The cache is not closed with it.
func NewSpray(conn transport.Conn, service netip.AddrPort, cache *Cache) (transport.Conn, error) {
	if err := checkLocal(conn); err != nil {
		return nil, err
	}
	return &spray{Conn: conn, service: service, cache: cache}, nil
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
			m.Payload = hint.mark(m.Payload, &s.out)
			m.Addr = netip.AddrPortFrom(nodes[s.next%uint(len(nodes))].Addr(), wire.Port)
			s.next++
		}
		s.batch = append(s.batch, m)
	}
	return s.Conn.WriteBatch(s.batch)
}

// ReadBatch implements transport.Conn.
func (s *spray) ReadBatch(msgs []transport.Message) (int, error) {
	n, err := s.Conn.ReadBatch(msgs)
	s.hint.listen(msgs[:n])
	return n, err
}

package coordinator

import (
	"net/netip"
	"sync"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// askSlots is how many requests a client remembers while it waits for the master: more than the
// largest window. Older ones are forgotten, and the session repeats them.
const askSlots = 4096

// asker is the client's side of master-driven coordination.
type asker struct {
	transport.Conn
	service, master netip.AddrPort
	hint            hint

	mu    sync.Mutex // guards what follows
	next  coordinate.Token
	slots [askSlots]asked
	out   coordinate.Output // of the writer
	batch []transport.Message

	// What follows is the reader's.
	answers coordinate.Output
	replies []transport.Message
}

// asked is a request that the master has been asked about.
type asked struct {
	token   coordinate.Token
	request []byte
}

// NewAsker returns a Conn over conn that asks the master at that address about everything that is
// sent to the service address, and sends it where the master says.
func NewAsker(conn transport.Conn, service, master netip.AddrPort) (transport.Conn, error) {
	if err := checkLocal(conn); err != nil {
		return nil, err
	}
	return &asker{Conn: conn, service: service, master: master, next: 1}, nil
}

// WriteBatch implements transport.Conn.
func (a *asker) WriteBatch(msgs []transport.Message) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.out.Reset()
	a.batch = a.batch[:0]
	hint := a.hint.fresh()
	for _, m := range msgs {
		if m.Addr == a.service && len(m.Payload) >= wire.HeaderSize {
			m = transport.Message{Addr: a.master, Payload: a.ask(hint.mark(m.Payload, &a.out))}
		}
		a.batch = append(a.batch, m)
	}
	return a.Conn.WriteBatch(a.batch)
}

// ask keeps the request and returns the query about it.
func (a *asker) ask(request []byte) []byte {
	s := &a.slots[a.next%askSlots]
	s.token, s.request = a.next, append(s.request[:0], request...)
	a.next++
	var b [coordinate.QuerySize]byte
	return a.out.Copy(coordinate.AppendQuery(b[:0], s.token, request))
}

// ReadBatch implements transport.Conn.
func (a *asker) ReadBatch(msgs []transport.Message) (int, error) {
	for {
		n, err := a.Conn.ReadBatch(msgs)
		if err != nil {
			return 0, err
		}
		if n = a.sort(msgs[:n]); n > 0 {
			a.hint.listen(msgs[:n])
			return n, nil
		}
	}
}

// sort does what the answers of the master say and moves what is for the client to the front.
func (a *asker) sort(msgs []transport.Message) (kept int) {
	a.answers.Reset()
	a.replies = a.replies[:0]
	for _, m := range msgs {
		if m.Addr == a.master {
			before := len(a.answers.Sends)
			a.apply(m.Payload)
			if len(a.answers.Sends) == before {
				continue
			}
			s := a.answers.Sends[before]
			m = transport.Message{Addr: s.To, Payload: s.Payload}
			if m.Addr != a.LocalAddr() {
				a.replies = append(a.replies, m)
				continue
			}
		}
		msgs[kept] = m
		kept++
	}
	if len(a.replies) > 0 {
		_ = a.Conn.WriteBatch(a.replies) // what is lost, the session repeats
	}
	return kept
}

// apply makes of a request what the master has answered; nothing, if it is not known any more.
func (a *asker) apply(payload []byte) {
	answer, ok := coordinate.ParseAnswer(payload)
	if !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := &a.slots[answer.Token%askSlots]; s.token == answer.Token {
		answer.Apply(s.request, a.LocalAddr(), &a.answers)
	}
}

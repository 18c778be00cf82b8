package storagenode

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/storagenode/engine"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// patience is how long a test waits for what must happen at last.
const patience = 20 * time.Second

func nodeAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), wire.Port)
}

// wholeLine returns the assignment of the only sub-range to a chain of nodes.
func wholeLine(d kv.Durability, chain ...netip.AddrPort) kv.Assignment {
	a := kv.Assignment{
		SubRange: 7, Epoch: 1, Keyspace: 1, Partitioner: kv.RangePartitioned, Durability: d,
		Interval: kv.FullInterval, Create: true,
	}
	for _, n := range chain {
		a.Chain = append(a.Chain, kv.NodeIDOf(n.Addr()))
	}
	return a
}

// startNode starts a node that ends with the test.
func startNode(t testing.TB, cfg Config) *Node {
	t.Helper()
	n, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func listen(t testing.TB, net *transport.Network, addr netip.AddrPort) transport.Conn {
	t.Helper()
	conn, err := net.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// startChain starts three nodes with data directories and gives them the whole line.
func startChain(t testing.TB, net *transport.Network, d kv.Durability) ([]*Node, kv.Assignment) {
	t.Helper()
	a := wholeLine(d, nodeAddr(1), nodeAddr(2), nodeAddr(3))
	var nodes []*Node
	for i := range a.Chain {
		n := startNode(t, Config{
			Conn: listen(t, net, nodeAddr(i+1)), DataDir: t.TempDir(), Engine: engine.DefaultDurable,
		})
		if err := n.Configure(a); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	return nodes, a
}

// request is what a test client wants done.
type request struct {
	op         wire.Op
	key, value string
}

// reply is what it is told.
type reply struct {
	status  wire.Status
	version kv.Version
	value   string
}

// client plays client and switch: it stamps the chain itself.
type client struct {
	conn    transport.Conn
	port    uint16 // of the nodes
	to      kv.Assignment
	id      kv.ClientID
	next    kv.RequestSeq
	window  int // requests outstanding at most
	replies chan answered
}

// answered is a reply with the number of its request.
type answered struct {
	seq kv.RequestSeq
	reply
}

// newClient takes over conn.
func newClient(t testing.TB, conn transport.Conn, port uint16, to kv.Assignment) *client {
	c := &client{
		conn: conn, port: port, to: to, id: kv.ClientID(conn.LocalAddr().Port()), next: 1, window: 32,
		replies: make(chan answered, 1024),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.receive()
	}()
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return c
}

func (c *client) receive() {
	msgs := make([]transport.Message, transport.BatchSize)
	for {
		n, err := c.conn.ReadBatch(msgs)
		if err != nil {
			return
		}
		for _, m := range msgs[:n] {
			p, err := wire.Parse(m.Payload)
			if err != nil || p.Flags()&wire.FlagReply == 0 {
				continue
			}
			a := answered{p.Sequence(), reply{p.Status(), p.RecordVersion(), string(p.Payload())}}
			select {
			case c.replies <- a:
			default: // the client asks again
			}
		}
	}
}

// do executes requests, as many as window at a time, and returns their replies in order. It asks
// again until a node gives a final answer, or fails the test.
func (c *client) do(t testing.TB, requests ...request) []reply {
	t.Helper()
	replies := make([]reply, len(requests))
	err := c.stream(t.Context(), func(i int) (request, bool) {
		if i >= len(requests) {
			return request{}, false
		}
		return requests[i], true
	}, func(i int, _ request, r reply) { replies[i] = r })
	if err != nil {
		t.Fatal(err)
	}
	return replies
}

// stream executes the requests that next gives until it gives none, and reports each reply. It
// gives up when there is none for long.
func (c *client) stream(
	ctx context.Context, next func(i int) (request, bool), done func(i int, q request, r reply),
) error {
	tooLong := time.NewTimer(patience)
	defer tooLong.Stop()
	base, more := c.next, true
	outstanding := map[kv.RequestSeq]request{}
	repeat := time.NewTicker(50 * time.Millisecond)
	defer repeat.Stop()
	for more || len(outstanding) > 0 {
		for more && len(outstanding) < c.window {
			var q request
			if q, more = next(int(c.next - base)); more {
				outstanding[c.next] = q
				c.send(outstanding, c.next)
				c.next++
			}
		}
		if len(outstanding) == 0 {
			break
		}
		select {
		case a := <-c.replies:
			q, mine := outstanding[a.seq]
			if mine && final(a.status) {
				delete(outstanding, a.seq)
				tooLong.Reset(patience)
				done(int(a.seq-base), q, a.reply)
			}
		case <-repeat.C:
			for seq := range outstanding {
				c.send(outstanding, seq)
			}
		case <-tooLong.C:
			return fmt.Errorf("no final answer to %d requests within %v", len(outstanding), patience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// send sends one of the outstanding requests; loss is for stream to mend.
func (c *client) send(outstanding map[kv.RequestSeq]request, seq kv.RequestSeq) {
	lowest := seq
	for s := range outstanding {
		lowest = min(lowest, s)
	}
	q := outstanding[seq]
	p, to := c.packet(q, seq, lowest)
	_ = c.conn.WriteBatch([]transport.Message{{Addr: to, Payload: p}})
}

// packet returns a request as it leaves the switch, and the node that it goes to.
func (c *client) packet(q request, seq, lowest kv.RequestSeq) (wire.Packet, netip.AddrPort) {
	p := stamp(q, c.to, c.conn.LocalAddr(), c.id, seq, lowest)
	return p, netip.AddrPortFrom(c.to.Chain[p.ChainPosition()].Addr(), c.port)
}

// stamp returns a request as it leaves the switch.
func stamp(
	q request, to kv.Assignment, from netip.AddrPort, id kv.ClientID, seq, lowest kv.RequestSeq,
) wire.Packet {
	p := wire.Packet(wire.AppendKeyed(wire.Append(nil, q.op), []byte(q.key), []byte(q.value)))
	p.SetKeyspace(to.Keyspace)
	p.SetRequest(id, seq, lowest)
	p.SetClientAddr(from)
	p.SetSubRange(to.SubRange, to.Epoch)
	p.SetIndexKey(to.Partitioner.IndexKey([]byte(q.key)))
	position := 0
	if q.op.Class() == wire.ClassRead {
		position = len(to.Chain) - 1
	}
	p.SetChain(to.Chain, position)
	p.Seal()
	return p
}

// eventually waits until ok, looking again and again.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// final reports whether a status ends a request; the others say to wait or to send again.
func final(s wire.Status) bool {
	return s != wire.StatusTryAgain && s != wire.StatusWrongEpoch && s != wire.StatusPending
}

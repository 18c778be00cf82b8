package coordinator_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/coordinate/coordinator"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

var masterAddr = netip.AddrPortFrom(netip.MustParseAddr("10.0.9.2"), coordinate.MasterPort)

// dialogue is a client of NewAsker whose master is the test.
type dialogue struct {
	t                    *testing.T
	client, master, tail transport.Conn
}

func newDialogue(t *testing.T) *dialogue {
	t.Helper()
	n := transport.NewNetwork()
	d := &dialogue{t: t, master: listen(t, n, masterAddr), tail: listen(t, n, tailAddr)}
	var err error
	d.client, err = coordinator.NewAsker(listen(t, n, askerAddr), serviceAddr, masterAddr)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *dialogue) send(request []byte) {
	d.t.Helper()
	if err := d.client.WriteBatch([]transport.Message{{Addr: serviceAddr, Payload: request}}); err != nil {
		d.t.Fatal(err)
	}
}

// query receives what the client asks.
func (d *dialogue) query() coordinate.Query {
	d.t.Helper()
	q, ok := coordinate.ParseQuery(slices.Clone(receive(d.t, d.master).Payload))
	if !ok {
		d.t.Fatal("the master got something that is no query")
	}
	return q
}

func (d *dialogue) reply(payloads ...[]byte) {
	d.t.Helper()
	for _, p := range payloads {
		if err := d.master.WriteBatch([]transport.Message{{Addr: askerAddr, Payload: p}}); err != nil {
			d.t.Fatal(err)
		}
	}
}

// answers are what a master with that map says.
func answers(m *coordinate.Map, q coordinate.Query) (out [][]byte) {
	var o coordinate.Output
	m.Reply(q, askerAddr, &o)
	for _, s := range o.Sends {
		out = append(out, slices.Clone(s.Payload))
	}
	return out
}

func numbered(i int) wire.Packet {
	p := requestTo(0)
	p.SetRequest(7, kv.RequestSeq(i), 1)
	p.Seal()
	return p
}

func TestAskedRequestsGoWhereTheMasterSays(t *testing.T) {
	d := newDialogue(t)
	m, err := fixed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.send(numbered(1))
	q := d.query()
	stray := answers(m, coordinate.Query{Token: q.Token + 100, Size: q.Size, Header: slices.Clone(q.Header)})
	d.reply(append([][]byte{[]byte("garbage"), {}}, stray...)...) // nobody has asked for these
	d.reply(answers(m, q)...)
	d.send(numbered(2))
	d.reply(answers(nil, d.query())...) // TRY_AGAIN
	got := wire.Packet(receive(t, d.client).Payload)
	if got.Sequence() != 2 || got.Status() != wire.StatusTryAgain {
		t.Errorf("the client got %v to request %d", got.Status(), got.Sequence())
	}
	if _, err := wire.Parse(got); err != nil {
		t.Errorf("the answer: %v", err)
	}
	at := wire.Packet(receive(t, d.tail).Payload)
	if at.Sequence() != 1 || at.Epoch() != 3 || at.ClientAddr() != askerAddr {
		t.Errorf("the tail got request %d of %v from %v", at.Sequence(), at.Epoch(), at.ClientAddr())
	}
}

// TestForgottenRequestsAreNotSent asks about more requests than a client remembers, and answers the
// first query last.
func TestForgottenRequestsAreNotSent(t *testing.T) {
	d := newDialogue(t)
	m, err := fixed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.send(numbered(1))
	first := d.query()
	const more = 5000
	last := first
	for i := range more {
		d.send(numbered(2 + i))
		last = d.query()
	}
	d.reply(answers(m, first)...)
	d.reply(answers(m, last)...)
	go func() { _, _ = d.client.ReadBatch(make([]transport.Message, 8)) }() // carries out the answers
	if got := wire.Packet(receive(t, d.tail).Payload).Sequence(); got != 1+more {
		t.Errorf("the tail got request %d first, want %d", got, 1+more)
	}
}

// TestARefusalIsRepeatedToTheMaster has a node refuse an epoch: the next query names it.
func TestARefusalIsRepeatedToTheMaster(t *testing.T) {
	d := newDialogue(t)
	refusal := numbered(1)
	refusal.SetSubRange(4, 9)
	refusal = wire.Packet(refusal.AppendReply(nil, wire.StatusWrongEpoch))
	refusal.Seal()
	if err := d.tail.WriteBatch([]transport.Message{{Addr: askerAddr, Payload: refusal}}); err != nil {
		t.Fatal(err)
	}
	receive(t, d.client)
	d.send(numbered(2))
	if h := d.query().Header; h.SubRange() != 4 || h.Epoch() != 9 {
		t.Errorf("the next query names %v in %v", h.SubRange(), h.Epoch())
	}
}

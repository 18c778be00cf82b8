package serverlib_test

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/serverlib/enginetest"
	"github.com/turbokv/turbokv/wire"
)

// single is a node that is a chain of its own.
func single(tb testing.TB, a kv.Assignment) *node {
	tb.Helper()
	n := newNode(nodeID(1))
	if err := n.boot(); err != nil {
		tb.Fatal(err)
	}
	if err := n.server.Configure(0, a); err != nil {
		tb.Fatal(err)
	}
	return n
}

// ask delivers a packet and returns the one reply, nil if there is none.
func ask(tb testing.TB, n *node, packet []byte) wire.Packet {
	tb.Helper()
	n.server.Deliver(0, clientAddr(1), packet)
	out := n.flush(0)
	if len(out) == 0 {
		return nil
	}
	p, err := wire.Parse(out[0].packet)
	if err != nil || len(out) != 1 {
		tb.Fatalf("%d packets, the first: %v", len(out), err)
	}
	return p
}

func TestBadPacketsAreCountedAndDropped(t *testing.T) {
	a := assignment(1, kv.DurabilityMemory, chainOf(1))
	n := single(t, a)
	good := request{op: wire.OpPut, key: "k", value: "v", client: 1, seq: 1}.packet(a, clientAddr(1))
	for name, packet := range map[string][]byte{
		"empty":     {},
		"cut short": good[:len(good)-1],
		"too long":  append(bytes.Clone(good), 0),
		"magic":     spoil(good, 0),
		"version":   spoil(good, 2),
		"checksum":  spoil(good, 20),
		"payload":   spoil(good, len(good)-1),
		"beyond chain": func() []byte {
			p := wire.Packet(bytes.Clone(good))
			p.SetChain(chainOf(1, 2), 5)
			return p
		}(),
	} {
		before := n.server.Counters()
		if reply := ask(t, n, packet); reply != nil {
			t.Errorf("%s: answered %s", name, describe(reply))
		}
		before.Received++
		before.Malformed++
		if got := n.server.Counters(); got != before {
			t.Errorf("%s: counters %+v, want %+v", name, got, before)
		}
	}
	reply := wire.Packet(bytes.Clone(good))
	reply.SetFlags(wire.FlagReply)
	reply.Seal()
	if ask(t, n, reply) != nil || n.server.Counters().Strayed != 1 {
		t.Errorf("a reply was not counted as strayed: %+v", n.server.Counters())
	}
}

func spoil(p []byte, at int) []byte {
	p = bytes.Clone(p)
	p[at] ^= 0x5a
	return p
}

func TestBadRequestsGetTheirStatus(t *testing.T) {
	a := assignment(1, kv.DurabilityMemory, chainOf(1))
	a.Interval.Last = kv.RangePartitioned.IndexKey([]byte("m"))
	n := single(t, a)
	put := request{op: wire.OpPut, key: "k", value: "v", client: 1, seq: 1}
	change := func(r request, f func(wire.Packet)) wire.Packet {
		p := r.packet(a, clientAddr(1))
		f(p)
		p.Seal()
		return p
	}
	none := func(wire.Packet) {}
	get := request{op: wire.OpGet, key: "k", client: 1, seq: 1}
	scan := request{op: wire.OpScan, client: 1, seq: 1}
	payload := func(op wire.Op, b []byte) wire.Packet {
		p := wire.Packet(append(put.packet(a, clientAddr(1))[:wire.HeaderSize], b...))
		p[3] = byte(op)
		p.Seal()
		return p
	}
	big := make([]byte, wire.MaxRecordSize)
	for _, c := range []struct {
		name   string
		packet wire.Packet
		want   wire.Status
	}{
		{"unknown read", change(get, func(p wire.Packet) { p[3] = 0x0f }), wire.StatusBadRequest},
		{"unknown write", change(put, func(p wire.Packet) { p[3] = 0x1f }), wire.StatusBadRequest},
		{"unknown class", change(put, func(p wire.Packet) { p[3] = 0x90 }), wire.StatusBadRequest},
		{"unknown sub-range", change(put, func(p wire.Packet) { p.SetSubRange(99, 1) }),
			wire.StatusWrongEpoch},
		{"epoch", change(put, func(p wire.Packet) { p.SetSubRange(subRange, 2) }), wire.StatusWrongEpoch},
		{"keyspace", change(put, func(p wire.Packet) { p.SetKeyspace(99) }), wire.StatusWrongEpoch},
		{"position", change(put, func(p wire.Packet) { p.SetChain(chainOf(2, 1), 1) }),
			wire.StatusWrongEpoch},
		{"index key", change(put, func(p wire.Packet) { p.SetIndexKey(kv.MaxIndexKey) }),
			wire.StatusWrongEpoch},
		{"outside the sub-range", change(request{op: wire.OpPut, key: "z", client: 1, seq: 1}, none),
			wire.StatusWrongEpoch},
		{"no client", change(request{op: wire.OpPut, key: "k", seq: 1}, none), wire.StatusBadRequest},
		{"no sequence", change(request{op: wire.OpPut, key: "k", client: 1}, none),
			wire.StatusBadRequest},
		{"lowest above sequence",
			change(request{op: wire.OpPut, key: "k", client: 1, seq: 1, lowest: 2}, none),
			wire.StatusBadRequest},
		{"no key", payload(wire.OpPut, nil), wire.StatusBadRequest},
		{"empty key", payload(wire.OpPut, []byte{0, 0, 'v'}), wire.StatusBadRequest},
		{"key cut short", payload(wire.OpPut, []byte{0, 9, 'k'}), wire.StatusBadRequest},
		{"record too large", payload(wire.OpPut, wire.AppendKeyed(nil, []byte("k"), big)),
			wire.StatusTooLarge},
		{"key too large", payload(wire.OpPut, wire.AppendKeyed(nil, big[:wire.MaxKeySize+1], nil)),
			wire.StatusTooLarge},
		{"value in a GET", payload(wire.OpGet, wire.AppendKeyed(nil, []byte("k"), []byte("v"))),
			wire.StatusBadRequest},
		{"delta of 7 bytes", payload(wire.OpIncrement, wire.AppendKeyed(nil, []byte("k"), big[:7])),
			wire.StatusBadRequest},
		{"scan bounds", payload(wire.OpScan, []byte{0}), wire.StatusBadRequest},
		{"scan backwards", change(scan, func(p wire.Packet) {
			p.SetIndexKey(kv.RangePartitioned.IndexKey([]byte("b")))
			p.SetEndIndexKey(kv.RangePartitioned.IndexKey([]byte("a")))
		}), wire.StatusWrongEpoch},
		{"scan beyond the sub-range",
			change(scan, func(p wire.Packet) { p.SetEndIndexKey(kv.MaxIndexKey) }), wire.StatusWrongEpoch},
	} {
		if reply := ask(t, n, c.packet); reply == nil || reply.Status() != c.want {
			t.Errorf("%s: %s, want %v", c.name, describe(reply), c.want)
		}
	}
	if n.records() != "" {
		t.Errorf("a refused write left %s", n.records())
	}
}

func TestScanOfHashedKeyspaceIsUnsupported(t *testing.T) {
	a := assignment(1, kv.DurabilityMemory, chainOf(1))
	a.Partitioner = kv.HashPartitioned
	n := single(t, a)
	put := request{op: wire.OpPut, key: "k", value: "v", client: 1, seq: 1}
	get := request{op: wire.OpGet, key: "k", client: 1, seq: 2}
	if got := describe(ask(t, n, put.packet(a, clientAddr(1)))); got != "OK version=1" {
		t.Fatalf("put: %s", got)
	}
	if got := describe(ask(t, n, get.packet(a, clientAddr(1)))); got != "OK version=1 value=v" {
		t.Fatalf("get: %s", got)
	}
	scan := request{op: wire.OpScan, client: 1, seq: 3}
	if got := describe(ask(t, n, scan.packet(a, clientAddr(1)))); got != "UNSUPPORTED" {
		t.Fatalf("scan: %s", got)
	}
}

// TestWindowBoundsTheHead sends more writes than the window holds while the successor is away.
func TestWindowBoundsTheHead(t *testing.T) {
	a := assignment(1, kv.DurabilityMemory, chainOf(1, 2))
	n, peer := single(t, a), newNode(nodeID(2))
	if err := peer.boot(); err != nil {
		t.Fatal(err)
	}
	if err := peer.server.Configure(0, a); err != nil {
		t.Fatal(err)
	}
	for range 4 { // open the link
		exchange(n, peer)
	}
	refused := 0
	for i := range limits.Window + 5 {
		r := request{op: wire.OpPut, key: "k", client: kv.ClientID(i%8 + 1), seq: kv.RequestSeq(i + 1)}
		r.lowest = r.seq
		n.server.Deliver(0, clientAddr(1), r.packet(a, clientAddr(1)))
		for _, d := range n.flush(0) {
			if d.packet.Status() == wire.StatusTryAgain {
				refused++
			}
		}
	}
	if got := n.report(); refused != 5 || int(got.Applied) != limits.Window || got.Stable != 0 {
		t.Fatalf("%d writes refused, report %+v", refused, got)
	}
}

// exchange carries what two nodes have to say to each other.
func exchange(a, b *node) {
	for _, d := range append(a.flush(0), b.flush(0)...) {
		to := a
		if d.to == b.addr() {
			to = b
		}
		to.server.Deliver(0, d.from, d.packet)
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := serverlib.Config{Node: nodeID(1), Incarnation: 1, Volatile: enginetest.NewMem()}
	for name, change := range map[string]func(*serverlib.Config){
		"no node":        func(c *serverlib.Config) { c.Node = 0 },
		"no incarnation": func(c *serverlib.Config) { c.Incarnation = 0 },
		"negative limit": func(c *serverlib.Config) { c.Limits.Window = -1 },
		"volatile as durable": func(c *serverlib.Config) {
			c.Durable = volatileEngine{enginetest.NewMem()}
		},
	} {
		c := good
		change(&c)
		if _, err := serverlib.New(c); !errors.Is(err, serverlib.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := serverlib.New(good)
	if err != nil {
		t.Fatal(err)
	}
	for want, a := range map[error]kv.Assignment{
		serverlib.ErrNoEngine:  assignment(1, kv.DurabilitySync, chainOf(1)),
		serverlib.ErrNotMember: assignment(1, kv.DurabilityMemory, chainOf(2)),
	} {
		if err := s.Configure(0, a); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

type volatileEngine struct{ *enginetest.Mem }

func (volatileEngine) Persistent() bool { return false }

// FuzzDeliver gives a middle member what a broken or malicious peer may send: it neither panics nor
// sends anything that is not a packet, and its marks stay in order. selector chooses the sender and
// whether the packet's length and CRC are made right.
func FuzzDeliver(f *testing.F) {
	a := assignment(1, kv.DurabilitySync, chainOf(2, 1, 3))
	entry := wire.ChainEntryFields{Op: wire.OpPut, Effect: wire.EffectPut, Client: 1, Sequence: 1,
		ClientAddr: clientAddr(1), Key: []byte("k"), Value: []byte("v")}
	for op := wire.OpChainUpdate; op <= wire.OpChainReady; op++ {
		p := wire.AppendChain(nil, op, wire.ChainFields{
			SubRange: subRange, Epoch: 1, Sender: 1, Receiver: 1, Seq: 1,
		})
		f.Add(byte(op), []byte(wire.AppendChainEntry(p, entry)), []byte(p))
	}
	put := request{op: wire.OpPut, key: "k", client: 1, seq: 1}
	f.Add(byte(7), []byte(put.packet(a, clientAddr(1))), []byte{})
	f.Fuzz(func(t *testing.T, selector byte, first, second []byte) {
		n := single(t, a)
		open := linkPackets()
		for i, b := range [][]byte{open[0], open[1], first, second, first} {
			from := []netip.AddrPort{newNode(nodeID(2)).addr(), newNode(nodeID(3)).addr(), clientAddr(1)}
			p := bytes.Clone(b)
			if selector&4 != 0 && len(p) >= wire.HeaderSize {
				wire.Packet(p).Seal()
			}
			sender := from[(int(selector)+i)%3]
			if i < 2 {
				sender = from[1-i]
			}
			n.server.Deliver(0, sender, p)
			n.server.Tick(time.Duration(i) * 20 * time.Millisecond)
			for _, d := range n.flush(0) {
				if _, err := wire.Parse(d.packet); err != nil {
					t.Fatalf("sends %x: %v", []byte(d.packet), err)
				}
			}
			if n.syncing {
				n.finishSync(0)
			}
			r := n.report()
			if r.Stable > r.Durable || r.Durable > r.Applied {
				t.Fatalf("%+v", r)
			}
		}
	})
}

// linkPackets are the WELCOME of node 3 and the HELLO of node 2 that make node 1 a working middle.
func linkPackets() [2][]byte {
	fields := wire.ChainFields{SubRange: subRange, Epoch: 1, Sender: 1, Receiver: 1}
	welcome := wire.Packet(wire.AppendChain(nil, wire.OpChainWelcome, fields))
	welcome.Seal()
	fields.Receiver = 0
	hello := wire.Packet(wire.AppendChain(nil, wire.OpChainHello, fields))
	hello.Seal()
	return [2][]byte{welcome, hello}
}

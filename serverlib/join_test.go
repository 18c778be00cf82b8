package serverlib_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/wire"
)

// newJoin returns a chain of one with records of the given size, and a node that has just become its
// learner; nothing was sent yet.
func newJoin(t *testing.T, records, size, rate int) (source, learner *node, a kv.Assignment) {
	t.Helper()
	before := limits
	defer func() { limits = before }()
	limits.SnapshotRate = rate
	source, learner = newNode(nodeID(1)), newNode(nodeID(2))
	a = assignment(1, kv.DurabilityMemory, chainOf(1))
	for _, n := range []*node{source, learner} {
		if err := n.boot(); err != nil {
			t.Fatal(err)
		}
	}
	if err := source.server.Configure(0, a); err != nil {
		t.Fatal(err)
	}
	for i := range records {
		seq := kv.RequestSeq(i + 1)
		ask(t, source, request{
			op: wire.OpPut, key: fmt.Sprintf("k%06d", i), value: string(make([]byte, size)), client: 1,
			seq: seq, lowest: seq,
		}.packet(a, clientAddr(1)))
	}
	a.Epoch, a.Create, a.Learner = 2, false, learner.id
	for _, n := range []*node{source, learner} {
		if n == learner {
			a.Since = a.Epoch
		}
		if err := n.server.Configure(0, a); err != nil {
			t.Fatal(err)
		}
	}
	return source, learner, a
}

// run carries packets between the nodes for a while, a tick of 1 ms after the other, and returns the
// bytes of snapshot that passed.
func run(now *time.Duration, span time.Duration, a, b *node) (bytes int) {
	nodes := map[kv.NodeID]*node{a.id: a, b.id: b}
	for end := *now + span; *now < end; *now += time.Millisecond {
		for _, n := range nodes {
			n.server.Tick(*now)
		}
		for more := true; more; {
			more = false
			for _, n := range []*node{a, b} {
				for _, d := range n.flush(*now) {
					more = true
					if d.packet.Op() == wire.OpChainSnapshot {
						bytes += len(d.packet)
					}
					if to := nodes[kv.NodeIDOf(d.to.Addr())]; to != nil {
						to.server.Deliver(*now, d.from, d.packet)
					}
				}
			}
		}
	}
	return bytes
}

func TestSnapshotsKeepToTheirRate(t *testing.T) {
	const rate = 1 << 20
	source, learner, _ := newJoin(t, 2000, 1000, rate)
	now := time.Duration(0)
	run(&now, 100*time.Millisecond, source, learner) // what was saved up
	for range 5 {
		bytes := run(&now, 200*time.Millisecond, source, learner)
		if most := rate / 5 * 5 / 4; bytes > most || bytes < rate/5*3/4 {
			t.Fatalf("%d bytes in 200 ms at a rate of %d bytes per second", bytes, rate)
		}
		if r := learner.report(); r.State != serverlib.StateLearning || r.JoinedShare >= 1 ||
			r.JoinedBytes == 0 {
			t.Fatalf("in mid-snapshot: %+v", r)
		}
	}
	run(&now, 2*time.Second, source, learner)
	if r := learner.report(); r.State != serverlib.StateJoined || r.JoinedShare != 1 {
		t.Fatalf("at the end: %+v", r)
	}
	if learner.records() != source.records() {
		t.Error("the records differ")
	}
}

// TestBadSnapshotsChangeNothing: a piece is taken in whole or not at all.
func TestBadSnapshotsChangeNothing(t *testing.T) {
	source, learner, a := newJoin(t, 0, 0, 1<<20)
	now := time.Duration(0)
	for range 3 { // HELLO and WELCOME, but no PULL is answered
		for _, n := range []*node{source, learner} {
			for _, d := range n.flush(now) {
				if to := map[kv.NodeID]*node{source.id: source, learner.id: learner}[kv.NodeIDOf(d.to.Addr())]; to !=
					nil && d.packet.Op() != wire.OpChainPull {
					to.server.Deliver(now, d.from, d.packet)
				}
			}
		}
	}
	record := func(key string) wire.SnapshotRow {
		return wire.SnapshotRow{Kind: wire.RowRecord, Version: 1, Key: []byte(key), Value: []byte("v")}
	}
	piece := func(state kv.Seq, from wire.Cursor, rows ...wire.SnapshotRow) wire.Packet {
		p := wire.Packet(wire.AppendSnapshotHeader(wire.AppendChain(nil, wire.OpChainSnapshot,
			wire.ChainFields{SubRange: subRange, Epoch: a.Epoch, Sender: 1, Receiver: 1, Seq: state}),
			from.Digest()))
		for _, r := range rows {
			p = r.Append(p)
		}
		return p
	}
	good := piece(0, nil, record("a"), record("b"))
	for name, c := range map[string]struct {
		packet    wire.Packet
		malformed bool
	}{
		"of another state": {piece(1, nil, record("a")), false},
		"from elsewhere":   {piece(0, wire.AppendRecordCursor(nil, []byte("a")), record("b")), false},
		"out of order":     {piece(0, nil, record("b"), record("a")), true},
		"twice the same":   {piece(0, nil, record("a"), record("a")), true},
		"session at the end": {
			piece(0, nil, record("a"), wire.SnapshotRow{Kind: wire.RowSession, Client: 1}), true},
		"cut short": {good[:len(good)-1], true},
		"no header": {good[:wire.HeaderSize+wire.ChainHeaderSize], true},
	} {
		before := learner.server.Counters().Malformed
		c.packet.Seal()
		learner.server.Deliver(now, source.addr(), c.packet)
		learner.flush(now)
		if got := learner.server.Counters().Malformed - before; (got == 1) != c.malformed {
			t.Errorf("%s: counted as malformed %d times", name, got)
		}
		if got := learner.records(); got != "" {
			t.Fatalf("%s: taken in: %s", name, got)
		}
	}
	good.Seal()
	learner.server.Deliver(now, source.addr(), good)
	learner.flush(now)
	if learner.records() == "" {
		t.Error("the good one is not taken in")
	}
}

// FuzzDeliverJoin gives a learner, or a tail that has one, what a broken or malicious neighbour may
// send. selector chooses which it is, and the sender; lengths and CRCs are made right.
func FuzzDeliverJoin(f *testing.F) {
	fields := wire.ChainFields{SubRange: subRange, Epoch: 1, Sender: 1, Receiver: 1}
	piece := wire.AppendSnapshotHeader(wire.AppendChain(nil, wire.OpChainSnapshot, fields),
		wire.Cursor(nil).Digest())
	record := wire.SnapshotRow{Kind: wire.RowRecord, Version: 1, Key: []byte("a"), Value: []byte("v")}
	result := wire.SnapshotRow{Kind: wire.RowResult, Client: 1, Request: 1}
	pull := wire.AppendChain(nil, wire.OpChainPull, fields)
	entry := wire.AppendChainEntry(nil, wire.ChainEntryFields{Op: wire.OpPut, Effect: wire.EffectPut,
		Client: 1, Sequence: 1, Key: []byte("k"), Value: []byte("v")})
	fields.Seq = 1
	update := append(wire.AppendChain(nil, wire.OpChainUpdate, fields), entry...)
	for selector := range byte(4) {
		f.Add(selector, record.Append(result.Append(piece)), update)
		f.Add(selector, pull, append(pull, wire.AppendSessionCursor(nil, 1, 1)...))
		f.Add(selector, update, append(pull, wire.AppendRecordCursor(nil, []byte("a"))...))
	}
	f.Fuzz(func(t *testing.T, selector byte, first, second []byte) {
		a := assignment(1, kv.DurabilitySync, chainOf(2, 1))
		a.Learner = nodeID(3)
		if selector&1 != 0 {
			a.Chain, a.Learner = chainOf(2), nodeID(1)
		}
		n := single(t, a)
		hello := wire.ChainFields{SubRange: subRange, Epoch: 1, Sender: 1}
		welcome := hello
		welcome.Receiver = 1
		for i, b := range [][]byte{
			wire.AppendChain(nil, wire.OpChainHello, hello), wire.AppendChain(nil, wire.OpChainWelcome, welcome),
			first, second, first,
		} {
			p, from := wire.Packet(slices.Clone(b)), nodeID(2+(i+int(selector>>1))&1)
			if len(p) >= wire.HeaderSize {
				p.Seal()
			}
			if i < 2 {
				from = nodeID(2 + i)
			}
			n.server.Deliver(0, newNode(from).addr(), p)
			n.server.Tick(time.Duration(i) * 20 * time.Millisecond)
			for _, d := range n.flush(0) {
				if _, err := wire.Parse(d.packet); err != nil {
					t.Fatalf("sends %x: %v", []byte(d.packet), err)
				}
			}
			if n.syncing {
				n.finishSync(0)
			}
			if r := n.report(); r.Stable > r.Durable || r.Durable > r.Applied {
				t.Fatalf("%+v", r)
			}
		}
	})
}

package serverlib_test

import (
	"errors"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/wire"
)

// halves returns the assignments of both halves of a split before the key "m".
func halves(a kv.Assignment) (p, q kv.Assignment) {
	p, q = next(a), a
	cut := a.Partitioner.IndexKey([]byte("m"))
	q.SubRange, q.Epoch, q.Create, q.Interval.First = subRange+1, 1, false, cut
	p.Interval.Last, _ = cut.Prev()
	p.Forks = []kv.Assignment{q}
	return p, q
}

// TestForkDividesWhatIsNotStable: of updates that may still be lost in one half and survive in the
// other, each half remembers its own only, in memory and on the disk.
func TestForkDividesWhatIsNotStable(t *testing.T) {
	for _, partitioner := range []kv.Partitioner{kv.RangePartitioned, kv.HashPartitioned} {
		a := assignment(1, kv.DurabilitySync, chainOf(2, 1))
		a.Partitioner = partitioner
		n := single(t, a)
		for _, p := range linkPackets() {
			n.server.Deliver(0, newNode(nodeID(2)).addr(), p)
		}
		keys := []string{"a", "b", "x", "y"}
		var entries []byte
		for i, key := range keys {
			effect := wire.EffectPut
			if i%2 == 1 {
				effect = wire.EffectNone // a condition that failed
			}
			entries = wire.AppendChainEntry(entries, wire.ChainEntryFields{Op: wire.OpCAS, Effect: effect,
				Client: 1, Sequence: kv.RequestSeq(i + 1), Lowest: 1, Key: []byte(key)})
		}
		deliverUpdate(n, entries)
		p, q := halves(a)
		if err := n.server.Configure(0, p); err != nil {
			t.Fatal(err)
		}
		check := func(when string) {
			for i, key := range keys {
				upper := q.Interval.Contains(partitioner.IndexKey([]byte(key)))
				inP := n.server.Remembers(p.SubRange, 1, kv.RequestSeq(i+1))
				inQ := n.server.Remembers(q.SubRange, 1, kv.RequestSeq(i+1))
				if inP == upper || inQ != upper {
					t.Errorf("%v, %s: %s: lower half remembers: %v, upper half: %v", partitioner, when, key,
						inP, inQ)
				}
			}
		}
		check("after the fork")
		n.crash(n.disk.Unsynced())
		if err := n.boot(); err != nil {
			t.Fatal(err)
		}
		check("after a restart")
	}
}

// deliverUpdate gives node 1, the tail behind node 2, entries from seq 1 on.
func deliverUpdate(n *node, entries []byte) {
	u := wire.Packet(append(wire.AppendChain(nil, wire.OpChainUpdate, wire.ChainFields{
		SubRange: subRange, Epoch: 1, Sender: 1, Receiver: 1, Seq: 1,
	}), entries...))
	u.Seal()
	n.server.Deliver(0, newNode(nodeID(2)).addr(), u)
	n.flush(0)
}

// TestReshapeRefusesWhatDoesNotFit pins the errors; none of them changes anything.
func TestReshapeRefusesWhatDoesNotFit(t *testing.T) {
	a := assignment(1, kv.DurabilityMemory, chainOf(1))
	cut := kv.RangePartitioned.IndexKey([]byte("m"))
	a.Interval.First = kv.RangePartitioned.IndexKey([]byte("b"))
	for name, c := range map[string]struct {
		want   error
		change func(p, q *kv.Assignment)
	}{
		"fork overlaps":             {serverlib.ErrContradicts, func(p, _ *kv.Assignment) { p.Interval.Last = cut }},
		"fork for others":           {serverlib.ErrNotMember, func(_, q *kv.Assignment) { q.Chain = chainOf(2) }},
		"fork of other durability":  {serverlib.ErrContradicts, func(_, q *kv.Assignment) { q.Durability = kv.DurabilitySync }},
		"fork of other partitioner": {serverlib.ErrContradicts, func(_, q *kv.Assignment) { q.Partitioner = kv.HashPartitioned }},
		"grows without a merge": {serverlib.ErrContradicts,
			func(p, _ *kv.Assignment) { p.Interval.First = kv.MinIndexKey }},
		"absorbs what is not there": {serverlib.ErrNotAtRest,
			func(p, _ *kv.Assignment) { p.Absorb = kv.Absorbed{SubRange: 99, Epoch: 1, Into: 1} }},
		"is told of freezing late": {serverlib.ErrContradicts,
			func(p, _ *kv.Assignment) { *p = a; p.Frozen = true }},
	} {
		n := single(t, a)
		p, q := halves(a)
		c.change(&p, &q)
		if len(p.Forks) > 0 {
			p.Forks = []kv.Assignment{q}
		}
		before := n.server.Report()[0]
		if err := n.server.Configure(0, p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if after := n.server.Report(); len(after) != 1 || after[0].Epoch != before.Epoch {
			t.Errorf("%s: left %+v", name, after)
		}
	}
}

// TestAbsorbedNeighbourWithLongerLogMovesTheSequence: the versions of both halves stay below those
// of the merged one, whichever of them has ordered more.
func TestAbsorbedNeighbourWithLongerLogMovesTheSequence(t *testing.T) {
	for _, key := range []string{"a", "x"} {
		a := assignment(1, kv.DurabilityMemory, chainOf(1))
		n := single(t, a)
		p, q := halves(a)
		if err := n.server.Configure(0, p); err != nil {
			t.Fatal(err)
		}
		half := p
		if key == "x" {
			half = q
		}
		for seq := range kv.RequestSeq(5) {
			r := request{op: wire.OpPut, key: key, client: 1, seq: seq + 1, lowest: seq + 1}
			ask(t, n, r.packet(half, clientAddr(1)))
		}
		p, q = next(p), next(q)
		p.Frozen, q.Frozen = true, true
		both := next(p)
		both.Interval = kv.FullInterval
		both.Absorb = kv.Absorbed{SubRange: q.SubRange, Epoch: q.Epoch, Into: p.Epoch}
		for _, a := range []kv.Assignment{p, q, both} {
			if err := n.server.Configure(0, a); err != nil {
				t.Fatal(err)
			}
		}
		for i, other := range []string{"a", "x"} {
			put := request{op: wire.OpPut, key: other, client: 2, seq: kv.RequestSeq(i + 1), lowest: 1}
			reply := ask(t, n, put.packet(both, clientAddr(1)))
			if want := kv.Version(6 + i); reply.Status() != wire.StatusOK || reply.RecordVersion() != want {
				t.Errorf("%s: %s, want version %d", other, describe(reply), want)
			}
		}
	}
}

package serverlib_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// scanTrain sends one SCAN and returns the packets of its answer.
func scanTrain(t *testing.T, n *node, a kv.Assignment, limit uint16, budget uint8) (out []wire.Packet) {
	t.Helper()
	p := wire.Packet(request{op: wire.OpScan, client: 1, seq: 1 << 20}.packet(a, clientAddr(1)))
	binary.BigEndian.PutUint16(p[wire.HeaderSize:], limit)
	p.SetScanBudget(budget)
	p.Seal()
	n.server.Deliver(0, clientAddr(1), p)
	for _, sent := range n.flush(0) {
		reply, err := wire.Parse(bytes.Clone(sent.packet))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, reply)
	}
	return out
}

// checkTrain checks that the packets cover the sub-range without gap or overlap, each record in the
// packet that covers it, and returns the keys and whether the train stopped before its end.
func checkTrain(t *testing.T, a kv.Assignment, train []wire.Packet, budget uint8) (keys []string, more bool) {
	t.Helper()
	next := a.Interval.First
	for i, p := range train {
		last := i == len(train)-1
		if p.IndexKey() != next || last && p.EndIndexKey() != a.Interval.Last {
			t.Fatalf("packet %d of %d covers [%v, %v], want it to begin at %v", i+1, len(train),
				p.IndexKey(), p.EndIndexKey(), next)
		}
		if want := max(budget, 1); !last && p.ScanBudget() != want || last && p.ScanBudget() != budget {
			t.Fatalf("packet %d of %d has scan budget %d", i+1, len(train), p.ScanBudget())
		}
		more = p.Flags()&wire.FlagMore != 0
		if more && !last || len(p) > wire.MaxPacketSize {
			t.Fatalf("packet %d of %d: MORE %v, %d bytes", i+1, len(train), more, len(p))
		}
		err := p.ScanRecords(func(r wire.ScanRecord) {
			at := kv.RangePartitioned.IndexKey(r.Key)
			if at.Less(p.IndexKey()) || p.EndIndexKey().Less(at) {
				t.Fatalf("%q lies outside of [%v, %v]", r.Key, p.IndexKey(), p.EndIndexKey())
			}
			keys = append(keys, string(r.Key))
		})
		if err != nil {
			t.Fatal(err)
		}
		next, _ = p.EndIndexKey().Next()
	}
	return keys, more
}

// TestScanTrains compares trains over random records with the sorted keys: many records share an
// index key, so that packets must be cut between those that do not.
func TestScanTrains(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	complete := 0
	for range 200 {
		a := assignment(1, kv.DurabilityMemory, chainOf(1))
		n := single(t, a)
		var want []string
		size := 1 + r.IntN(wire.MaxRecordSize-40)
		for i := range r.IntN(60) {
			key := fmt.Sprintf("%c%015d%d", 'a'+r.IntN(3), r.IntN(1+r.IntN(40)), i)
			put := request{op: wire.OpPut, key: key, value: string(make([]byte, r.IntN(size))), client: 1,
				seq: kv.RequestSeq(i + 1), lowest: kv.RequestSeq(i + 1)}
			if got := ask(t, n, put.packet(a, clientAddr(1))); got.Status() != wire.StatusOK {
				t.Fatalf("put %d: %v", i, got.Status())
			}
			want = append(want, key)
		}
		slices.Sort(want)
		limit, budget := uint16(r.IntN(2)*(1+r.IntN(40))), uint8(r.IntN(3))
		train := scanTrain(t, n, a, limit, budget)
		keys, more := checkTrain(t, a, train, budget)
		if len(keys) > len(want) || !slices.Equal(keys, want[:len(keys)]) {
			t.Fatalf("train has %q, want the first of %q", keys, want)
		}
		switch {
		case len(train) > wire.MaxScanTrain:
			t.Fatalf("%d packets", len(train))
		case limit > 0 && len(keys) > int(limit):
			t.Fatalf("%d records, limit is %d", len(keys), limit)
		case more != (len(keys) < len(want)):
			t.Fatalf("%d of %d records, MORE %v", len(keys), len(want), more)
		case !more:
			complete++
		}
	}
	if complete < 50 {
		t.Fatalf("only %d of 200 scans were complete", complete)
	}
}

func TestLongScansTakeAWholeTrain(t *testing.T) {
	a := assignment(1, kv.DurabilityMemory, chainOf(1))
	n := single(t, a)
	for i := range 40 {
		put := request{op: wire.OpPut, key: fmt.Sprintf("%03d", i), value: string(make([]byte, 1000)), client: 1,
			seq: kv.RequestSeq(i + 1), lowest: kv.RequestSeq(i + 1)}
		if got := ask(t, n, put.packet(a, clientAddr(1))); got.Status() != wire.StatusOK {
			t.Fatalf("put %d: %v", i, got.Status())
		}
	}
	keys, more := checkTrain(t, a, scanTrain(t, n, a, 0, 0), 0)
	if len(keys) != wire.MaxScanTrain || !more {
		t.Fatalf("%d records of a packet each, MORE %v", len(keys), more)
	}
	if keys, more = checkTrain(t, a, scanTrain(t, n, a, 5, 0), 0); len(keys) != 5 || !more {
		t.Fatalf("%d records, MORE %v; limit is 5", len(keys), more)
	}
}

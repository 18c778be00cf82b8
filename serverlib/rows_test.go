package serverlib

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// TestRecordBoundsHoldExactlyTheInterval compares the engine keys between the bounds of an
// interval with the keys whose index key lies in it.
func TestRecordBoundsHoldExactlyTheInterval(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	key := func() []byte {
		k := make([]byte, 1+r.IntN(18))
		for i := range k {
			k[i] = []byte{0, 1, 0xff}[r.IntN(3)]
		}
		return k
	}
	for _, p := range []kv.Partitioner{kv.RangePartitioned, kv.HashPartitioned} {
		for range 20000 {
			a := &kv.Assignment{Keyspace: kv.KeyspaceID(r.IntN(2)) - 1, Partitioner: p}
			first, last, k := p.IndexKey(key()), p.IndexKey(key()), key()
			if r.IntN(8) == 0 {
				last = kv.MaxIndexKey
			}
			ik := p.IndexKey(k)
			row := appendRecordKey(nil, a, ik, k)
			inside := bytes.Compare(row, appendLower(nil, a, first)) >= 0 &&
				bytes.Compare(row, appendUpper(nil, a, last)) < 0
			if want := (kv.Interval{First: first, Last: last}).Contains(ik); inside != want {
				t.Fatalf("%v, keyspace %d: %x in [%v, %v]: %v, want %v", p, a.Keyspace, k,
					first, last, inside, want)
			}
			if !bytes.Equal(keyOfRecord(a, row), k) {
				t.Fatalf("%v: key %x reads %x", p, k, keyOfRecord(a, row))
			}
		}
	}
}

func TestSubRangeRowsHoldOneSubRange(t *testing.T) {
	for _, id := range []kv.SubRangeID{1, 255, ^kv.SubRangeID(0) - 1, ^kv.SubRangeID(0)} {
		start, end := subRangeRows(rowResult, id)
		for _, other := range []kv.SubRangeID{id - 1, id, id + 1} {
			row := appendResultKey(nil, other, ^kv.ClientID(0), ^kv.RequestSeq(0))
			inside := bytes.Compare(row, start) >= 0 && bytes.Compare(row, end) < 0
			if inside != (other == id) {
				t.Errorf("row of %v among those of %v: %v", other, id, inside)
			}
		}
	}
}

func TestResultRowRoundTrip(t *testing.T) {
	want := result{
		request: 4, seq: 5, version: 6, number: -7, status: wire.StatusVersionMismatch, counted: true,
		stored: true,
	}
	if got, ok := decodeResult(4, appendResult(nil, want)); !ok || got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	if _, ok := decodeResult(4, make([]byte, resultSize-1)); ok {
		t.Fatal("a short row is accepted")
	}
}

package wire

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

func snapshotRows() []SnapshotRow {
	return []SnapshotRow{
		{Kind: RowSession, Client: 7, Lowest: 3},
		{Kind: RowResult, Client: 7, Request: 3, Seq: 40, Version: 40, Number: -5, Counted: true},
		{Kind: RowResult, Client: 7, Request: 4, Seq: 41, Status: StatusNotFound},
		{Kind: RowRecord, Version: 40, Key: []byte("a"), Value: []byte("1")},
		{Kind: RowRecord, Version: 2, Key: []byte("bb"), Value: []byte{}},
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	cursor := AppendSessionCursor(nil, 7, 2)
	p := Packet(AppendSnapshotHeader(AppendChain(nil, OpChainSnapshot, ChainFields{Seq: 41}),
		cursor.Digest()))
	for _, r := range snapshotRows() {
		before := len(p)
		if p = r.Append(p); len(p)-before != r.Size() {
			t.Fatalf("%+v: %d bytes, want %d", r, len(p)-before, r.Size())
		}
	}
	p.SetSnapshotFlags(SnapshotLast)
	p.Seal()
	parsed, err := Parse(p)
	if err != nil {
		t.Fatal(err)
	}
	f, rest, err := parsed.Chain()
	from, flags, rows, ok := CutSnapshot(rest)
	if err != nil || f.Seq != 41 || from != cursor.Digest() || flags != SnapshotLast || !ok {
		t.Fatalf("%+v, from %x, flags %d, %v, %v", f, from, flags, ok, err)
	}
	for _, want := range snapshotRows() {
		var got SnapshotRow
		if got, rows, ok = CutSnapshotRow(rows); !ok || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v, want %+v", got, ok, want)
		}
	}
	if len(rows) != 0 {
		t.Fatalf("%d bytes left", len(rows))
	}
}

func TestLargestRecordFitsOneSnapshot(t *testing.T) {
	p := AppendSnapshotHeader(AppendChain(nil, OpChainSnapshot, ChainFields{}), [16]byte{})
	p = SnapshotRow{Kind: RowRecord, Key: []byte("k"), Value: make([]byte, MaxRecordSize-1)}.Append(p)
	if len(p) > MaxPacketSize {
		t.Fatalf("%d bytes, a packet has %d", len(p), MaxPacketSize)
	}
	longest := AppendChain(nil, OpChainPull, ChainFields{})
	if longest = append(longest, make([]byte, MaxCursorSize)...); len(longest) > MaxPacketSize {
		t.Fatalf("%d bytes with the longest cursor, a packet has %d", len(longest), MaxPacketSize)
	}
}

// TestCursorsCompareInTheOrderOfRows is what a learner relies on to tell what it has.
func TestCursorsCompareInTheOrderOfRows(t *testing.T) {
	ordered := []Cursor{
		nil, AppendSessionCursor(nil, 1, 0), AppendSessionCursor(nil, 1, 9),
		AppendSessionCursor(nil, 256, 0), AppendSessionCursor(nil, ^kv.ClientID(0), ^kv.RequestSeq(0)),
		AppendRecordCursor(nil, nil), AppendRecordCursor(nil, []byte("a")),
		AppendRecordCursor(nil, []byte("a\x00")), AppendRecordCursor(nil, []byte{0xff}),
		AppendEndCursor(nil),
	}
	if !slices.IsSortedFunc(ordered, func(a, b Cursor) int { return bytes.Compare(a, b) }) {
		t.Fatal("not in order")
	}
	for i, c := range ordered {
		_, _, inSessions := c.Session()
		if !c.Valid() || c.End() != (i == len(ordered)-1) || inSessions != (i < 5) ||
			(c.Place() != nil) != (i >= 6 && i < 9) {
			t.Errorf("%x: valid %v, end %v, in sessions %v, place %x", []byte(c), c.Valid(), c.End(),
				inSessions, c.Place())
		}
	}
	for _, c := range []Cursor{{0}, {1}, {3, 0}, {4}, append(ordered[2], 0),
		append(Cursor{2}, make([]byte, MaxCursorSize)...)} {
		if c.Valid() {
			t.Errorf("%x is valid", []byte(c))
		}
	}
}

func TestCutSnapshotRowRefusesOddForms(t *testing.T) {
	for _, r := range snapshotRows() {
		whole := r.Append(nil)
		for n := range whole {
			if r.Kind == RowRecord && n >= RecordRowHeader+len(r.Key) && len(r.Value) == 0 {
				continue
			}
			if got, _, ok := CutSnapshotRow(whole[:n]); ok {
				t.Errorf("%d of %d bytes of %+v: accepted as %+v", n, len(whole), r, got)
			}
		}
	}
	for name, row := range map[string][]byte{
		"unknown kind":   {9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"empty key":      SnapshotRow{Kind: RowRecord, Value: []byte("v")}.Append(nil),
		"key too long":   SnapshotRow{Kind: RowRecord, Key: make([]byte, MaxKeySize+1)}.Append(nil),
		"record too big": SnapshotRow{Kind: RowRecord, Key: []byte("k"), Value: make([]byte, MaxRecordSize)}.Append(nil),
	} {
		if got, _, ok := CutSnapshotRow(row); ok {
			t.Errorf("%s: accepted %+v", name, got)
		}
	}
	if _, _, _, ok := CutSnapshot(make([]byte, SnapshotHeaderSize-1)); ok {
		t.Error("a snapshot without header is accepted")
	}
	odd := AppendSnapshotHeader(nil, [16]byte{})
	odd[offSnapshotFlags] = 0x80
	if _, _, _, ok := CutSnapshot(odd); ok {
		t.Error("an unknown flag is accepted")
	}
}

func FuzzSnapshot(f *testing.F) {
	p := AppendSnapshotHeader(AppendChain(nil, OpChainSnapshot, ChainFields{Seq: 1}), [16]byte{1})
	for _, r := range snapshotRows() {
		p = r.Append(p)
	}
	f.Add(p)
	f.Add([]byte(AppendSessionCursor(AppendChain(nil, OpChainPull, ChainFields{Seq: 1}), 7, 2)))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := reseal(b)
		if p == nil {
			return
		}
		_, rest, err := p.Chain()
		if err != nil {
			return
		}
		if c := Cursor(rest); c.Valid() {
			c.Session()
			c.Place()
			c.End()
		}
		_, _, rows, ok := CutSnapshot(rest)
		for ok && len(rows) > 0 {
			var r SnapshotRow
			before := rows
			if r, rows, ok = CutSnapshotRow(rows); ok {
				if again := r.Append(nil); !bytes.Equal(again, before[:len(again)]) || len(again) != r.Size() {
					t.Fatalf("%x -> %+v -> %x", before, r, again)
				}
			}
		}
	})
}

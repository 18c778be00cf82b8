package wire

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

func chainEntry(key, value string) ChainEntryFields {
	return ChainEntryFields{
		Op: OpPut, Effect: EffectPut, Client: 0x1122334455667788, Sequence: 9, Lowest: 7,
		ClientAddr: netip.MustParseAddrPort("10.0.0.9:4242"), Key: []byte(key), Value: []byte(value),
	}
}

func fieldsOf(e ChainEntry) ChainEntryFields {
	return ChainEntryFields{e.Op(), e.Status(), e.Effect(), e.Client(), e.Sequence(), e.Lowest(),
		e.ClientAddr(), bytes.Clone(e.Key()), bytes.Clone(e.Value())}
}

func TestChainMessageRoundTrip(t *testing.T) {
	want := ChainFields{SubRange: 3, Epoch: 4, Sender: 5, Receiver: 6, Seq: 70, Mark: 69}
	entries := []ChainEntryFields{chainEntry("a", "1"), chainEntry("bb", "")}
	b := AppendChain([]byte("prefix"), OpChainUpdate, want)
	for _, e := range entries {
		b = AppendChainEntry(b, e)
	}
	p := Packet(b[len("prefix"):])
	p.Seal()
	p, err := Parse(p)
	if err != nil {
		t.Fatal(err)
	}
	got, rest, err := p.Chain()
	if err != nil || got != want || p.Client() != 0 {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
	if n, ok := CountChainEntries(rest); n != 2 || !ok {
		t.Fatalf("%d entries, %v", n, ok)
	}
	for _, want := range entries {
		var e ChainEntry
		e, rest, _ = CutChainEntry(rest)
		if got := fieldsOf(e); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
}

func TestLargestRecordFitsOneUpdate(t *testing.T) {
	b := AppendChain(nil, OpChainUpdate, ChainFields{})
	b = AppendChainEntry(b, chainEntry("k", string(make([]byte, MaxRecordSize-1))))
	if len(b) > MaxPacketSize {
		t.Fatalf("%d bytes, a packet has %d", len(b), MaxPacketSize)
	}
	if _, _, ok := CutChainEntry(b[HeaderSize+ChainHeaderSize:]); !ok {
		t.Fatal("the largest entry is refused")
	}
}

func TestCutChainEntryRefusesOddForms(t *testing.T) {
	good := AppendChainEntry(nil, chainEntry("key", "value"))
	for name, spoil := range map[string]func([]byte) []byte{
		"cut short":        func(b []byte) []byte { return b[:len(b)-1] },
		"shorter header":   func(b []byte) []byte { return b[:ChainEntryHeader-1] },
		"unknown effect":   func(b []byte) []byte { b[offEntryEffect] = 9; return b },
		"reserved byte":    func(b []byte) []byte { b[offEntryReserved] = 1; return b },
		"put without key":  func(b []byte) []byte { b[offEntryKey+1] = 0; return b[:ChainEntryHeader+5] },
		"effect of a read": func(b []byte) []byte { b[offEntryOp] = byte(OpGet); return b },
		"no client": func(b []byte) []byte {
			clear(b[offEntryClient : offEntryClient+8])
			return b
		},
	} {
		if e, _, ok := CutChainEntry(spoil(bytes.Clone(good))); ok {
			t.Errorf("%s: accepted %+v", name, fieldsOf(e))
		}
	}
}

func TestFoundVersionAndGap(t *testing.T) {
	f := chainEntry("", "")
	f.Op, f.Effect, f.Status = OpCAS, EffectNone, StatusVersionMismatch
	f.Value = AppendFoundVersion(nil, 12)
	e, _, ok := CutChainEntry(AppendChainEntry(nil, f))
	if !ok || e.FoundVersion() != 12 {
		t.Fatalf("found version %d, %v", e.FoundVersion(), ok)
	}
	if got := ChainGap(AppendChainGap(nil, 8)); got != 8 || ChainGap(nil) != 0 {
		t.Fatalf("gap %d", got)
	}
}

func FuzzChain(f *testing.F) {
	update := AppendChain(nil, OpChainUpdate, ChainFields{Seq: 1})
	f.Add([]byte(AppendChainEntry(update, chainEntry("k", "v"))))
	f.Add([]byte(AppendChainGap(AppendChain(nil, OpChainAck, ChainFields{Seq: 1}), kv.Seq(5))))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := reseal(b)
		if p == nil {
			return
		}
		_, rest, err := p.Chain()
		if err != nil {
			return
		}
		ChainGap(rest)
		for {
			e, next, ok := CutChainEntry(rest)
			if !ok {
				return
			}
			again, _, ok := CutChainEntry(AppendChainEntry(nil, fieldsOf(e)))
			if !ok || !bytes.Equal(again, e) {
				t.Fatalf("%x -> %x", []byte(e), []byte(again))
			}
			e.FoundVersion()
			rest = next
		}
	})
}

package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

func request(op Op, payload []byte) Packet {
	p := Packet(append(Append(nil, op), payload...))
	p.SetKeyspace(7)
	p.SetRequest(0x1122334455667788, 42, 40)
	p.SetRecordVersion(9)
	p.SetClientAddr(netip.MustParseAddrPort("10.0.0.9:4242"))
	p.SetScanBudget(4)
	p.SetSubRange(3, 5)
	p.SetIndexKey(kv.RangePartitioned.IndexKey([]byte("key")))
	p.SetEndIndexKey(kv.MaxIndexKey)
	p.SetChain(kv.Chain{0x0a000001, 0x0a000002, 0x0a000003}, 2)
	p.Seal()
	return p
}

func TestFieldsRoundTrip(t *testing.T) {
	p, err := Parse(request(OpCAS, AppendKeyed(nil, []byte("key"), []byte("value"))))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(p.Op(), p.Keyspace(), uint64(p.Client()), p.Sequence(), p.LowestOutstanding(),
		p.RecordVersion(), p.ClientAddr(), p.ScanBudget(), p.SubRange(), p.Epoch(), p.IndexKey(),
		p.EndIndexKey() == kv.MaxIndexKey, p.ChainLength(), p.ChainPosition(), p.ChainNode(1))
	want := "CAS 7 1234605616436508552 42 40 9 10.0.0.9:4242 4 sub-range 3 epoch 5 0x6b6579 true 3 2 10.0.0.2"
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	key, value, err := p.Keyed()
	if err != nil || string(key) != "key" || string(value) != "value" {
		t.Fatalf("keyed: %q %q %v", key, value, err)
	}
}

func TestParseNamesWhatIsWrong(t *testing.T) {
	good := request(OpPut, AppendKeyed(nil, []byte("k"), []byte("v")))
	seal := func(p Packet) { binary.BigEndian.PutUint32(p[offCRC:], p.crc()) }
	for _, c := range []struct {
		name  string
		spoil func(Packet) Packet
		want  error
	}{
		{"short header", func(p Packet) Packet { return p[:HeaderSize-1] }, ErrTruncated},
		{"short payload", func(p Packet) Packet { return p[:len(p)-1] }, ErrTruncated},
		{"long payload", func(p Packet) Packet { return append(p, 0) }, ErrOversized},
		{"magic", func(p Packet) Packet { p[0] ^= 1; return p }, ErrMagic},
		{"version", func(p Packet) Packet { p[offVersion] = 2; return p }, ErrVersion},
		{"flags", func(p Packet) Packet { p.SetFlags(0x8000); seal(p); return p }, ErrFlags},
		{"fragment", func(p Packet) Packet { p[offFragmentCount+1] = 2; seal(p); return p }, ErrFragment},
		{"chain", func(p Packet) Packet { p[offChainPos] = 3; return p }, ErrChainRange},
		{"chain length", func(p Packet) Packet { p[offChainLength] = 7; return p }, ErrChainRange},
		{"bit in header", func(p Packet) Packet { p[offSequence] ^= 4; return p }, ErrChecksum},
		{"bit in payload", func(p Packet) Packet { p[len(p)-1] ^= 4; return p }, ErrChecksum},
		{"status forged", func(p Packet) Packet { p.SetStatus(StatusNotFound); return p }, ErrChecksum},
	} {
		_, err := Parse(c.spoil(bytes.Clone(good)))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestSwitchMayAnswerWithoutRecomputingTheCRC(t *testing.T) {
	p := request(OpGet, AppendKeyed(nil, []byte("k"), nil))
	p.SetFlags(FlagReply | FlagFromSwitch)
	p.SetStatus(StatusNoKeyspace)
	if _, err := Parse(p); err != nil {
		t.Fatal(err)
	}
	p.SetFlags(FlagReply)
	if _, err := Parse(p); !errors.Is(err, ErrChecksum) {
		t.Fatalf("a node's reply with a stale CRC: %v", err)
	}
}

func TestSwitchOwnedPartIsOutsideTheCRC(t *testing.T) {
	p := request(OpGet, AppendKeyed(nil, []byte("k"), nil))
	for i := offClientIP; i < HeaderSize; i++ {
		if i != offReservedC && i != offChainLength && i != offChainPos {
			p[i] = ^p[i]
		}
	}
	if _, err := Parse(p); err != nil {
		t.Fatal(err)
	}
}

func TestWhatNodesSendIsCoveredWhole(t *testing.T) {
	reply := request(OpGet, AppendKeyed(nil, []byte("k"), nil))
	reply.SetFlags(FlagReply)
	reply.Seal()
	for _, p := range []Packet{reply, request(OpChainUpdate, []byte("entries"))} {
		for bit := range 8 * len(p) {
			q := bytes.Clone(p)
			q[bit/8] ^= 1 << (bit % 8)

			if _, err := Parse(q); err == nil {
				t.Fatalf("%v: bit %d of byte %d flipped unnoticed", p.Op(), bit%8, bit/8)
			}
		}
	}
}

func TestReplyKeepsTheRequestsIdentity(t *testing.T) {
	p := request(OpGet, AppendKeyed(nil, []byte("k"), nil))
	r := Packet(append(p.AppendReply(nil, StatusOK), "value"...))
	r.SetRecordVersion(17)
	r.Seal()
	r, err := Parse(r)
	if err != nil || r.Flags() != FlagReply || r.Sequence() != 42 || string(r.Payload()) != "value" {
		t.Fatalf("%v: flags %x, sequence %d, payload %q", err, r.Flags(), r.Sequence(), r.Payload())
	}
}

func TestLayoutHasNoGaps(t *testing.T) {
	fixed, route := Layout()
	at := 0
	for _, f := range append(fixed, route...) {
		if f.BitOffset != at {
			t.Fatalf("%s at bit %d, want %d", f.Name, f.BitOffset, at)
		}
		at += f.Bits
	}
	if at != 8*HeaderSize {
		t.Fatalf("layout ends at bit %d, header has %d", at, 8*HeaderSize)
	}
}

// TestLayoutIsWhereTheAccessorsLook writes each field through the layout and reads it back through
// the accessor.
func TestLayoutIsWhereTheAccessorsLook(t *testing.T) {
	read := map[string]func(Packet) uint64{
		"op": func(p Packet) uint64 { return uint64(p.Op()) }, "flags": func(p Packet) uint64 { return uint64(p.Flags()) },
		"status": func(p Packet) uint64 { return uint64(p.Status()) }, "keyspace": func(p Packet) uint64 { return uint64(p.Keyspace()) },
		"payload_length": func(p Packet) uint64 { return uint64(p.PayloadLength()) },
		"client_id":      func(p Packet) uint64 { return uint64(p.Client()) }, "sequence": func(p Packet) uint64 { return uint64(p.Sequence()) },
		"lowest_outstanding": func(p Packet) uint64 { return uint64(p.LowestOutstanding()) },
		"record_version":     func(p Packet) uint64 { return uint64(p.RecordVersion()) },
		"client_port":        func(p Packet) uint64 { return uint64(p.ClientAddr().Port()) },
		"scan_budget":        func(p Packet) uint64 { return uint64(p.ScanBudget()) },
		"sub_range":          func(p Packet) uint64 { return uint64(p.SubRange()) }, "epoch": func(p Packet) uint64 { return uint64(p.Epoch()) },
		"chain_length":   func(p Packet) uint64 { return uint64(p.ChainLength()) },
		"chain_position": func(p Packet) uint64 { return uint64(p.ChainPosition()) },
		"chain0":         func(p Packet) uint64 { return uint64(p.ChainNode(0)) }, "chain5": func(p Packet) uint64 { return uint64(p.ChainNode(5)) },
	}
	fixed, route := Layout()
	seen := 0
	for _, f := range append(fixed, route...) {
		get, ok := read[f.Name]
		if !ok {
			continue
		}
		seen++
		p := Packet(Append(nil, 0))
		before := get(p)
		p[(f.BitOffset+f.Bits)/8-1] ^= 0xa5
		if get(p)^before != 0xa5 {
			t.Errorf("%s is not at bit %d", f.Name, f.BitOffset)
		}
	}
	if seen != len(read) {
		t.Fatalf("layout lacks %d of the fields", len(read)-seen)
	}
}

func TestScanPayloads(t *testing.T) {
	want := ScanRequest{Limit: 10, Start: []byte("a"), End: []byte("b")}
	p := request(OpScan, want.Append(nil))
	got, err := p.ScanRequest()
	if err != nil || got.Limit != 10 || string(got.Start) != "a" || string(got.End) != "b" {
		t.Fatalf("%+v, %v", got, err)
	}
	reply := BeginScanReply(p.AppendReply(nil, StatusOK))
	added := 0
	for reply.Add(ScanRecord{Key: []byte{byte('a' + added)}, Value: make([]byte, 300), Version: 5}) {
		added++
	}
	r := Packet(reply.Finish())
	r.Seal()
	if len(r) > MaxPacketSize || added != 4 || reply.Count() != 4 {
		t.Fatalf("%d records in %d bytes", added, len(r))
	}
	n := 0
	err = r.ScanRecords(func(rec ScanRecord) {
		if rec.Key[0] != byte('a'+n) || len(rec.Value) != 300 || rec.Version != 5 {
			t.Fatalf("record %d: %q %d %d", n, rec.Key, len(rec.Value), rec.Version)
		}
		n++
	})
	if err != nil || n != added {
		t.Fatalf("read %d of %d: %v", n, added, err)
	}
}

func TestFrameRoundTrip(t *testing.T) {
	f := Flow{MAC{2, 0, 0, 0, 0, 1}, MAC{2, 0, 0, 0, 0, 2},
		netip.MustParseAddrPort("10.0.0.1:5"), netip.MustParseAddrPort("10.0.0.2:6")}
	frame := AppendFrame(nil, f, []byte("hello"))
	got, payload, ok := ParseFrame(append(frame, 0, 0, 0)) // Ethernet may pad
	if !ok || got != f || string(payload) != "hello" {
		t.Fatalf("%+v %q %v", got, payload, ok)
	}
	h := bytes.Clone(frame[EthernetSize : EthernetSize+IPv4Size])
	sum := binary.BigEndian.Uint16(h[10:])
	h[10], h[11] = 0, 0
	if sum != ipv4Checksum(h) {
		t.Fatalf("header checksum %04x, want %04x", sum, ipv4Checksum(h))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(request(OpPut, AppendKeyed(nil, []byte("k"), []byte("v")))))
	f.Add([]byte(request(OpScan, ScanRequest{Start: []byte("a")}.Append(nil))))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			p = reseal(b)
		}
		if p == nil {
			return
		}
		// Whatever Parse admits can be read without a panic.
		_, _, _ = p.Keyed()
		_, _ = p.ScanRequest()
		_ = p.ScanRecords(func(ScanRecord) {})
		_ = p.ClientAddr()
		for i := range kv.MaxChain {
			_ = p.ChainNode(i)
		}
	})
}

// reseal repairs length and CRC of a fuzzed packet, so that the fuzzer gets past them.
func reseal(b []byte) Packet {
	if len(b) < HeaderSize || len(b) > MaxPacketSize {
		return nil
	}
	q := Packet(bytes.Clone(b))
	q.Seal()
	q, err := Parse(q)
	if err != nil {
		return nil
	}
	return q
}

func FuzzParseFrame(f *testing.F) {
	f.Add(AppendFrame(nil, Flow{Src: netip.MustParseAddrPort("10.0.0.1:5"),
		Dst: netip.MustParseAddrPort("10.0.0.2:6")}, []byte("hello")))
	f.Fuzz(func(t *testing.T, b []byte) {
		flow, payload, ok := ParseFrame(b)
		if !ok {
			return
		}
		again, same, ok := ParseFrame(AppendFrame(nil, flow, payload))
		if !ok || again != flow || !bytes.Equal(same, payload) {
			t.Fatalf("%+v -> %+v", flow, again)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	p := request(OpPut, AppendKeyed(nil, []byte("key"), make([]byte, 1000)))
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(p); err != nil {
			b.Fatal(err)
		}
	}
}

package p4rt

import (
	"bytes"
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func headerOf(t testing.TB, widths ...int32) *packetHeader {
	t.Helper()
	m := &p4config.ControllerPacketMetadata{}
	for i, w := range widths {
		m.Metadata = append(m.Metadata, &p4config.ControllerPacketMetadata_Metadata{
			Id: uint32(i + 1), Bitwidth: w})
	}
	h, err := newPacketHeader(m)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func metadata(values ...string) []*p4v1.PacketMetadata {
	var all []*p4v1.PacketMetadata
	for i, v := range values {
		all = append(all, &p4v1.PacketMetadata{MetadataId: uint32(i + 1), Value: []byte(v)})
	}
	return all
}

func TestPacketHeaderBits(t *testing.T) {
	h := headerOf(t, 9, 1, 6, 12, 4, 40)
	m := &p4v1.PacketOut{Payload: []byte("load"), Metadata: metadata(
		"\x01\xfe", "\x01", "\x00", "\x0a\xbc", "\x0d", "\x01\x02\x03\x04\x05")}
	frame, err := h.encode(m)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]byte{0xff, 0x40, 0xab, 0xcd, 1, 2, 3, 4, 5}, "load"...)
	if !bytes.Equal(frame, want) {
		t.Errorf("got %x, want %x", frame, want)
	}
	back, ok := h.decode(frame)
	if !ok || string(back.GetPayload()) != "load" {
		t.Fatalf("decode: %v, %v", back, ok)
	}
	for i, m := range m.GetMetadata() {
		if got := back.GetMetadata()[i].GetValue(); !bytes.Equal(got, canonical(m.GetValue())) {
			t.Errorf("field %d: %x, want %x", i+1, got, m.GetValue())
		}
	}
	if _, ok := h.decode(frame[:h.bytes-1]); ok {
		t.Error("a frame shorter than its header was decoded")
	}
}

// Fields may be left out, but none may be there twice or be unknown.
func TestPacketOutMetadataIsChecked(t *testing.T) {
	h := headerOf(t, 9, 7)
	one := func(id uint32) *p4v1.PacketMetadata {
		return &p4v1.PacketMetadata{MetadataId: id, Value: []byte{0x7f}}
	}
	frame, err := h.encode(&p4v1.PacketOut{Metadata: []*p4v1.PacketMetadata{one(2)}})
	if err != nil || !bytes.Equal(frame, []byte{0x00, 0x7f}) {
		t.Errorf("a field was left out: %x, %v", frame, err)
	}
	for name, sent := range map[string][]*p4v1.PacketMetadata{
		"wide": {one(1), {MetadataId: 2, Value: []byte{0x80}}}, "twice": {one(2), one(2)}, "unknown": {one(2), one(3)},
		"too many": {one(1), one(2), one(2)},
	} {
		if _, err := h.encode(&p4v1.PacketOut{Metadata: sent}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProgramsWithoutControllerHeaders(t *testing.T) {
	var none *packetHeader
	frame, err := none.encode(&p4v1.PacketOut{Payload: []byte("raw")})
	if err != nil || string(frame) != "raw" {
		t.Errorf("encode: %q, %v", frame, err)
	}
	if m, ok := none.decode([]byte("raw")); !ok || string(m.GetPayload()) != "raw" {
		t.Errorf("decode: %v, %v", m, ok)
	}
	_, err = none.encode(&p4v1.PacketOut{Metadata: metadata("\x01")})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("metadata without a header: %v", err)
	}
}

// What is decoded from a frame encodes to the same frame, up to the bits that pad the header.
func FuzzPacketHeader(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x05"), uint8(9), uint8(7), uint8(3))
	f.Add([]byte{}, uint8(1), uint8(64), uint8(255))
	f.Fuzz(func(t *testing.T, frame []byte, a, b, c uint8) {
		h := headerOf(t, 1+int32(a), 1+int32(b), 1+int32(c))
		in, ok := h.decode(frame)
		if !ok {
			if len(frame) >= h.bytes {
				t.Errorf("a frame of %d bytes was refused", len(frame))
			}
			return
		}
		again, err := h.encode(&p4v1.PacketOut{Payload: in.GetPayload(), Metadata: in.GetMetadata()})
		if err != nil {
			t.Fatal(err)
		}
		back, ok := h.decode(again)
		if !ok || !bytes.Equal(back.GetPayload(), in.GetPayload()) {
			t.Fatalf("%x became %x", frame, again)
		}
		for i := range in.GetMetadata() {
			if !bytes.Equal(back.GetMetadata()[i].GetValue(), in.GetMetadata()[i].GetValue()) {
				t.Errorf("field %d of %x changed", i, frame)
			}
		}
	})
}

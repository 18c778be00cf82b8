package port

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// large builds a frame to be cut: kind, VLAN tags, IPv6 or IPv4, header lengths and payload.
func large(r *rand.Rand, kind byte, tags, ipOptions, tcpOptions, payload int) (vnet, frame []byte) {
	frame = make([]byte, 12)
	for range tags {
		frame = append(frame, 0x81, 0x00, 0x00, byte(r.Uint32()))
	}
	ipv6 := kind == segmentTCP6
	header := make([]byte, 20+ipOptions)
	header[0], header[9] = 0x45+byte(ipOptions/4), 6
	if ipv6 {
		header = make([]byte, 40+ipOptions)
		frame = append(frame, 0x86, 0xdd)
	} else {
		frame = append(frame, 0x08, 0x00)
	}
	for i := range header[12:20] {
		header[12+i] = byte(r.Uint32())
	}
	binary.BigEndian.PutUint16(header[4:], 0xfffe) // so that the identification wraps
	frame = append(frame, header...)
	start, field := len(frame), uint16(16)
	if kind == segmentUDP {
		frame, field = append(frame, make([]byte, 8)...), 6
	} else {
		tcp := make([]byte, 20+tcpOptions)
		binary.BigEndian.PutUint32(tcp[4:], 0xfffffff0)
		tcp[12], tcp[13] = byte(5+tcpOptions/4)<<4, 0x99 // CWR, ACK, PSH, FIN
		frame = append(frame, tcp...)
	}
	for range payload {
		frame = append(frame, byte(r.Uint32()))
	}
	vnet = vnetHeader(uint16(start), field)
	vnet[1] = kind
	return vnet, frame
}

// sumGood adds up pseudo header and segment.
func sumGood(f *largeFrame, segment []byte) bool {
	addresses, protocol := segment[f.network+12:f.network+20], uint64(17)
	if f.ipv6 {
		addresses = segment[f.network+8 : f.network+40]
	}
	if f.tcp {
		protocol = 6
	}
	l4 := segment[f.transport:]
	return fold(onesSum(addresses)+protocol+uint64(len(l4))+onesSum(l4)) == 0xffff
}

func TestSegmentsAreWhatACableCarries(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	be := binary.BigEndian
	for range 500 {
		kind := []byte{segmentTCP4, segmentTCP6, segmentUDP}[r.IntN(3)]
		size, payload := 1+r.IntN(1448), r.IntN(20000)
		vnet, frame := large(r, kind, r.IntN(3), 4*r.IntN(3), 4*r.IntN(5), payload)
		binary.NativeEndian.PutUint16(vnet[4:], uint16(size))
		f, err := parseLarge(vnet, frame, 0)
		if err != nil {
			t.Fatal(err)
		}
		whole := frame[f.payload:]
		var queue backlog
		f.cut(&queue)
		bufs := buffers(1)
		var got []byte
		for i := 0; !queue.empty(); i++ {
			queue.take(bufs)
			s := bufs[0]
			ip, l4 := s[f.network:], s[f.transport:]
			if !sumGood(&f, s) {
				t.Fatalf("segment %d: wrong checksum", i)
			}
			if f.ipv6 && int(be.Uint16(ip[4:])) != len(ip)-40 ||
				!f.ipv6 && (int(be.Uint16(ip[2:])) != len(ip) || be.Uint16(ip[4:]) != 0xfffe+uint16(i) ||
					fold(onesSum(ip[:f.transport-f.network])) != 0xffff) {
				t.Fatalf("segment %d: wrong IP header % x", i, ip[:f.transport-f.network])
			}
			if !f.tcp && int(be.Uint16(l4[4:])) != len(l4) {
				t.Fatalf("segment %d: UDP length %d, want %d", i, be.Uint16(l4[4:]), len(l4))
			}
			if f.tcp {
				flags := byte(0x10)
				if i == 0 {
					flags |= 0x80
				}
				if queue.empty() {
					flags |= 0x09
				}
				if seq := 0xfffffff0 + uint32(len(got)); be.Uint32(l4[4:]) != seq || l4[13] != flags {
					t.Fatalf("segment %d: sequence %#x, flags %#x, want %#x, %#x", i, be.Uint32(l4[4:]),
						l4[13], seq, flags)
				}
			}
			if len(s)-f.payload > size || len(s)-f.payload < size && !queue.empty() {
				t.Fatalf("segment %d has %d bytes of payload, want %d", i, len(s)-f.payload, size)
			}
			got = append(got, s[f.payload:]...)
		}
		if !bytes.Equal(got, whole) {
			t.Fatalf("%d bytes came out, want %d", len(got), len(whole))
		}
	}
}

func FuzzSegment(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, kind := range []byte{segmentTCP4, segmentTCP6, segmentUDP, 3, segmentTCP4 | segmentECN} {
		vnet, frame := large(r, kind, 1, 4, 8, 100)
		vnet[4] = 30
		f.Add(vnet, frame, 0)
	}
	f.Fuzz(func(t *testing.T, vnet, frame []byte, shift int) {
		if len(vnet) < vnetHeaderLen {
			return
		}
		l, err := parseLarge(vnet, frame, shift&4)
		if err != nil {
			return
		}
		whole := bytes.Clone(frame[l.payload:])
		var queue backlog
		l.cut(&queue)
		bufs := buffers(3)
		var got []byte
		for !queue.empty() {
			for _, s := range bufs[:queue.take(bufs)] {
				if len(s) > MaxFrame {
					t.Errorf("segment of %d bytes", len(s))
				}
				got = append(got, s[l.payload:]...)
			}
		}
		if !bytes.Equal(got, whole) {
			t.Errorf("%d bytes came out, want %d", len(got), len(whole))
		}
	})
}

package port

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// drawPacket makes a TCP or UDP packet with a right checksum, and says where its field is.
func drawPacket(t *testing.T, r *rand.Rand) (frame []byte, field int) {
	t.Helper()
	address := make([]byte, 32)
	for i := range address {
		address[i] = byte(r.Uint32())
	}
	eth := &layers.Ethernet{SrcMAC: address[:6], DstMAC: address[6:12]}
	parts := []gopacket.SerializableLayer{eth}
	kind, tags := &eth.EthernetType, r.IntN(3)
	for range tags {
		*kind = layers.EthernetTypeDot1Q
		tag := &layers.Dot1Q{VLANIdentifier: uint16(r.IntN(4096))}
		parts, kind = append(parts, tag), &tag.Type
	}
	tcp := r.IntN(2) == 0
	protocol, checksum := layers.IPProtocolUDP, 6
	if tcp {
		protocol, checksum = layers.IPProtocolTCP, 16
	}
	var network gopacket.NetworkLayer
	if r.IntN(2) == 0 {
		ip := &layers.IPv4{Version: 4, SrcIP: address[:4], DstIP: address[4:8], Protocol: protocol}
		*kind, network, field = layers.EthernetTypeIPv4, ip, 14+4*tags+20+checksum
		parts = append(parts, ip)
	} else {
		ip := &layers.IPv6{Version: 6, SrcIP: address[:16], DstIP: address[16:], NextHeader: protocol}
		*kind, network, field = layers.EthernetTypeIPv6, ip, 14+4*tags+40+checksum
		parts = append(parts, ip)
	}
	if tcp {
		l4 := &layers.TCP{SrcPort: layers.TCPPort(r.Uint32()), Seq: r.Uint32(), ACK: true}
		_ = l4.SetNetworkLayerForChecksum(network)
		parts = append(parts, l4)
	} else {
		l4 := &layers.UDP{SrcPort: layers.UDPPort(r.Uint32()), DstPort: 7}
		_ = l4.SetNetworkLayerForChecksum(network)
		parts = append(parts, l4)
	}
	payload := make([]byte, r.IntN(300))
	for i := range payload {
		payload[i] = byte(r.Uint32())
	}
	buf := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	parts = append(parts, gopacket.Payload(payload))
	if err := gopacket.SerializeLayers(buf, options, parts...); err != nil {
		t.Fatal(err)
	}
	return append(buf.Bytes(), make([]byte, r.IntN(3))...), field // with padding
}

// TestCompletePartial takes what gopacket computes for the truth: a frame whose checksum was left
// open becomes right, and one that is right stays as it is.
func TestCompletePartial(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want, field := drawPacket(t, r)
		got := bytes.Clone(want)
		if completePartial(got); !bytes.Equal(got, want) {
			t.Fatalf("a right frame became\n%x, was\n%x", got, want)
		}
		l4, ok := findTransport(got)
		if !ok {
			t.Fatalf("no transport in %x", got)
		}
		pseudo := fold(onesSum(l4.addresses) + uint64(l4.protocol) + uint64(len(l4.bytes)))
		binary.BigEndian.PutUint16(got[field:], pseudo)
		if completePartial(got); !bytes.Equal(got, want) {
			t.Fatalf("an open checksum became\n%x, want\n%x", got, want)
		}
		binary.BigEndian.PutUint16(got[field:], pseudo^0x5555) // neither open nor, most likely, right
		wrong := bytes.Clone(got)
		if completePartial(got); !bytes.Equal(got, wrong) {
			t.Fatalf("a wrong frame was mended:\n%x, was\n%x", got, wrong)
		}
	}
}

// TestCompletesSCTP knows both ways in which a checksum may be left open.
func TestCompletesSCTP(t *testing.T) {
	frame := make([]byte, 14+20+12+5)
	copy(frame[12:], "\x08\x00\x45\x00\x00\x25\x00\x00\x00\x00\x40\x84")
	copy(frame[34:], "\x00\x01\x00\x02tag.")
	copy(frame[46:], "hello")
	want := bytes.Clone(frame)
	sum := crc32.Checksum(want[34:], crc32.MakeTable(crc32.Castagnoli))
	binary.LittleEndian.PutUint32(want[42:], sum)
	told := bytes.Clone(frame)
	if err := completeChecksum(vnetHeader(34, 8), told); err != nil || !bytes.Equal(told, want) {
		t.Errorf("error %v, got\n%x, want\n%x", err, told, want)
	}
	if completePartial(frame); !bytes.Equal(frame, want) {
		t.Errorf("got\n%x, want\n%x", frame, want)
	}
}

func FuzzCompletePartial(f *testing.F) {
	f.Add([]byte("012345abcdef\x08\x00\x45\x00\x00\x1c\x00\x00\x00\x00\x40\x11aabbccddddeeffgghh"))
	f.Add([]byte("012345abcdef\x81\x00\x00\x01\x86\xdd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		completePartial(data)
		changed := 0
		for i := range data {
			if data[i] != before[i] {
				changed++
			}
		}
		if changed > 4 {
			t.Errorf("%x became %x", before, data)
		}
		again := bytes.Clone(data)
		if completePartial(again); !bytes.Equal(again, data) {
			t.Errorf("the second time %x became %x", data, again)
		}
	})
}

package wire

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// TestFramesAreWhatGopacketReads and writes: an implementation that shares nothing with this one
// decodes our frames, and we decode its.
func TestFramesAreWhatGopacketReads(t *testing.T) {
	f := Flow{
		SrcMAC: MAC{2, 0, 0, 0, 0, 1}, DstMAC: MAC{2, 0, 0, 0, 0, 2},
		Src: netip.MustParseAddrPort("10.0.200.1:40000"), Dst: netip.MustParseAddrPort("10.0.255.1:21579"),
	}
	for _, size := range []int{0, 1, HeaderSize, MaxPacketSize} {
		payload := bytes.Repeat([]byte{0xa5}, size)
		frame := AppendFrame(nil, f, payload)
		p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
		if err := p.ErrorLayer(); err != nil {
			t.Fatal(err.Error())
		}
		eth := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
		ip := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		udp := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if !bytes.Equal(eth.SrcMAC, f.SrcMAC[:]) || !bytes.Equal(eth.DstMAC, f.DstMAC[:]) ||
			ip.SrcIP.String() != "10.0.200.1" || ip.DstIP.String() != "10.0.255.1" ||
			udp.SrcPort != 40000 || udp.DstPort != Port || !bytes.Equal(udp.Payload, payload) {
			t.Fatalf("gopacket reads %v %v %v", eth, ip, udp)
		}
		again := serialize(t, eth, ip, udp, payload)
		if !bytes.Equal(again[EthernetSize:EthernetSize+IPv4Size], frame[EthernetSize:EthernetSize+IPv4Size]) {
			t.Fatalf("IPv4 header\n% x, gopacket writes\n% x", frame[14:34], again[14:34])
		}
		got, body, ok := ParseFrame(again)
		if !ok || got != f || !bytes.Equal(body, payload) {
			t.Fatalf("read of gopacket's frame: %+v, %d bytes, %v", got, len(body), ok)
		}
	}
}

// serialize lets gopacket make the frame, with lengths and checksums of its own.
func serialize(
	t *testing.T, eth *layers.Ethernet, ip *layers.IPv4, udp *layers.UDP, payload []byte,
) []byte {
	t.Helper()
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	buf := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buf, opts, eth, ip, udp, gopacket.Payload(payload)); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

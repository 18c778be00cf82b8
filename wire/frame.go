package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Sizes in bytes of the headers around a packet.
const (
	EthernetSize  = 14
	IPv4Size      = 20
	UDPSize       = 8
	FrameOverhead = EthernetSize + IPv4Size + UDPSize
	MaxFrameSize  = FrameOverhead + MaxPacketSize
)

const (
	etherTypeIPv4 = 0x0800
	protocolUDP   = 17
	initialTTL    = 64
)

// MAC is an Ethernet address.
type MAC [6]byte

// String gives the colon-separated form.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// ParseMAC reads the form that String gives.
func ParseMAC(text string) (m MAC, err error) {
	parts := strings.Split(text, ":")
	ok := len(parts) == len(m)
	for i := 0; ok && i < len(m); i++ {
		b, err := strconv.ParseUint(parts[i], 16, 8)
		m[i], ok = byte(b), err == nil && len(parts[i]) == 2
	}
	if !ok {
		return MAC{}, fmt.Errorf("MAC address %q: must be like 02:00:0a:00:00:01", text)
	}
	return m, nil
}

// Flow is the addressing of a UDP datagram in an Ethernet frame.
type Flow struct {
	SrcMAC, DstMAC MAC
	Src, Dst       netip.AddrPort // IPv4
}

// AppendFrame appends the Ethernet frame that carries payload along f. The UDP checksum is zero,
// "none" in IPv4 (RFC 768): the CRC-32C of the packet protects what matters end to end.
func AppendFrame(dst []byte, f Flow, payload []byte) []byte {
	dst = append(dst, f.DstMAC[:]...)
	dst = append(dst, f.SrcMAC[:]...)
	dst = binary.BigEndian.AppendUint16(dst, etherTypeIPv4)
	dst = appendIPv4(dst, f, len(payload))
	dst = binary.BigEndian.AppendUint16(dst, f.Src.Port())
	dst = binary.BigEndian.AppendUint16(dst, f.Dst.Port())
	dst = binary.BigEndian.AppendUint16(dst, uint16(UDPSize+len(payload)))
	dst = append(dst, 0, 0)
	return append(dst, payload...)
}

func appendIPv4(dst []byte, f Flow, payload int) []byte {
	n := len(dst)
	src, to := f.Src.Addr().Unmap().As4(), f.Dst.Addr().Unmap().As4()
	dst = append(dst, 0x45, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(IPv4Size+UDPSize+payload))
	dst = append(dst, 0, 0, 0x40, 0, initialTTL, protocolUDP, 0, 0) // id 0, do not fragment
	dst = append(append(dst, src[:]...), to[:]...)
	binary.BigEndian.PutUint16(dst[n+10:], ipv4Checksum(dst[n:n+IPv4Size]))
	return dst
}

// ipv4Checksum is the ones' complement sum of RFC 791 over a header whose checksum field is zero.
func ipv4Checksum(h []byte) uint16 {
	var sum uint32
	for i := 0; i < len(h); i += 2 {
		sum += uint32(h[i])<<8 | uint32(h[i+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// ParseFrame returns the addressing and the UDP payload of a frame; ok is false for one that is
// not a whole, unfragmented UDP datagram in IPv4 without options. The payload points into frame.
func ParseFrame(frame []byte) (f Flow, payload []byte, ok bool) {
	if len(frame) < FrameOverhead || binary.BigEndian.Uint16(frame[12:]) != etherTypeIPv4 {
		return f, nil, false
	}
	ip := frame[EthernetSize:]
	total := int(binary.BigEndian.Uint16(ip[2:]))
	fragment := binary.BigEndian.Uint16(ip[6:]) & 0x3fff
	if ip[0] != 0x45 || ip[9] != protocolUDP || fragment != 0 || total > len(ip) {
		return f, nil, false
	}
	udp := ip[IPv4Size:]
	size := int(binary.BigEndian.Uint16(udp[4:]))
	if size < UDPSize || IPv4Size+size > total {
		return f, nil, false
	}
	f = Flow{DstMAC: MAC(frame[:6]), SrcMAC: MAC(frame[6:12])}
	f.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), binary.BigEndian.Uint16(udp))
	f.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), binary.BigEndian.Uint16(udp[2:]))
	return f, udp[UDPSize:size:size], true
}

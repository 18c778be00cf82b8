package port

import "encoding/binary"

// completePartial does what completeChecksum does where nobody says that a sender left the checksum
// to hardware: XDP programs are not told. The field of such a frame holds the sum of the pseudo
// header. Should it do so in a frame that is complete, the outcome is the same as before, for a
// right checksum is what is computed. So only a frame that was damaged on its way, and has by chance
// this very value (one of 65,536), is taken for better than it is. Frames within tunnels and
// fragments, whose sums hardware does not compute, are left as they are.
func completePartial(frame []byte) {
	t, ok := findTransport(frame)
	if !ok {
		return
	}
	field := 0
	switch t.protocol {
	case protocolTCP:
		field = 16
	case protocolUDP:
		field = 6
	case protocolSCTP: // a sum that is left open is zero
		if len(t.bytes) >= 12 && binary.BigEndian.Uint32(t.bytes[sctpField:]) == 0 {
			completeSCTP(t.bytes)
		}
		return
	default:
		return
	}
	if len(t.bytes) < field+2 {
		return
	}
	pseudo := fold(onesSum(t.addresses) + uint64(t.protocol) + uint64(len(t.bytes)))
	if present := binary.BigEndian.Uint16(t.bytes[field:]); present == pseudo && present != 0 {
		completeSum(t.bytes, field)
	}
}

// Numbers of IP protocols.
const (
	protocolTCP  = 6
	protocolUDP  = 17
	protocolSCTP = 132
)

// transport is what an IP packet carries.
type transport struct {
	addresses []byte // those of IP, both
	protocol  byte
	bytes     []byte // header and payload, without padding
}

// findTransport reports false for what is no whole IP packet.
func findTransport(frame []byte) (t transport, ok bool) {
	const etherType, tag, header4, header6 = 12, 4, 20, 40
	at := etherType
	for at+2 <= len(frame) && isTag(frame[at:]) {
		at += tag
	}
	if at+2 > len(frame) {
		return t, false
	}
	kind, ip := binary.BigEndian.Uint16(frame[at:]), frame[at+2:]
	switch {
	case kind == 0x0800 && len(ip) >= header4:
		start, end := int(ip[0]&0xf)*4, int(binary.BigEndian.Uint16(ip[2:]))
		const more, offset = 0x2000, 0x1fff
		if binary.BigEndian.Uint16(ip[6:])&(more|offset) != 0 || start < header4 || start > end ||
			end > len(ip) {
			return t, false
		}
		return transport{ip[12:20], ip[9], ip[start:end]}, true
	case kind == 0x86dd && len(ip) >= header6:
		end := header6 + int(binary.BigEndian.Uint16(ip[4:]))
		if end > len(ip) {
			return t, false
		}
		protocol, rest := passExtensions(ip[6], ip[header6:end])
		return transport{ip[8:40], protocol, rest}, true
	}
	return t, false
}

func isTag(etherType []byte) bool {
	kind := binary.BigEndian.Uint16(etherType)
	return kind == 0x8100 || kind == 0x88a8
}

// passExtensions passes over the extension headers of IPv6 that do not change what follows.
func passExtensions(protocol byte, rest []byte) (byte, []byte) {
	const hopByHop, destination = 0, 60
	for (protocol == hopByHop || protocol == destination) && len(rest) >= 8 {
		length := (int(rest[1]) + 1) * 8
		if length > len(rest) {
			return protocol, nil
		}
		protocol, rest = rest[0], rest[length:]
	}
	return protocol, rest
}

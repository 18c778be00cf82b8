package port

import (
	"encoding/binary"
	"errors"
)

// Kinds of frames larger than their wire form: VIRTIO_NET_HDR_GSO_*. Linux has stopped to send the
// only other one, UDP to be cut into IP fragments, with version 4.14.
const (
	segmentTCP4 = 1
	segmentTCP6 = 4
	segmentUDP  = 5
	segmentECN  = 0x80 // a flag: the first segment says that the window was reduced
)

var errSegment = errors.New("frame to be cut is neither TCP nor UDP over IP, or its headers are wrong")

// largeFrame is a frame that a sender left to hardware to cut. The kernel passes it uncut from one
// host to another as far as it can; here it has to become what a cable would carry.
type largeFrame struct {
	bytes     []byte
	network   int // offsets of the headers
	transport int
	payload   int
	size      int // bytes of payload in each segment
	tcp, ipv6 bool
}

// parseLarge finds the headers. The offload header is in host order and does not count a VLAN tag
// that was put back since, which shifts everything.
func parseLarge(vnet, frame []byte, shift int) (f largeFrame, err error) {
	f.bytes = frame
	f.size = int(binary.NativeEndian.Uint16(vnet[4:]))
	f.transport = int(binary.NativeEndian.Uint16(vnet[6:])) + shift
	kind := vnet[1] &^ segmentECN
	f.tcp = kind == segmentTCP4 || kind == segmentTCP6
	if !f.tcp && kind != segmentUDP || f.size == 0 || !f.findNetwork() || !f.findPayload() {
		return f, errSegment
	}
	if f.payload > len(frame) || f.payload+f.size > MaxFrame {
		return f, errOffload
	}
	return f, nil
}

// findNetwork passes over VLAN tags.
func (f *largeFrame) findNetwork() bool {
	for at := 12; at+2 <= len(f.bytes); at += 4 {
		switch binary.BigEndian.Uint16(f.bytes[at:]) {
		case 0x8100, 0x88a8:
			continue
		case 0x0800:
			f.network = at + 2
			return f.transport >= f.network+20
		case 0x86dd:
			f.network, f.ipv6 = at+2, true
			return f.transport >= f.network+40
		}
		return false
	}
	return false
}

func (f *largeFrame) findPayload() bool {
	const tcpHeader, udpHeader = 20, 8
	if !f.tcp {
		f.payload = f.transport + udpHeader
		return f.payload <= len(f.bytes)
	}
	if f.transport+tcpHeader > len(f.bytes) {
		return false
	}
	f.payload = f.transport + int(f.bytes[f.transport+12]>>4)*4
	return f.payload >= f.transport+tcpHeader
}

// cut appends the segments to a queue.
func (f *largeFrame) cut(to *backlog) {
	rest := f.bytes[f.payload:]
	for i := 0; ; i++ {
		now := rest[:min(f.size, len(rest))]
		rest = rest[len(now):]
		f.finish(to.add(f.bytes[:f.payload], now), i, len(rest) == 0)
		if len(rest) == 0 {
			return
		}
	}
}

// finish fills in what differs between segments, as in RFC 9293 and in Linux: lengths, the IPv4
// identification, the sequence number, flags that belong to the first or last, checksums.
func (f *largeFrame) finish(segment []byte, i int, last bool) {
	const fin, psh, cwr = 0x01, 0x08, 0x80
	be := binary.BigEndian
	ip, segmentLength := segment[f.network:], len(segment)-f.transport
	if f.ipv6 {
		be.PutUint16(ip[4:], uint16(len(ip)-40))
	} else {
		be.PutUint16(ip[2:], uint16(len(ip)))
		be.PutUint16(ip[4:], be.Uint16(ip[4:])+uint16(i))
		be.PutUint16(ip[10:], 0)
		be.PutUint16(ip[10:], ^fold(onesSum(ip[:f.transport-f.network])))
	}
	l4 := segment[f.transport:]
	if !f.tcp {
		be.PutUint16(l4[4:], uint16(segmentLength))
		f.checksum(segment, 6)
		return
	}
	be.PutUint32(l4[4:], be.Uint32(l4[4:])+uint32(i*f.size))
	if !last {
		l4[13] &^= fin | psh
	}
	if i > 0 {
		l4[13] &^= cwr
	}
	f.checksum(segment, 16)
}

// checksum computes that of TCP or UDP, whose field stands at the given place in the header.
func (f *largeFrame) checksum(segment []byte, field int) {
	addresses, protocol := segment[f.network+12:f.network+20], uint64(17)
	if f.ipv6 {
		addresses = segment[f.network+8 : f.network+40]
	}
	if f.tcp {
		protocol = 6
	}
	l4 := segment[f.transport:]
	binary.BigEndian.PutUint16(l4[field:], 0)
	sum := ^fold(onesSum(addresses) + protocol + uint64(len(l4)) + onesSum(l4))
	if sum == 0 {
		sum = 0xffff // as in completeChecksum
	}
	binary.BigEndian.PutUint16(l4[field:], sum)
}

// backlog is a queue of frames that wait for the next ReadBatch. It keeps its memory.
type backlog struct {
	bytes []byte
	ends  []int // of each frame in bytes
	next  int   // the first frame that nobody took
}

// add appends a frame made of two parts and returns it, to be finished in place.
func (b *backlog) add(head, tail []byte) []byte {
	start := len(b.bytes)
	b.bytes = append(append(b.bytes, head...), tail...)
	b.ends = append(b.ends, len(b.bytes))
	return b.bytes[start:]
}

func (b *backlog) empty() bool { return b.next == len(b.ends) }

// take copies frames into bufs, in order.
func (b *backlog) take(bufs [][]byte) (n int) {
	for n < len(bufs) && !b.empty() {
		start := 0
		if b.next > 0 {
			start = b.ends[b.next-1]
		}
		bufs[n] = append(bufs[n][:0], b.bytes[start:b.ends[b.next]]...)
		b.next++
		n++
	}
	if b.empty() {
		b.bytes, b.ends, b.next = b.bytes[:0], b.ends[:0], 0
	}
	return n
}

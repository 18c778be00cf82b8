package port

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// vnetHeaderLen is the length in bytes of struct virtio_net_hdr, with which the kernel describes
// work that a sender left to hardware: the checksum, and cutting a large packet into frames.
const vnetHeaderLen = 10

// vnetNeedsChecksum is VIRTIO_NET_HDR_F_NEEDS_CSUM.
const vnetNeedsChecksum = 1

// Reasons why a frame with unfinished work cannot be finished.
var (
	errSegmented = errors.New("frame is larger than its wire form (segmentation offload)")
	errOffload   = errors.New("offload header points outside the frame")
)

// segmented reports whether a sender left it to hardware to cut the frame.
func segmented(vnet []byte) bool { return vnet[1] != 0 }

// completeChecksum does the work that a sender left to hardware. Two hosts on a veth pair leave it
// undone for good, but behind a switch the receiver would see a wrong checksum. The field holds the
// sum of the pseudo header already, so the protocol does not matter. The header is in host order.
func completeChecksum(vnet, frame []byte) error {
	if segmented(vnet) {
		return errSegmented
	}
	if vnet[0]&vnetNeedsChecksum == 0 {
		return nil
	}
	start := int(binary.NativeEndian.Uint16(vnet[6:]))
	field := start + int(binary.NativeEndian.Uint16(vnet[8:]))
	if start > len(frame) || field+2 > len(frame) {
		return errOffload
	}
	if field-start == sctpField {
		if t, ok := findTransport(frame); ok && t.protocol == protocolSCTP {
			completeSCTP(t.bytes)
			return nil
		}
	}
	completeSum(frame[start:], field-start)
	return nil
}

// completeSum computes the checksum of bytes whose field holds the sum of the pseudo header.
func completeSum(b []byte, field int) {
	sum := ^fold(onesSum(b))
	if sum == 0 {
		sum = 0xffff // zero would mean "no checksum" in UDP, and both are the same number
	}
	binary.BigEndian.PutUint16(b[field:], sum)
}

// sctpField is the place of the checksum in the header of SCTP, a CRC-32C (RFC 9260, 6.8).
const sctpField = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func completeSCTP(b []byte) {
	if len(b) < sctpField+4 {
		return
	}
	field := b[sctpField : sctpField+4]
	clear(field)
	binary.LittleEndian.PutUint32(field, crc32.Checksum(b, castagnoli))
}

// onesSum adds 16-bit words, RFC 1071; the last odd byte counts as the upper half of a word.
func onesSum(b []byte) uint64 {
	var sum uint64
	for ; len(b) >= 4; b = b[4:] {
		sum += uint64(binary.BigEndian.Uint32(b))
	}
	if len(b) >= 2 {
		sum += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint64(b[0]) << 8
	}
	return sum
}

// fold brings a sum back to 16 bits with end-around carry.
func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// insertTag puts a VLAN tag that the kernel took out back behind the addresses. The capacity of the
// frame must leave room; otherwise, or when the frame is no Ethernet frame, it reports false.
func insertTag(frame []byte, protocol, control uint16) ([]byte, bool) {
	const addresses, tag = 12, 4
	if len(frame) < addresses || cap(frame) < len(frame)+tag {
		return frame, false
	}
	frame = frame[:len(frame)+tag]
	copy(frame[addresses+tag:], frame[addresses:])
	binary.BigEndian.PutUint16(frame[addresses:], protocol)
	binary.BigEndian.PutUint16(frame[addresses+2:], control)
	return frame, true
}

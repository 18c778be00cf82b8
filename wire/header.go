package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/turbokv/turbokv/kv"
)

// Port is the UDP destination port of requests and of messages between nodes: the magic number.
const Port = 0x544B

// Magic starts every packet: "TK".
const Magic = 0x544B

// FormatVersion is the only version of the format so far.
const FormatVersion = 1

// Sizes in bytes.
const (
	HeaderSize     = 168
	MaxPacketSize  = 1472 // UDP payload in an Ethernet frame of 1500 bytes
	MaxPayloadSize = MaxPacketSize - HeaderSize
	// MaxKeySize is the longest key of a request. Fragment trains will raise it to 4 KiB.
	MaxKeySize = 1024
	// MaxRecordSize bounds key and value together, so that a record and what the chain says
	// about it fit one packet.
	MaxRecordSize = 1248
)

// Offsets in bytes, in the order of the header. Layout names them for the P4 program's test.
const (
	offMagic         = 0
	offVersion       = 2
	offOp            = 3
	offFlags         = 4
	offStatus        = 6
	offReservedA     = 7
	offKeyspace      = 8
	offFragmentIndex = 10
	offFragmentCount = 12
	offPayloadLength = 14
	offClient        = 16
	offSequence      = 24
	offLowest        = 32
	offRecordVersion = 40
	offReservedB     = 48
	offCRC           = 52

	offClientIP     = 56
	offClientPort   = 60
	offScanBudget   = 62
	offReservedC    = 63
	offSubRange     = 64
	offEpoch        = 68
	offIndexKey     = 72
	offEndIndexKey  = 88
	offTimestamp    = 104
	offTxn          = 112
	offParticipant  = 120
	offParticipants = 121
	offChainLength  = 122
	offChainPos     = 123
	offChain        = 124
	offAuthKey      = 148
	offAuthTag      = 152
)

// crcCovered is the length of the header that the CRC covers: part A up to the CRC itself.
const crcCovered = offCRC

// Packet is one datagram: header and payload.
type Packet []byte

// Reasons why Parse rejects a packet.
var (
	ErrTruncated  = errors.New("packet shorter than its header and payload")
	ErrOversized  = errors.New("packet longer than its header and payload")
	ErrMagic      = errors.New("wrong magic number")
	ErrVersion    = errors.New("unknown format version")
	ErrFlags      = errors.New("undefined flags or reserved bytes set")
	ErrFragment   = errors.New("fragment count must be 1: fragment trains are not supported")
	ErrChecksum   = errors.New("CRC-32C does not match")
	ErrChainRange = errors.New("chain longer than 6 or position outside the chain")
)

// Parse checks all that can be checked without knowing the operation: sizes, magic, version,
// flags, fragment fields, chain bounds and CRC. The packet may be used without further checks of
// its header if it returns nil. Errors wrap one of the Err values.
func Parse(b []byte) (Packet, error) {
	if len(b) < HeaderSize {
		return nil, fmt.Errorf("%w: %d bytes, header is %d", ErrTruncated, len(b), HeaderSize)
	}
	p := Packet(b)
	if err := p.checkShape(); err != nil {
		return nil, err
	}
	if p.crc() != binary.BigEndian.Uint32(p[offCRC:]) {
		return nil, ErrChecksum
	}
	return p, nil
}

func (p Packet) checkShape() error {
	want := HeaderSize + p.PayloadLength()
	switch {
	case binary.BigEndian.Uint16(p[offMagic:]) != Magic:
		return ErrMagic
	case p[offVersion] != FormatVersion:
		return ErrVersion
	case len(p) < want:
		return ErrTruncated
	case len(p) > want:
		return ErrOversized
	case p.Flags()&^definedFlags != 0 || p[offReservedA] != 0 || p[offReservedC] != 0:
		return ErrFlags
	case binary.BigEndian.Uint16(p[offFragmentCount:]) != 1 ||
		binary.BigEndian.Uint16(p[offFragmentIndex:]) != 0:
		return ErrFragment
	case p.ChainLength() > kv.MaxChain || p.ChainLength() > 0 && p.ChainPosition() >= p.ChainLength():
		return ErrChainRange
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc computes the CRC-32C over what no switch changes. Of a request that is part A and the
// payload. What a node sends is not rewritten by any switch, so part B is covered as well. A reply
// that a switch made still carries the CRC of the request.
func (p Packet) crc() uint32 {
	flags := p.Flags()
	switch {
	case flags&FlagFromSwitch != 0:
		return p.crcOfRequest()
	case flags&FlagReply != 0 || p.Op().Class() == ClassChain:
		return crc32.Update(crc32.Checksum(p[:crcCovered], castagnoli), castagnoli, p[offClientIP:])
	}
	return crc32.Update(crc32.Checksum(p[:crcCovered], castagnoli), castagnoli, p[HeaderSize:])
}

// crcOfRequest computes the CRC of the request that a switch turned round.
func (p Packet) crcOfRequest() uint32 {
	var head [crcCovered]byte
	copy(head[:], p)
	flags := p.Flags() &^ (FlagReply | FlagFromSwitch)
	binary.BigEndian.PutUint16(head[offFlags:], uint16(flags))
	head[offStatus] = byte(StatusOK)
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, p[HeaderSize:])
}

// Seal sets payload length and CRC. It is the sender's last act; only switches may change part B of
// a request after it.
func (p Packet) Seal() {
	binary.BigEndian.PutUint16(p[offPayloadLength:], uint16(len(p)-HeaderSize))
	binary.BigEndian.PutUint32(p[offCRC:], p.crc())
}

// Append appends a fresh header with the given operation to dst, all other fields zero but
// magic, version and fragment count. The payload is to be appended next, then sealed.
func Append(dst []byte, op Op) []byte {
	var zero [HeaderSize]byte
	n := len(dst)
	dst = append(dst, zero[:]...)
	p := Packet(dst[n:])
	binary.BigEndian.PutUint16(p[offMagic:], Magic)
	p[offVersion] = FormatVersion
	p[offOp] = byte(op)
	binary.BigEndian.PutUint16(p[offFragmentCount:], 1)
	return dst
}

// AppendReply appends the header of the reply to request p: same operation, request identity and
// part B, with the given status. Payload and Seal are to follow.
func (p Packet) AppendReply(dst []byte, status Status) []byte {
	n := len(dst)
	dst = append(dst, p[:HeaderSize]...)
	r := Packet(dst[n:])
	r.SetFlags(FlagReply)
	r.SetStatus(status)
	r.SetRecordVersion(0)
	return dst
}

// Magic returns what should be Magic. This and the two below are for those who judge a packet before
// Parse would, as a switch does.
func (p Packet) Magic() uint16 { return binary.BigEndian.Uint16(p[offMagic:]) }

// FormatVersion returns the version of the format.
func (p Packet) FormatVersion() uint8 { return p[offVersion] }

// Fragment returns the place of the packet in its fragment train, and the length of that.
func (p Packet) Fragment() (index, count uint16) {
	return binary.BigEndian.Uint16(p[offFragmentIndex:]), binary.BigEndian.Uint16(p[offFragmentCount:])
}

// PayloadLength returns the length in bytes that the header gives for the payload.
func (p Packet) PayloadLength() int { return int(binary.BigEndian.Uint16(p[offPayloadLength:])) }

// Payload returns the bytes after the header.
func (p Packet) Payload() []byte { return p[HeaderSize:] }

// Op returns the operation.
func (p Packet) Op() Op { return Op(p[offOp]) }

// Flags returns the flags.
func (p Packet) Flags() Flags { return Flags(binary.BigEndian.Uint16(p[offFlags:])) }

// SetFlags replaces the flags.
func (p Packet) SetFlags(f Flags) { binary.BigEndian.PutUint16(p[offFlags:], uint16(f)) }

// Status returns the status of a reply.
func (p Packet) Status() Status { return Status(p[offStatus]) }

// SetStatus sets the status of a reply.
func (p Packet) SetStatus(s Status) { p[offStatus] = byte(s) }

// Keyspace returns the keyspace.
func (p Packet) Keyspace() kv.KeyspaceID {
	return kv.KeyspaceID(binary.BigEndian.Uint16(p[offKeyspace:]))
}

// SetKeyspace sets the keyspace.
func (p Packet) SetKeyspace(k kv.KeyspaceID) {
	binary.BigEndian.PutUint16(p[offKeyspace:], uint16(k))
}

// Client returns the client session.
func (p Packet) Client() kv.ClientID { return kv.ClientID(binary.BigEndian.Uint64(p[offClient:])) }

// Sequence returns the number of the request in its session.
func (p Packet) Sequence() kv.RequestSeq {
	return kv.RequestSeq(binary.BigEndian.Uint64(p[offSequence:]))
}

// LowestOutstanding returns the lowest sequence for which the client still wants a reply.
func (p Packet) LowestOutstanding() kv.RequestSeq {
	return kv.RequestSeq(binary.BigEndian.Uint64(p[offLowest:]))
}

// SetRequest sets the identity of the request: session, sequence and lowest outstanding sequence.
func (p Packet) SetRequest(c kv.ClientID, seq, lowest kv.RequestSeq) {
	binary.BigEndian.PutUint64(p[offClient:], uint64(c))
	binary.BigEndian.PutUint64(p[offSequence:], uint64(seq))
	binary.BigEndian.PutUint64(p[offLowest:], uint64(lowest))
}

// RecordVersion returns the expected version (CAS, DELETE) or the version of the record (replies).
func (p Packet) RecordVersion() kv.Version {
	return kv.Version(binary.BigEndian.Uint64(p[offRecordVersion:]))
}

// SetRecordVersion sets the record version.
func (p Packet) SetRecordVersion(v kv.Version) {
	binary.BigEndian.PutUint64(p[offRecordVersion:], uint64(v))
}

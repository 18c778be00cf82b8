package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/turbokv/turbokv/kv"
)

// ChainHeaderSize is the part of a chain message's payload before its entries, in bytes:
// sub-range (4), epoch (4), incarnation of the receiver (8).
const ChainHeaderSize = 16

// ChainFields are the fixed fields of a message between neighbours of a chain. All of them are
// covered by the CRC, so they stand in part A and in the payload, never in the switch's part B.
type ChainFields struct {
	SubRange kv.SubRangeID
	Epoch    kv.Epoch
	// Sender and Receiver are the incarnations between which the message is valid. Receiver is
	// 0 in messages that start a link.
	Sender, Receiver uint64
	// Seq is, by operation: UPDATE, ENTRIES: the seq of the first entry; ACK, HELLO, WELCOME,
	// READY, PULL: the last update that the sender has applied; to a learner, which is told only
	// of what is stable, HELLO: the last stable one; FETCH: the first one wanted; SNAPSHOT: the
	// last update that the rows contain.
	Seq kv.Seq
	// Mark is, by operation: UPDATE: all members down to the sender have stored everything up to
	// it durably; ACK, WELCOME: everything up to it is acknowledged, or of a learner durable;
	// HELLO: the sender can send again everything after it; else 0.
	Mark kv.Seq
}

// AppendChain appends a chain message without entries. Entries may be appended next, then Seal.
func AppendChain(dst []byte, op Op, f ChainFields) []byte {
	n := len(dst)
	dst = Append(dst, op)
	p := Packet(dst[n:])
	p.SetRequest(0, kv.RequestSeq(f.Seq), kv.RequestSeq(f.Mark))
	p.SetRecordVersion(kv.Version(f.Sender))
	dst = binary.BigEndian.AppendUint32(dst, uint32(f.SubRange))
	dst = binary.BigEndian.AppendUint32(dst, uint32(f.Epoch))
	return binary.BigEndian.AppendUint64(dst, f.Receiver)
}

// SetChainMark replaces the mark of a message that AppendChain began.
func (p Packet) SetChainMark(mark kv.Seq) {
	binary.BigEndian.PutUint64(p[offLowest:], uint64(mark))
}

// Chain returns the fields of a message between nodes, and what follows them. UPDATE and ENTRIES
// carry entries, an ACK may carry the end of a gap, HELLO, WELCOME and READY what AppendChainBehind
// appends, a PULL a cursor and a SNAPSHOT a piece of one.
func (p Packet) Chain() (f ChainFields, entries []byte, err error) {
	b := p.Payload()
	if p.Op().Class() != ClassChain || len(b) < ChainHeaderSize {
		return f, nil, fmt.Errorf("%w: %v of %d bytes, at least %d", ErrPayload, p.Op(), len(b),
			ChainHeaderSize)
	}
	f = ChainFields{
		SubRange: kv.SubRangeID(binary.BigEndian.Uint32(b)),
		Epoch:    kv.Epoch(binary.BigEndian.Uint32(b[4:])),
		Sender:   uint64(p.RecordVersion()),
		Receiver: binary.BigEndian.Uint64(b[8:]),
		Seq:      kv.Seq(p.Sequence()),
		Mark:     kv.Seq(p.LowestOutstanding()),
	}
	return f, b[ChainHeaderSize:], nil
}

// AppendChainGap appends to an ACK the seq of the last update missing before those that the sender
// keeps for later, so that the receiver can send again exactly what was lost.
func AppendChainGap(dst []byte, last kv.Seq) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(last))
}

// ChainGap reads what AppendChainGap wrote from the rest of an ACK; 0 if there is no gap.
func ChainGap(rest []byte) kv.Seq {
	if len(rest) != 8 {
		return 0
	}
	return kv.Seq(binary.BigEndian.Uint64(rest))
}

// AppendChainBehind appends to a HELLO, WELCOME or READY that the sender may lack updates that were
// acknowledged before it was a member: nobody may conclude from it that he has them all.
func AppendChainBehind(dst []byte) []byte { return append(dst, 1) }

// ChainBehind reports whether AppendChainBehind was called for the message.
func ChainBehind(rest []byte) bool { return len(rest) == 1 && rest[0] == 1 }

// Effect is what an entry does to its record.
type Effect uint8

// Effects. Values are sent and stored: do not renumber.
const (
	EffectNone   Effect = 0 // a condition failed; only the result is replicated
	EffectPut    Effect = 1 // the record becomes Value
	EffectDelete Effect = 2 // the record is removed
	EffectExpire Effect = 3 // the session Client is forgotten; no request belongs to it
)

// Offsets within an entry of the chain.
const (
	offEntryOp       = 0
	offEntryStatus   = 1
	offEntryEffect   = 2
	offEntryReserved = 3
	offEntryClient   = 4
	offEntrySeq      = 12
	offEntryLowest   = 20
	offEntryIP       = 28
	offEntryPort     = 32
	offEntryKey      = 34
	offEntryValue    = 36

	// ChainEntryHeader is the length of an entry before its key, in bytes.
	ChainEntryHeader = 38
)

// The largest record fits one packet with what the chain says about it. (A negative constant does
// not convert to uint.)
const _ = uint(MaxPayloadSize - ChainHeaderSize - ChainEntryHeader - MaxRecordSize)

// ChainEntry is the view of one update as the head resolved it: request, result and effect. Its seq
// is not part of it: entries of a message are consecutive. It is also what logs store.
type ChainEntry []byte

// ChainEntryFields describe an entry to be encoded.
type ChainEntryFields struct {
	Op         Op
	Status     Status
	Effect     Effect
	Client     kv.ClientID
	Sequence   kv.RequestSeq
	Lowest     kv.RequestSeq
	ClientAddr netip.AddrPort // IPv4; the zero value if nobody waits for a reply
	Key, Value []byte         // Value of a failed condition: see AppendFoundVersion
}

// AppendChainEntry appends the encoded entry.
func AppendChainEntry(dst []byte, f ChainEntryFields) []byte {
	dst = append(dst, byte(f.Op), byte(f.Status), byte(f.Effect), 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.Client))
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.Sequence))
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.Lowest))
	var ip [4]byte
	if a := f.ClientAddr.Addr().Unmap(); a.Is4() {
		ip = a.As4()
	}
	dst = append(dst, ip[:]...)
	dst = binary.BigEndian.AppendUint16(dst, f.ClientAddr.Port())
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(f.Key)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(f.Value)))
	return append(append(dst, f.Key...), f.Value...)
}

// CutChainEntry returns the first entry of b and what follows it; ok is false if b does not start
// with a whole entry of a known form.
func CutChainEntry(b []byte) (e ChainEntry, rest []byte, ok bool) {
	if len(b) < ChainEntryHeader {
		return nil, nil, false
	}
	key := int(binary.BigEndian.Uint16(b[offEntryKey:]))
	value := int(binary.BigEndian.Uint16(b[offEntryValue:]))
	n := ChainEntryHeader + key + value
	if len(b) < n || key+value > MaxRecordSize || b[offEntryReserved] != 0 {
		return nil, nil, false
	}
	e = ChainEntry(b[:n:n])
	return e, b[n:], e.hasForm(key)
}

// CutChainEntryWithoutValue checks an entry whose value was left out, which is all of b. Everything
// but Value may be asked of it.
func CutChainEntryWithoutValue(b []byte) (e ChainEntry, ok bool) {
	if len(b) < ChainEntryHeader || b[offEntryReserved] != 0 {
		return nil, false
	}
	key := int(binary.BigEndian.Uint16(b[offEntryKey:]))
	e = ChainEntry(b)
	return e, len(b) == ChainEntryHeader+key && e.hasForm(key)
}

// hasForm reports whether effect, key and operation agree.
func (e ChainEntry) hasForm(key int) bool {
	switch e.Effect() {
	case EffectPut, EffectDelete:
		return key > 0 && key <= MaxKeySize && e.Op().Class() == ClassWrite && e.Client() != 0
	case EffectNone:
		return e.Op().Class() == ClassWrite && e.Client() != 0
	case EffectExpire:
		return key == 0
	}
	return false
}

// CountChainEntries returns the number of entries in b; ok is false unless all of b is whole
// entries.
func CountChainEntries(b []byte) (n int, ok bool) {
	for len(b) > 0 {
		if _, b, ok = CutChainEntry(b); !ok {
			return 0, false
		}
		n++
	}
	return n, true
}

// Op returns the operation of the request.
func (e ChainEntry) Op() Op { return Op(e[offEntryOp]) }

// Status returns the outcome.
func (e ChainEntry) Status() Status { return Status(e[offEntryStatus]) }

// Effect returns what the entry does.
func (e ChainEntry) Effect() Effect { return Effect(e[offEntryEffect]) }

// Client returns the session of the request.
func (e ChainEntry) Client() kv.ClientID {
	return kv.ClientID(binary.BigEndian.Uint64(e[offEntryClient:]))
}

// Sequence returns the number of the request in its session.
func (e ChainEntry) Sequence() kv.RequestSeq {
	return kv.RequestSeq(binary.BigEndian.Uint64(e[offEntrySeq:]))
}

// Lowest returns the lowest sequence for which the client still wanted a reply.
func (e ChainEntry) Lowest() kv.RequestSeq {
	return kv.RequestSeq(binary.BigEndian.Uint64(e[offEntryLowest:]))
}

// ClientAddr returns where the reply goes.
func (e ChainEntry) ClientAddr() netip.AddrPort {
	ip := netip.AddrFrom4([4]byte(e[offEntryIP : offEntryIP+4]))
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(e[offEntryPort:]))
}

// Key returns the key of the request, also of one without effect; empty if there is none.
func (e ChainEntry) Key() []byte {
	n := ChainEntryHeader + int(binary.BigEndian.Uint16(e[offEntryKey:]))
	return e[ChainEntryHeader:n:n]
}

// Value returns what EffectPut stores.
func (e ChainEntry) Value() []byte {
	return e[ChainEntryHeader+int(binary.BigEndian.Uint16(e[offEntryKey:])):]
}

// AppendFoundVersion encodes the version that made a condition fail, as the value of an entry
// without effect.
func AppendFoundVersion(dst []byte, v kv.Version) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v))
}

// FoundVersion returns what AppendFoundVersion wrote, 0 if there is none.
func (e ChainEntry) FoundVersion() kv.Version {
	v := e.Value()
	if e.Effect() != EffectNone || len(v) != 8 {
		return 0
	}
	return kv.Version(binary.BigEndian.Uint64(v))
}

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/turbokv/turbokv/kv"
)

// ErrPayload says that a payload does not have the form of its operation.
var ErrPayload = errors.New("malformed payload")

// AppendKeyed appends the payload of GET, DELETE, PUT, CAS and INCREMENT: the key with its length,
// then the value (empty for GET and DELETE).
func AppendKeyed(dst, key, value []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(key)))
	return append(append(dst, key...), value...)
}

// Keyed splits the payload of a request for one record into key and value. The key has 1 to
// MaxKeySize bytes and the two together at most MaxRecordSize.
func (p Packet) Keyed() (key, value []byte, err error) {
	key, value, ok := cut16(p.Payload())
	if !ok || len(key) == 0 {
		return nil, nil, fmt.Errorf("%w: %v: key cut short or empty", ErrPayload, p.Op())
	}
	if len(key) > MaxKeySize || len(key)+len(value) > MaxRecordSize {
		return nil, nil, fmt.Errorf("%w: %v: key of %d and value of %d bytes, at most %d and %d together",
			ErrPayload, p.Op(), len(key), len(value), MaxKeySize, MaxRecordSize)
	}
	return key, value, nil
}

// cut16 splits b after a field that starts with its own 16-bit length.
func cut16(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return nil, nil, false
	}
	return b[2 : 2+n : 2+n], b[2+n:], true
}

// NumberSize is the length in bytes of an INCREMENT's operand and of the record that it counts in.
const NumberSize = 8

// AppendNumber appends the big-endian form of n.
func AppendNumber(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}

// Number reads a value as the integer that INCREMENT counts in; ok is false for any other length.
func Number(value []byte) (n int64, ok bool) {
	if len(value) != NumberSize {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(value)), true
}

// ScanRequest is the payload of a SCAN: records with Start <= key < End, at most Limit of them.
type ScanRequest struct {
	Limit uint16 // records; 0 means as many as fit
	Start []byte // inclusive
	End   []byte // exclusive; empty means the end of the keyspace
}

// Append appends the payload.
func (r ScanRequest) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, r.Limit)
	dst = AppendKeyed(dst, r.Start, nil)
	return AppendKeyed(dst, r.End, nil)
}

// ScanRequest reads the payload of a SCAN. Its slices point into the packet.
func (p Packet) ScanRequest() (ScanRequest, error) {
	b := p.Payload()
	if len(b) < 2 {
		return ScanRequest{}, fmt.Errorf("%w: SCAN of %d bytes", ErrPayload, len(b))
	}
	r := ScanRequest{Limit: binary.BigEndian.Uint16(b)}
	var ok1, ok2 bool
	r.Start, b, ok1 = cut16(b[2:])
	r.End, b, ok2 = cut16(b)
	if !ok1 || !ok2 || len(b) != 0 || len(r.Start) > MaxKeySize || len(r.End) > MaxKeySize {
		return ScanRequest{}, fmt.Errorf("%w: SCAN bounds", ErrPayload)
	}
	return r, nil
}

// MaxScanTrain is the largest number of packets with which a node answers one SCAN: enough to make
// round trips rare, few enough for the queue of a port.
const MaxScanTrain = 16

// ScanRecord is one record of a scan reply.
type ScanRecord struct {
	Key, Value []byte
	Version    kv.Version
}

const scanRecordHeader = 2 + 2 + 8

// ScanReply builds the payload of a scan reply behind a header.
type ScanReply struct {
	buf   []byte
	start int // offset of the payload
	count uint16
}

// BeginScanReply starts a payload at the end of buf, which holds the reply's header from offset
// len(buf)-HeaderSize on.
func BeginScanReply(buf []byte) ScanReply {
	return ScanReply{buf: append(buf, 0, 0), start: len(buf)}
}

// Add appends a record and reports whether it fit; one that does not fit changes nothing.
func (s *ScanReply) Add(r ScanRecord) bool {
	size := len(s.buf) - s.start + scanRecordHeader + len(r.Key) + len(r.Value)
	if size > MaxPayloadSize {
		return false
	}
	s.buf = binary.BigEndian.AppendUint16(s.buf, uint16(len(r.Key)))
	s.buf = binary.BigEndian.AppendUint16(s.buf, uint16(len(r.Value)))
	s.buf = binary.BigEndian.AppendUint64(s.buf, uint64(r.Version))
	s.buf = append(append(s.buf, r.Key...), r.Value...)
	s.count++
	return true
}

// Count returns the number of records added.
func (s *ScanReply) Count() int { return int(s.count) }

// ScanMark is a place between two records of a scan reply.
type ScanMark struct {
	at    int
	count uint16
}

// Mark returns the place behind the last record.
func (s *ScanReply) Mark() ScanMark { return ScanMark{len(s.buf), s.count} }

// Cut removes the records behind m and returns them as AddCut takes them. They are valid until the
// buffer is reused.
func (s *ScanReply) Cut(m ScanMark) (records []byte, count int) {
	records, count = s.buf[m.at:], int(s.count-m.count)
	s.buf, s.count = s.buf[:m.at], m.count
	return records, count
}

// AddCut adds records that Cut removed from a reply; into an empty one they fit.
func (s *ScanReply) AddCut(records []byte, count int) {
	s.buf = append(s.buf, records...)
	s.count += uint16(count)
}

// Finish writes the count and returns the buffer, ready for Seal of its packet.
func (s *ScanReply) Finish() []byte {
	binary.BigEndian.PutUint16(s.buf[s.start:], s.count)
	return s.buf
}

// ScanRecords checks the payload of a scan reply and calls yield for each record in order. The
// slices point into the packet.
func (p Packet) ScanRecords(yield func(ScanRecord)) error {
	b := p.Payload()
	if len(b) < 2 {
		return fmt.Errorf("%w: scan reply of %d bytes", ErrPayload, len(b))
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	for i := range n {
		r, rest, ok := cutScanRecord(b)
		if !ok {
			return fmt.Errorf("%w: scan reply ends in record %d of %d", ErrPayload, i+1, n)
		}
		yield(r)
		b = rest
	}
	if len(b) != 0 {
		return fmt.Errorf("%w: %d bytes after the last record of a scan reply", ErrPayload, len(b))
	}
	return nil
}

func cutScanRecord(b []byte) (r ScanRecord, rest []byte, ok bool) {
	if len(b) < scanRecordHeader {
		return r, nil, false
	}
	nk, nv := int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
	r.Version = kv.Version(binary.BigEndian.Uint64(b[4:]))
	b = b[scanRecordHeader:]
	if nk == 0 || len(b) < nk+nv {
		return r, nil, false
	}
	r.Key, r.Value = b[:nk:nk], b[nk:nk+nv:nk+nv]
	return r, b[nk+nv:], true
}

package wire

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"github.com/turbokv/turbokv/kv"
)

// Cursor tells how far a learner has taken in a snapshot. Its rows have an order, first the sessions
// with their results, then the records, and cursors compare as byte strings in that order:
//
//	empty                        nothing yet
//	1, client (8), request (8)   sessions and results down to this one; request 0: the session
//	2, place                     all of these, and the records down to the one at place
//	3                            everything
//
// The place of a record is its key, behind its index key (16) in a hash-partitioned keyspace.
type Cursor []byte

// The first byte of a cursor.
const (
	cursorSessions = 1
	cursorRecords  = 2
	cursorEnd      = 3
)

// MaxCursorSize is the length of the longest cursor, in bytes.
const MaxCursorSize = 1 + kv.IndexKeySize + MaxKeySize

// AppendSessionCursor appends the cursor behind a result of a session, or with request 0 behind the
// session itself.
func AppendSessionCursor(dst []byte, c kv.ClientID, n kv.RequestSeq) Cursor {
	dst = binary.BigEndian.AppendUint64(append(dst, cursorSessions), uint64(c))
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}

// AppendRecordCursor appends the cursor behind the record at a place.
func AppendRecordCursor(dst, place []byte) Cursor {
	return append(append(dst, cursorRecords), place...)
}

// AppendEndCursor appends the cursor behind all rows.
func AppendEndCursor(dst []byte) Cursor { return append(dst, cursorEnd) }

// Valid reports whether c has one of the forms of a cursor.
func (c Cursor) Valid() bool {
	switch {
	case len(c) == 0:
		return true
	case c[0] == cursorSessions:
		return len(c) == 1+8+8
	case c[0] == cursorRecords:
		return len(c) <= MaxCursorSize
	}
	return c[0] == cursorEnd && len(c) == 1
}

// End reports whether c stands behind all rows.
func (c Cursor) End() bool { return len(c) == 1 && c[0] == cursorEnd }

// Session returns the session and request behind which c stands, zeros if it stands before all; ok
// is false if it stands behind all.
func (c Cursor) Session() (client kv.ClientID, request kv.RequestSeq, ok bool) {
	if len(c) == 0 {
		return 0, 0, true
	}
	if c[0] != cursorSessions || len(c) != 1+8+8 {
		return 0, 0, false
	}
	client = kv.ClientID(binary.BigEndian.Uint64(c[1:]))
	return client, kv.RequestSeq(binary.BigEndian.Uint64(c[9:])), true
}

// Place returns the place of the record behind which c stands; nil if it stands before all or
// behind all.
func (c Cursor) Place() []byte {
	if len(c) < 2 || c[0] != cursorRecords {
		return nil
	}
	return c[1:]
}

// Digest returns what stands for the cursor in a SNAPSHOT, which has no room for it.
func (c Cursor) Digest() [16]byte { return xxh3.Hash128(c).Bytes() }

// SnapshotFlags qualify a piece of a snapshot.
type SnapshotFlags uint8

// Flags of a piece. Undefined bits are zero.
const (
	// SnapshotPause says that the sender sends no more before the next PULL.
	SnapshotPause SnapshotFlags = 1
	// SnapshotLast says that no row follows.
	SnapshotLast SnapshotFlags = 2

	snapshotFlags = SnapshotPause | SnapshotLast
)

// SnapshotHeaderSize is what a SNAPSHOT has between the chain fields and its rows, in bytes: the
// digest of the cursor behind which they follow (16), flags (1).
const SnapshotHeaderSize = 16 + 1

// offSnapshotFlags is the offset of the flags behind the chain fields.
const offSnapshotFlags = 16

// AppendSnapshotHeader appends to a SNAPSHOT what stands before its rows; flags are set when they
// are known.
func AppendSnapshotHeader(dst []byte, from [16]byte) []byte {
	return append(append(dst, from[:]...), 0)
}

// SetSnapshotFlags sets the flags of a SNAPSHOT that has its header.
func (p Packet) SetSnapshotFlags(f SnapshotFlags) {
	p[HeaderSize+ChainHeaderSize+offSnapshotFlags] = byte(f)
}

// CutSnapshot splits what follows the chain fields of a SNAPSHOT; ok is false if it is too short or
// has unknown flags.
func CutSnapshot(rest []byte) (from [16]byte, f SnapshotFlags, rows []byte, ok bool) {
	if len(rest) < SnapshotHeaderSize {
		return from, 0, nil, false
	}
	f = SnapshotFlags(rest[offSnapshotFlags])
	copy(from[:], rest)
	return from, f, rest[SnapshotHeaderSize:], f&^snapshotFlags == 0
}

// RowKind says what a row of a snapshot is.
type RowKind uint8

// Kinds of rows.
const (
	RowSession RowKind = 1
	RowResult  RowKind = 2
	RowRecord  RowKind = 3
)

// Sizes of rows, in bytes; that of a record without key and value.
const (
	sessionRowSize = 1 + 8 + 8
	resultRowSize  = 1 + 8 + 8 + 8 + 8 + 8 + 1 + 1
	// RecordRowHeader is what a record's row has beside key and value.
	RecordRowHeader = 1 + 8 + 2 + 2
)

// The largest record fits a packet. (A negative constant does not convert to uint.)
const _ = uint(MaxPayloadSize - ChainHeaderSize - SnapshotHeaderSize - RecordRowHeader - MaxRecordSize)

// SnapshotRow is one row. Which fields are meant follows from Kind.
type SnapshotRow struct {
	Kind RowKind

	Client  kv.ClientID   // of a session or result
	Lowest  kv.RequestSeq // of a session: its lowest outstanding request
	Request kv.RequestSeq // of a result
	Seq     kv.Seq        // of a result: the update
	Version kv.Version    // of a result or record
	Number  int64         // of a result: the sum of an INCREMENT,
	Counted bool          // if there is one
	Status  Status        // of a result

	Key, Value []byte // of a record
}

// Append appends the encoded row.
func (r SnapshotRow) Append(dst []byte) []byte {
	dst = append(dst, byte(r.Kind))
	switch r.Kind {
	case RowSession:
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.Client))
		return binary.BigEndian.AppendUint64(dst, uint64(r.Lowest))
	case RowResult:
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.Client))
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.Request))
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.Seq))
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.Version))
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.Number))
		counted := byte(0)
		if r.Counted {
			counted = 1
		}
		return append(dst, byte(r.Status), counted)
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Version))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Key)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Value)))
	return append(append(dst, r.Key...), r.Value...)
}

// Size returns the length of the encoded row in bytes.
func (r SnapshotRow) Size() int {
	switch r.Kind {
	case RowSession:
		return sessionRowSize
	case RowResult:
		return resultRowSize
	}
	return RecordRowHeader + len(r.Key) + len(r.Value)
}

// CutSnapshotRow returns the first row of b and what follows it; ok is false if b does not start
// with a whole row of a known form. Key and Value point into b.
func CutSnapshotRow(b []byte) (r SnapshotRow, rest []byte, ok bool) {
	if len(b) == 0 {
		return r, nil, false
	}
	r.Kind = RowKind(b[0])
	switch {
	case r.Kind == RowSession && len(b) >= sessionRowSize:
		r.Client = kv.ClientID(binary.BigEndian.Uint64(b[1:]))
		r.Lowest = kv.RequestSeq(binary.BigEndian.Uint64(b[9:]))
		return r, b[sessionRowSize:], true
	case r.Kind == RowResult && len(b) >= resultRowSize:
		r.Client = kv.ClientID(binary.BigEndian.Uint64(b[1:]))
		r.Request = kv.RequestSeq(binary.BigEndian.Uint64(b[9:]))
		r.Seq = kv.Seq(binary.BigEndian.Uint64(b[17:]))
		r.Version = kv.Version(binary.BigEndian.Uint64(b[25:]))
		r.Number = int64(binary.BigEndian.Uint64(b[33:]))
		r.Status, r.Counted = Status(b[41]), b[42] == 1
		return r, b[resultRowSize:], b[42] <= 1
	case r.Kind == RowRecord && len(b) >= RecordRowHeader:
		return cutRecordRow(r, b)
	}
	return r, nil, false
}

func cutRecordRow(r SnapshotRow, b []byte) (SnapshotRow, []byte, bool) {
	key, value := int(binary.BigEndian.Uint16(b[9:])), int(binary.BigEndian.Uint16(b[11:]))
	n := RecordRowHeader + key + value
	if len(b) < n || key == 0 || key > MaxKeySize || key+value > MaxRecordSize {
		return r, nil, false
	}
	r.Version = kv.Version(binary.BigEndian.Uint64(b[1:]))
	r.Key = b[RecordRowHeader : RecordRowHeader+key : RecordRowHeader+key]
	r.Value = b[RecordRowHeader+key : n : n]
	return r, b[n:], true
}

package serverlib

import (
	"bytes"
	"encoding/binary"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// The first byte of an engine key says what the row is. Numbers in keys are big-endian, so that
// rows of a sub-range stand together and in order. Records are kept per keyspace and not per
// sub-range, so that a split or a merge changes the map and not the data.
const (
	rowAssignment = 'a' // sub-range -> kv.Assignment as JSON
	rowRecord     = 'd' // keyspace, index key if hashed, key -> version (8), value
	rowJoin       = 'j' // sub-range -> how far a learner is (1): see join.go
	rowLog        = 'l' // sub-range, seq -> stable mark (8), entry
	rowMeta       = 'm' // sub-range -> seq before the first log row (8)
	rowResult     = 'r' // sub-range, client, request -> result
	rowSession    = 's' // sub-range, client -> lowest outstanding sequence (8)
)

// versionSize is the length of the version before the value of a record.
const versionSize = 8

// resultSize is the length of a result row.
const resultSize = 8 + 8 + 8 + 1 + 1

func appendSubRangeKey(dst []byte, row byte, id kv.SubRangeID) []byte {
	return binary.BigEndian.AppendUint32(append(dst, row), uint32(id))
}

// subRangeRows returns the bounds of all rows of a kind that a sub-range has.
func subRangeRows(row byte, id kv.SubRangeID) (start, end []byte) {
	if id == ^kv.SubRangeID(0) {
		return appendSubRangeKey(nil, row, id), []byte{row + 1}
	}
	return appendSubRangeKey(nil, row, id), appendSubRangeKey(nil, row, id+1)
}

func appendLogKey(dst []byte, id kv.SubRangeID, seq kv.Seq) []byte {
	return binary.BigEndian.AppendUint64(appendSubRangeKey(dst, rowLog, id), uint64(seq))
}

func appendSessionKey(dst []byte, id kv.SubRangeID, c kv.ClientID) []byte {
	return binary.BigEndian.AppendUint64(appendSubRangeKey(dst, rowSession, id), uint64(c))
}

func appendResultKey(dst []byte, id kv.SubRangeID, c kv.ClientID, n kv.RequestSeq) []byte {
	dst = binary.BigEndian.AppendUint64(appendSubRangeKey(dst, rowResult, id), uint64(c))
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}

// appendRecordPrefix appends what all records of a keyspace have before the index key or key.
func appendRecordPrefix(dst []byte, k kv.KeyspaceID) []byte {
	return binary.BigEndian.AppendUint16(append(dst, rowRecord), uint16(k))
}

// recordPrefixSize is the length of what appendRecordPrefix appends.
const recordPrefixSize = 3

// appendRecordKey appends the engine key of a record.
func appendRecordKey(dst []byte, a *kv.Assignment, ik kv.IndexKey, key []byte) []byte {
	dst = appendRecordPrefix(dst, a.Keyspace)
	if a.Partitioner == kv.HashPartitioned {
		dst = append(dst, ik[:]...)
	}
	return append(dst, key...)
}

// appendLower appends the smallest engine key whose index key is at least ik. In a range
// partitioned keyspace "ab" and "ab\0" share the index key "ab" with zeros, and the shortest of
// them is the smallest.
func appendLower(dst []byte, a *kv.Assignment, ik kv.IndexKey) []byte {
	dst = appendRecordPrefix(dst, a.Keyspace)
	if a.Partitioner == kv.HashPartitioned {
		return append(dst, ik[:]...)
	}
	return append(dst, bytes.TrimRight(ik[:], "\x00")...)
}

// appendUpper appends the smallest engine key above all those whose index key is at most ik.
func appendUpper(dst []byte, a *kv.Assignment, ik kv.IndexKey) []byte {
	if next, ok := ik.Next(); ok {
		return appendLower(dst, a, next)
	}
	if a.Keyspace == ^kv.KeyspaceID(0) {
		return append(dst, rowRecord+1)
	}
	return appendRecordPrefix(dst, a.Keyspace+1)
}

// keyOfRecord cuts the client's key out of an engine key.
func keyOfRecord(a *kv.Assignment, row []byte) []byte {
	if a.Partitioner == kv.HashPartitioned {
		return row[recordPrefixSize+kv.IndexKeySize:]
	}
	return row[recordPrefixSize:]
}

func appendRecord(dst []byte, v kv.Version, value []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(v)), value...)
}

// cutRecord splits a stored record; one that is too short reads as absent.
func cutRecord(row []byte) (v kv.Version, value []byte, ok bool) {
	if len(row) < versionSize {
		return 0, nil, false
	}
	return kv.Version(binary.BigEndian.Uint64(row)), row[versionSize:], true
}

func appendResult(dst []byte, r result) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.seq))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.version))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.number))
	counted := byte(0)
	if r.counted {
		counted = 1
	}
	return append(dst, byte(r.status), counted)
}

func decodeResult(n kv.RequestSeq, row []byte) (r result, ok bool) {
	if len(row) != resultSize {
		return r, false
	}
	return result{
		request: n,
		seq:     kv.Seq(binary.BigEndian.Uint64(row)),
		version: kv.Version(binary.BigEndian.Uint64(row[8:])),
		number:  int64(binary.BigEndian.Uint64(row[16:])),
		status:  wire.Status(row[24]),
		counted: row[25] == 1,
		stored:  true,
	}, true
}

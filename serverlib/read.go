package serverlib

import (
	"bytes"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// get answers a GET at the tail from the committed state.
func (r *replica) get(p wire.Packet, key []byte) {
	row, ok, known := r.committed(key)
	switch {
	case r.store.failed != nil:
		r.server.refuse(p, wire.StatusInternal)
		return
	case !known:
		r.server.refuse(p, wire.StatusTryAgain)
		return
	}
	r.server.counters.Read++
	status := wire.StatusNotFound
	var version kv.Version
	var value []byte
	if ok {
		if version, value, ok = cutRecord(row); ok {
			status = wire.StatusOK
		}
	}
	reply := wire.Packet(append(p.AppendReply(r.server.buffer(), status), value...))
	reply.SetRecordVersion(version)
	r.server.sendSealed(p.ClientAddr(), reply)
}

// committed returns a stored record as the last committed update left it; known is false if only
// the predecessor can tell which that is. The row is valid until the next call.
func (r *replica) committed(key []byte) (row []byte, ok, known bool) {
	if s := r.view.find(key); s != nil {
		return s.before, s.had, s.known
	}
	read := r.store.get
	if r.durable { // what is collected is not committed, so it must not be waited for
		read = r.store.getApplied
	}
	row, ok = read(r.recordKey(key), r.server.value[:0])
	r.server.value = row
	if !ok {
		row = nil
	}
	return row, ok, true
}

// scan answers a SCAN at the tail from the committed state.
func (r *replica) scan(p wire.Packet, req wire.ScanRequest) {
	start, end := r.scanBounds(p, req)
	a := &r.assignment
	shadows, known := r.view.between(keyOfRecord(a, start), r.clientEnd(end))
	if !known {
		r.server.refuse(p, wire.StatusTryAgain)
		return
	}
	m := merger{
		reply: wire.BeginScanReply(p.AppendReply(r.server.buffer(), wire.StatusOK)),
		limit: int(req.Limit), shadows: shadows,
	}
	if bytes.Compare(start, end) < 0 {
		r.store.scan(start, end, func(row, value []byte) bool {
			return m.stored(keyOfRecord(a, row), value)
		})
		m.rest()
	}
	if r.store.failed != nil {
		r.server.refuse(p, wire.StatusInternal)
		return
	}
	r.server.counters.Read++
	reply := wire.Packet(m.reply.Finish())
	if m.more {
		reply.SetFlags(reply.Flags() | wire.FlagMore)
	}
	r.server.sendSealed(p.ClientAddr(), reply)
}

// scanBounds returns the engine keys between which the piece of a scan lies: the request's own
// bounds, cut to the piece that the switch gave this sub-range.
func (r *replica) scanBounds(p wire.Packet, req wire.ScanRequest) (start, end []byte) {
	a := &r.assignment
	start, end = appendLower(nil, a, p.IndexKey()), appendUpper(nil, a, p.EndIndexKey())
	if first := append(appendRecordPrefix(nil, a.Keyspace), req.Start...); bytes.Compare(first, start) > 0 {
		start = first
	}
	if len(req.End) > 0 {
		if last := append(appendRecordPrefix(nil, a.Keyspace), req.End...); bytes.Compare(last, end) < 0 {
			end = last
		}
	}
	return start, end
}

// clientEnd turns an engine key that ends a scan into a client's key; empty means no end.
func (r *replica) clientEnd(end []byte) []byte {
	prefix := appendRecordPrefix(nil, r.assignment.Keyspace)
	if !bytes.HasPrefix(end, prefix) {
		return nil // the end of the keyspace
	}
	return end[len(prefix):]
}

// merger builds a scan reply from the engine's records, with those replaced that have updates
// which are not committed.
type merger struct {
	reply   wire.ScanReply
	limit   int // records, 0 for no limit
	shadows []*shadow
	more    bool // stopped before the end
}

// stored takes the engine's next record; it returns false to stop the scan.
func (m *merger) stored(key, row []byte) bool {
	for len(m.shadows) > 0 {
		s := m.shadows[0]
		order := bytes.Compare(s.key, key)
		if order > 0 {
			break
		}
		m.shadows = m.shadows[1:]
		if !m.shadow(s) {
			return false
		}
		if order == 0 {
			return true
		}
	}
	return m.add(key, row)
}

// rest adds the shadows behind the engine's last record: records whose removal is not committed.
func (m *merger) rest() {
	for !m.more && len(m.shadows) > 0 {
		s := m.shadows[0]
		m.shadows = m.shadows[1:]
		m.shadow(s)
	}
}

// shadow adds what a record was before; a record that did not exist is left out.
func (m *merger) shadow(s *shadow) bool { return !s.had || m.add(s.key, s.before) }

func (m *merger) add(key, row []byte) bool {
	version, value, ok := cutRecord(row)
	if !ok {
		return true
	}
	full := m.limit > 0 && m.reply.Count() == m.limit
	if full || !m.reply.Add(wire.ScanRecord{Key: key, Value: value, Version: version}) {
		m.more = true
	}
	return !m.more
}

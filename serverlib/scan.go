package serverlib

import (
	"bytes"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// scan answers a SCAN at the tail from the committed state.
func (r *replica) scan(p wire.Packet, req wire.ScanRequest) {
	start, end := r.scanBounds(p, req)
	a := &r.assignment
	shadows, known := r.view.between(keyOfRecord(a, start), r.clientEnd(end))
	if !known {
		r.server.refuse(p, wire.StatusTryAgain)
		return
	}
	t := train{
		server: r.server, request: p, first: p.IndexKey(), limit: int(req.Limit), shadows: shadows,
	}
	t.begin()
	if bytes.Compare(start, end) < 0 {
		r.store.scan(start, end, func(row, value []byte) bool {
			return t.stored(keyOfRecord(a, row), value)
		})
		t.rest()
	}
	if r.store.failed != nil {
		r.server.refuse(p, wire.StatusInternal)
		return
	}
	r.server.counters.Read++
	t.end()
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

// train answers one scan with up to wire.MaxScanTrain packets, each of which covers a piece of the
// scan's own piece: between two packets lies a boundary of index keys, so that every packet says by
// itself what it covers and a client needs no word of the others. It takes the engine's records,
// with those replaced that have updates which are not committed.
type train struct {
	server  *Server
	request wire.Packet
	limit   int // records still wanted; not positive for no limit
	full    bool
	shadows []*shadow
	more    bool // stopped before the end

	reply   wire.ScanReply
	packets int         // sent so far
	first   kv.IndexKey // where the packet begins that is being filled
	last    kv.IndexKey // index key of its last record,
	before  wire.ScanMark
	empty   wire.ScanMark // before is where the records of that index key begin
}

// begin starts a packet.
func (t *train) begin() {
	t.reply = wire.BeginScanReply(t.request.AppendReply(t.server.buffer(), wire.StatusOK))
	t.empty = t.reply.Mark()
	t.before = t.empty
}

// send sends the packet, which covers index keys up to and including last.
func (t *train) send(last kv.IndexKey, flags wire.Flags, budget uint8) {
	p := wire.Packet(t.reply.Finish())
	p.SetIndexKey(t.first)
	p.SetEndIndexKey(last)
	p.SetFlags(p.Flags() | flags)
	p.SetScanBudget(budget)
	t.server.sendSealed(t.request.ClientAddr(), p)
	t.packets++
}

// end sends the last packet. Its scan budget tells, as that of a piece always does, whether a
// switch has sent the rest of the scan on.
func (t *train) end() {
	var flags wire.Flags
	if t.more {
		flags = wire.FlagMore
	}
	t.send(t.request.EndIndexKey(), flags, t.request.ScanBudget())
}

// next sends what lies below the index key and goes on with a packet that begins there.
func (t *train) next(at kv.IndexKey) {
	last, _ := at.Prev() // a record below it was added, so there is one
	t.send(last, 0, max(t.request.ScanBudget(), 1))
	t.first = at
	t.begin()
}

// stored takes the engine's next record; it returns false to stop the scan.
func (t *train) stored(key, row []byte) bool {
	for len(t.shadows) > 0 {
		s := t.shadows[0]
		order := bytes.Compare(s.key, key)
		if order > 0 {
			break
		}
		t.shadows = t.shadows[1:]
		if !t.shadow(s) {
			return false
		}
		if order == 0 {
			return true
		}
	}
	return t.add(key, row)
}

// rest adds the shadows behind the engine's last record: records whose removal is not committed.
func (t *train) rest() {
	for !t.more && len(t.shadows) > 0 {
		s := t.shadows[0]
		t.shadows = t.shadows[1:]
		t.shadow(s)
	}
}

// shadow adds what a record was before; a record that did not exist is left out.
func (t *train) shadow(s *shadow) bool { return !s.had || t.add(s.key, s.before) }

func (t *train) add(key, row []byte) bool {
	version, value, ok := cutRecord(row)
	if !ok {
		return true
	}
	record := wire.ScanRecord{Key: key, Value: value, Version: version}
	t.more = t.full || !t.put(record) && !(t.turn(record) && t.put(record))
	t.limit--
	t.full = t.limit == 0 // a limit of 0 means none and is never reached again
	return !t.more
}

// put adds a record to the packet and reports whether it fit.
func (t *train) put(record wire.ScanRecord) bool {
	before := t.reply.Mark()
	if !t.reply.Add(record) {
		return false
	}
	at := kv.RangePartitioned.IndexKey(record.Key)
	if before == t.empty || at != t.last {
		t.before, t.last = before, at
	}
	return true
}

// turn sends the packet as far as the last boundary of index keys before the record and begins the
// next; it reports false if the train is long enough or has no such boundary.
func (t *train) turn(record wire.ScanRecord) bool {
	if t.packets+1 >= wire.MaxScanTrain {
		return false
	}
	if at := kv.RangePartitioned.IndexKey(record.Key); at != t.last {
		t.next(at)
		return true
	}
	if t.before == t.empty {
		return false
	}
	records, count := t.reply.Cut(t.before)
	t.server.value = append(t.server.value[:0], records...)
	t.next(t.last)
	t.reply.AddCut(t.server.value, count)
	return true
}

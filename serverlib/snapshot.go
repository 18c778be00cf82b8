package serverlib

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// The tail sends a learner the snapshot in bursts, one for each PULL: committed rows, as readers see
// them (view.go), from the learner's cursor on. Nothing is kept from one burst to the next that the
// learner could not ask of another tail.

const (
	// burstSize bounds a burst: what the queue of a port takes beside other traffic, in bytes.
	burstSize = 64 << 10
	// burstPart is the part of a burst that the rate must allow before one begins.
	burstPart = 4
	// rateWindow is how long an unused rate is saved up.
	rateWindow = 20 * time.Millisecond
)

// bucket limits the rate at which the node sends snapshots. The zero value begins full.
type bucket struct {
	tokens int64 // bytes; negative if the last burst took more than there were
	at     time.Duration
	filled bool
}

// refill adds what time has brought and returns the bytes that may be sent now.
func (b *bucket) refill(now time.Duration, rate int) int64 {
	capacity := max(int64(rate)*int64(rateWindow)/int64(time.Second), burstSize)
	if !b.filled {
		b.filled, b.tokens = true, capacity
	}
	elapsed := min(max(now-b.at, 0), time.Second)
	// Below one byte, time is left to count next time.
	if more := int64(rate) * int64(elapsed) / int64(time.Second); more > 0 {
		b.tokens, b.at = min(b.tokens+more, capacity), now
	}
	return b.tokens
}

// source is what a tail knows of its learner's wishes.
type source struct {
	wanted  bool // a PULL waits for its burst,
	cursor  wire.Cursor
	clients []kv.ClientID // ascending, those known when the first PULL came; nil if not needed
}

// Pull implements chain.Host: the newest wish counts.
func (r *replica) Pull(from wire.Cursor) {
	r.source.wanted = true
	r.source.cursor = append(r.source.cursor[:0], from...)
	if len(from) == 0 {
		r.source.clients = nil // whoever comes from now on, the learner hears of by updates
	}
}

// serveSnapshot sends the burst that the learner waits for, unless the rate forbids it or the learner
// lacks updates that the rows would contain.
func (r *replica) serveSnapshot(now time.Duration) {
	if !r.source.wanted || !r.chain.MaySnapshot() {
		return
	}
	tokens := &r.server.tokens
	allowed := tokens.refill(now, r.server.cfg.Limits.SnapshotRate)
	if allowed < int64(r.server.burst/burstPart) {
		return
	}
	b := burst{r: r, cursor: r.source.cursor, left: min(int(allowed), r.server.burst)}
	r.source.wanted = !b.run()
	tokens.tokens -= int64(b.sent)
}

// burst is one answer to a PULL.
type burst struct {
	r       *replica
	cursor  wire.Cursor // behind the last row
	packet  wire.Packet // nil until a row is there for it
	left    int         // bytes that may still be sent
	sent    int
	stopped bool // before the end of the snapshot
}

// run sends the burst. It returns false if there is nothing to send yet: the next row is one of which
// this tail cannot tell whether it is committed.
func (b *burst) run() bool {
	if _, _, ok := b.cursor.Session(); ok {
		b.sessions()
	} else {
		b.r.source.clients = nil
	}
	if !b.stopped && !b.cursor.End() {
		b.records()
	}
	switch {
	case !b.stopped:
		b.begin()
		b.send(wire.SnapshotLast)
	case b.packet != nil:
		b.send(wire.SnapshotPause)
	}
	return b.sent > 0
}

func (b *burst) begin() {
	if b.packet == nil {
		b.packet = b.r.chain.BeginSnapshot(b.cursor)
	}
}

func (b *burst) send(f wire.SnapshotFlags) {
	b.packet.SetSnapshotFlags(f)
	b.r.chain.SendSnapshot(b.packet)
	b.sent += len(b.packet)
	b.left -= len(b.packet)
	b.packet = nil
}

// add adds the next row; it returns false if the burst is over.
func (b *burst) add(row wire.SnapshotRow) bool {
	if b.packet != nil && len(b.packet)+row.Size() > wire.MaxPacketSize {
		if b.left < 2*wire.MaxPacketSize {
			b.stopped = true // the packet at hand is the last
			return false
		}
		b.send(0)
	}
	b.begin()
	b.packet = row.Append(b.packet)
	b.cursor = b.r.cursorAt(b.cursor[:0], row)
	return true
}

// sessions adds the clients behind the cursor: how far they are, and the results of what is stable.
// Their lowest outstanding requests may be told by updates that are not; a client that has said that
// it waits for a request no more will not take it back.
func (b *burst) sessions() {
	known := b.r.source.clients
	if known == nil {
		known = b.r.sessions.clients()
		b.r.source.clients = known
	}
	client, request, _ := b.cursor.Session()
	at, _ := slices.BinarySearch(known, client)
	for _, c := range known[at:] {
		s := b.r.sessions[c]
		if s == nil {
			continue // expired since
		}
		resumed := len(b.cursor) > 0 && c == client
		if !resumed {
			request = 0
			if !b.add(wire.SnapshotRow{Kind: wire.RowSession, Client: c, Lowest: s.lowest}) {
				return
			}
		}
		if !b.results(c, s, request) {
			return
		}
	}
}

// results adds the results of a session behind a request.
func (b *burst) results(c kv.ClientID, s *session, behind kv.RequestSeq) bool {
	stable := b.r.chain.Stable()
	for _, res := range s.live() {
		if res.request <= behind || res.seq > stable {
			continue
		}
		if !b.add(wire.SnapshotRow{
			Kind: wire.RowResult, Client: c, Request: res.request, Seq: res.seq, Version: res.version,
			Number: res.number, Counted: res.counted, Status: res.status,
		}) {
			return false
		}
	}
	return true
}

// records adds the committed records behind the cursor: those of the engine, with those replaced
// that have updates which are not committed.
func (b *burst) records() {
	a := &b.r.assignment
	start, end := appendLower(nil, a, a.Interval.First), appendUpper(nil, a, a.Interval.Last)
	if place := b.cursor.Place(); place != nil {
		start = append(append(appendRecordPrefix(nil, a.Keyspace), place...), 0) // right behind it
	}
	shadows := b.shadows(start, end)
	b.r.store.scan(start, end, func(key, row []byte) bool {
		for len(shadows) > 0 {
			s := shadows[0]
			order := bytes.Compare(s.row, key)
			if order > 0 {
				break
			}
			if !b.addShadow(s) {
				return false
			}
			shadows = shadows[1:]
			if order == 0 {
				return true
			}
		}
		return b.addRecord(keyOfRecord(a, key), row)
	})
	for !b.stopped && len(shadows) > 0 && b.addShadow(shadows[0]) {
		shadows = shadows[1:]
	}
	if b.r.store.failed != nil {
		b.stopped = true
	}
}

// shadowRow is a shadow with the engine's key of its record.
type shadowRow struct {
	row []byte
	*shadow
}

// shadows returns what shadows the records between two keys of the engine, in their order.
func (b *burst) shadows(start, end []byte) (found []shadowRow) {
	b.r.view.each(func(s *shadow) {
		row := b.r.recordKey(s.key)
		if bytes.Compare(row, start) >= 0 && bytes.Compare(row, end) < 0 {
			found = append(found, shadowRow{bytes.Clone(row), s})
		}
	})
	slices.SortFunc(found, func(x, y shadowRow) int {
		return cmp.Or(bytes.Compare(x.row, y.row), unknownFirst(x.shadow, y.shadow))
	})
	return found
}

// unknownFirst orders what is said twice of one record, because another has the same hash.
func unknownFirst(x, y *shadow) int {
	switch {
	case x.known == y.known:
		return 0
	case y.known:
		return -1
	}
	return 1
}

// addShadow adds what a record was before, unless it did not exist or nobody knows.
func (b *burst) addShadow(s shadowRow) bool {
	if !s.known {
		b.stopped = true
		return false
	}
	return !s.had || b.addRecord(s.key, s.before)
}

func (b *burst) addRecord(key, row []byte) bool {
	version, value, ok := cutRecord(row)
	if !ok {
		return true
	}
	return b.add(wire.SnapshotRow{Kind: wire.RowRecord, Version: version, Key: key, Value: value})
}

package serverlib

import (
	"bytes"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib/chain"
	"github.com/turbokv/turbokv/wire"
)

// A node joins a sub-range as its learner (I6): it follows the tail, which sends it every stable
// update from some base on, and pulls from it a snapshot of what was before. The snapshot is taken
// in row by row, in the order of wire.Cursor, while updates go on: a piece counts only if it is of
// exactly the state that the learner has reached, so the rows up to the cursor are always those of
// one state, the last applied. Updates of records behind the cursor are applied as well; the
// snapshot brings the same again.
//
// A learner that is complete may be made the tail. It has then what the old tail had acknowledged
// shortly before, and not yet what was acknowledged since: as long as the chain says that it is
// behind, it answers no reads, also after a restart.

// Delays of a learner, and what it takes to be called joined.
const (
	// pullPatience is how long it waits for a piece before it asks again.
	pullPatience = 20 * time.Millisecond
	// pullBeat is how often a complete learner asks the tail how far it is,
	pullBeat = 100 * time.Millisecond
	// and joinedPatience how long it counts as joined without hearing of it.
	joinedPatience = 10 * pullBeat
	// joinedPart is the part of the window by which a learner may lag to become joined.
	joinedPart = 4
)

// What the join row of a durable replica says. Without one the replica is a member like any other.
const (
	markJoining = 1 // the snapshot is not complete: what there is counts for nothing
	markBehind  = 2 // it is, but acknowledged updates may be missing
)

// joining is how far a learner is.
type joining struct {
	begun   bool // the log has a base: something may have been stored
	cursor  wire.Cursor
	bytes   uint64        // of rows taken in
	syncing bool          // the running sync covers the whole snapshot
	durable bool          // the whole snapshot is on stable storage
	joined  bool          // may become the tail
	pullAt  time.Duration // when to pull again
	heardAt time.Duration // when the tail was heard of
}

// takeOver decides what the node's state of a sub-range is worth in a new epoch. kept says that it is
// of an epoch since which the node has belonged to the sub-range without interruption.
func (r *replica) takeOver(a kv.Assignment, kept bool) {
	switch {
	case a.Learner == r.server.cfg.Node && kept && r.join != nil:
	case a.Learner == r.server.cfg.Node:
		r.beginJoin(a)
	case kept && r.join == nil:
	case kept && r.join.cursor.End():
		r.join = nil // it becomes a member, and the chain knows that it is behind
	case r.chain == nil && a.Create:
		r.begin(0)
		if r.durable {
			r.storeBase(0)
		}
	default:
		r.lose()
	}
}

// beginJoin makes the replica a learner without state.
func (r *replica) beginJoin(a kv.Assignment) {
	r.wipe()
	r.assignment = a
	r.server.claim(r)
	r.chain = chain.NewLearner(r.chainConfig(), r)
	r.join = &joining{}
	r.storeMark(markJoining)
}

// wipe removes all that the replica has, but for records that belong to another one by now.
func (r *replica) wipe() {
	r.server.eraseRecords(r)
	r.eraseRows()
	r.sessions, r.recent, r.valueless = sessions{}, nil, 0
	r.view.reset()
}

// lose makes the replica one that has lost its data, for good: whatever there is, is not what
// members of the chain must have.
func (r *replica) lose() {
	r.chain, r.join = nil, nil
	r.sessions = sessions{}
	if r.durable {
		id := r.assignment.SubRange
		r.store.batch.Delete(appendSubRangeKey(nil, rowMeta, id))
		r.store.batch.Delete(appendSubRangeKey(nil, rowJoin, id))
	}
}

// Lost implements chain.Host.
func (r *replica) Lost() { r.lose() }

// storeMark tells the next life of the node how far the learner was.
func (r *replica) storeMark(mark byte) {
	if r.durable {
		r.store.batch.Put(appendSubRangeKey(nil, rowJoin, r.assignment.SubRange), []byte{mark})
	}
}

// CaughtUp implements chain.Host. A durable replica says so only when it will know after a crash, too:
// the controller gives up other copies for one that is whole, and then nobody could tell it again.
func (r *replica) CaughtUp() {
	if r.durable {
		r.store.batch.Delete(appendSubRangeKey(nil, rowJoin, r.assignment.SubRange))
		r.unproven = true
		r.store.wantSync(r)
	}
}

// Restart implements chain.Host: the learner begins (again) with the updates behind base.
func (r *replica) Restart(base kv.Seq) {
	if r.join.begun {
		r.wipe()
	}
	r.join = &joining{begun: true, pullAt: r.now, heardAt: r.now}
	if r.durable {
		r.storeBase(base)
		r.storeMark(markJoining)
	}
}

// follow does what is due at a learner: it asks for the snapshot, or how far the tail is.
func (r *replica) follow(now time.Duration) {
	j := r.join
	if now >= j.pullAt && r.chain.MayPull() {
		j.pullAt = now + pullPatience
		if j.cursor.End() {
			j.pullAt = now + pullBeat
		}
		r.chain.Pull(j.cursor)
	}
	j.joined = r.hasJoined(now)
}

// hasJoined reports whether the learner may become the tail. Once it may, it stays so until it lags
// by a whole window or does not hear of the tail.
func (r *replica) hasJoined(now time.Duration) bool {
	j := r.join
	if !j.cursor.End() || r.durable && !j.durable || now > j.heardAt+joinedPatience {
		return false
	}
	limit := kv.Seq(r.server.cfg.Limits.Window)
	if !j.joined {
		limit /= joinedPart
	}
	return r.chain.Heard()-r.chain.Durable() <= limit
}

// place returns where a record stands among those of its keyspace, valid until the next call of
// recordKey.
func (r *replica) place(key []byte) []byte { return r.recordKey(key)[recordPrefixSize:] }

// Snapshot implements chain.Host: a piece that continues what there is, is taken in.
func (r *replica) Snapshot(state kv.Seq, piece []byte) bool {
	j := r.join
	from, flags, rows, ok := wire.CutSnapshot(piece)
	if j == nil || !ok || !r.inOrder(rows) {
		return false
	}
	j.heardAt = r.now
	switch {
	case j.cursor.End():
		return true // how far the tail is, is all that was asked
	case flags&wire.SnapshotPause != 0:
		j.pullAt = r.now
	default:
		j.pullAt = r.now + pullPatience
	}
	if state != r.chain.Applied() || from != j.cursor.Digest() {
		return true // of another state or place: it will be sent again
	}
	for b := rows; len(b) > 0; {
		var row wire.SnapshotRow
		row, b, _ = wire.CutSnapshotRow(b)
		r.takeRow(row)
	}
	j.bytes += uint64(len(rows))
	r.server.counters.Joined += uint64(len(rows))
	if flags&wire.SnapshotLast != 0 {
		r.complete()
	}
	return true
}

// inOrder checks rows before any of them is taken in: their form, their order, their sub-range.
func (r *replica) inOrder(rows []byte) bool {
	var last, next wire.Cursor
	for len(rows) > 0 {
		row, rest, ok := wire.CutSnapshotRow(rows)
		if !ok || row.Kind == wire.RowRecord && !r.owns(row.Key) {
			return false
		}
		next = r.cursorAt(next[:0], row)
		if bytes.Compare(next, last) <= 0 {
			return false
		}
		last, next, rows = next, last, rest
	}
	return true
}

// cursorAt appends the cursor behind a row.
func (r *replica) cursorAt(dst []byte, row wire.SnapshotRow) wire.Cursor {
	switch row.Kind {
	case wire.RowSession:
		return wire.AppendSessionCursor(dst, row.Client, 0)
	case wire.RowResult:
		return wire.AppendSessionCursor(dst, row.Client, row.Request)
	}
	return wire.AppendRecordCursor(dst, r.place(row.Key))
}

// takeRow makes a row of the snapshot part of the state.
func (r *replica) takeRow(row wire.SnapshotRow) {
	r.join.cursor = r.cursorAt(r.join.cursor[:0], row)
	r.resultOwner = row.Client
	switch row.Kind {
	case wire.RowRecord:
		r.server.value = appendRecord(r.server.value[:0], row.Version, row.Value)
		r.store.batch.Put(r.recordKey(row.Key), r.server.value)
		r.store.flushLarge()
		return
	case wire.RowSession:
		known := r.openSession(row.Client)
		if row.Lowest > known.lowest {
			known.lowest = row.Lowest
			known.drop(r.forget)
		}
	case wire.RowResult:
		known := r.openSession(row.Client)
		if known.find(row.Request) == nil {
			known.record(resultOfRow(row), 0, r.forget)
		}
	}
	if r.durable {
		r.storeTaken(row)
	}
}

func (r *replica) openSession(c kv.ClientID) *session {
	known := r.sessions.open(c)
	known.lastSeen = r.now
	return known
}

func resultOfRow(row wire.SnapshotRow) result {
	return result{
		request: row.Request, seq: row.Seq, version: row.Version, number: row.Number,
		counted: row.Counted, status: row.Status,
	}
}

// storeTaken gives rows of its own to what the snapshot has told about a client.
func (r *replica) storeTaken(row wire.SnapshotRow) {
	known := r.sessions[row.Client]
	r.storeSession(row.Client, known)
	if res := known.find(row.Request); row.Kind == wire.RowResult && res != nil {
		r.storeResult(row.Client, res)
	}
}

// complete ends the snapshot. From now on every update counts in full.
func (r *replica) complete() {
	r.join.cursor = wire.AppendEndCursor(r.join.cursor[:0])
	r.join.pullAt = r.now + pullBeat
	r.storeMark(markBehind)
	if r.durable {
		r.store.wantSync(r)
	}
}

// describe fills a report with how far a learner is.
func (r *replica) describe(report *Report) {
	j := r.join
	if j == nil {
		return
	}
	report.Learner, report.Joined, report.JoinedBytes = true, j.joined, j.bytes
	report.JoinedShare = r.shareOf(j.cursor)
}

// shareOf returns the part of the interval that lies before a cursor.
func (r *replica) shareOf(c wire.Cursor) float64 {
	place := c.Place()
	if c.End() || place == nil {
		return map[bool]float64{true: 1, false: 0}[c.End()]
	}
	var at kv.IndexKey
	copy(at[:], place) // the index key itself, or the key that begins with it
	i := &r.assignment.Interval
	first := number(i.First)
	if whole := number(i.Last) - first; whole > 0 {
		return min(max((number(at)-first)/whole, 0), 1)
	}
	return 0
}

// number returns an index key as a number, as exactly as it fits.
func number(k kv.IndexKey) (n float64) {
	for _, b := range k {
		n = n*256 + float64(b)
	}
	return n
}

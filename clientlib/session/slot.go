package session

import (
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// state of a slot.
type state uint8

const (
	free   state = iota
	queued       // waits for room in the window
	flying       // sent, waits for a reply
	paused       // refused, waits to be sent again
)

// slot holds one request from Submit to its end.
type slot struct {
	tag        any
	packet     wire.Packet // as sent; the buffer outlives the request
	scan       *scan       // of a SCAN
	generation uint32      // tells the requests that have used the slot from each other
	state      state
	excused    bool  // the time-out of the last send was postponed
	refusals   uint8 // in a row
	timeouts   uint8
	place      int32 // in Session.active
	prev, next int32 // in the queue
	sends      int
	seq        kv.RequestSeq // 0 before the first send
	write      uint64        // place in the ledger

	started  time.Duration // Submit
	first    time.Duration // first send
	sent     time.Duration // last send
	due      time.Duration // when to send again; the deadline while queued
	deadline time.Duration
}

func (s *slot) op() wire.Op { return s.packet.Op() }

func (s *slot) isWrite() bool { return s.op().Class() == wire.ClassWrite }

// wake is the time at which Tick has something to do for the slot.
func (s *slot) wake() time.Duration { return min(s.due, s.deadline) }

// encode writes all of the request's packet that is known before it gets its sequence number.
func (s *slot) encode(r *Request) {
	b := wire.Append(s.packet[:0], r.Op)
	if r.Op == wire.OpScan {
		b = wire.ScanRequest{Limit: r.Limit, Start: r.Key, End: r.End}.Append(b)
	} else {
		b = wire.AppendKeyed(b, r.Key, r.Value)
	}
	s.packet = b
	s.packet.SetKeyspace(r.Keyspace)
	s.packet.SetRecordVersion(r.Version)
	s.packet.SetIndexKey(r.Partitioner.IndexKey(r.Key))
	if r.Op == wire.OpScan {
		s.packet.SetScanBudget(r.Budget)
		s.packet.SetEndIndexKey(lastIndexKey(r.End))
	}
}

// key returns the key of the request, or the start of a SCAN.
func (s *slot) key() []byte {
	if s.op() == wire.OpScan {
		r, _ := s.packet.ScanRequest() // our own encoding
		return r.Start
	}
	key, _, _ := s.packet.Keyed() // our own encoding
	return key
}

// slots is the memory of a Session: slots by number, the free ones, and the active ones in no
// particular order.
type slots struct {
	all    []*slot
	unused []int32
	active []int32
}

// take returns an unused slot as an active one.
func (t *slots) take() (int32, *slot) {
	if len(t.unused) == 0 {
		t.unused = append(t.unused, int32(len(t.all)))
		t.all = append(t.all, &slot{})
	}
	last := len(t.unused) - 1
	i := t.unused[last]
	t.unused = t.unused[:last]
	s := t.all[i]
	s.place = int32(len(t.active))
	t.active = append(t.active, i)
	return i, s
}

// release makes an active slot unused and keeps its memory.
func (t *slots) release(i int32) {
	s := t.all[i]
	last := len(t.active) - 1
	moved := t.active[last]
	t.active[s.place] = moved
	t.all[moved].place = s.place
	t.active = t.active[:last]
	t.unused = append(t.unused, i)
	*s = slot{packet: s.packet, generation: s.generation + 1}
}

// handle names the request in slot i; it is never 0.
func (t *slots) handle(i int32) Handle {
	return Handle(t.all[i].generation)<<32 | Handle(i+1)
}

// find returns the slot of a request that has not ended.
func (t *slots) find(h Handle) (int32, *slot, bool) {
	i := int32(uint32(h)) - 1
	if i < 0 || int(i) >= len(t.all) || t.all[i].state == free || t.handle(i) != h {
		return 0, nil, false
	}
	return i, t.all[i], true
}

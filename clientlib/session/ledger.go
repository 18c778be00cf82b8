package session

import "github.com/turbokv/turbokv/kv"

// ledger keeps the writes of a session in the order in which they got their sequence numbers, from
// the lowest outstanding one on. Its length is the number of results that nodes must keep.
type ledger struct {
	ring        []kv.RequestSeq // by place modulo the length, a power of two; 0 for an ended write
	first, next uint64          // places of the lowest outstanding and of the next write
	limit       int
}

func newLedger(limit int) ledger {
	return ledger{ring: make([]kv.RequestSeq, 64), limit: limit}
}

func (l *ledger) full() bool { return l.next-l.first >= uint64(l.limit) }

func (l *ledger) at(place uint64) *kv.RequestSeq { return &l.ring[place&uint64(len(l.ring)-1)] }

// add notes a write that is about to be sent and returns its place. Sequence numbers ascend.
func (l *ledger) add(seq kv.RequestSeq) (place uint64) {
	if l.next-l.first == uint64(len(l.ring)) {
		l.grow()
	}
	place = l.next
	*l.at(place) = seq
	l.next++
	return place
}

func (l *ledger) grow() {
	old := *l
	l.ring = make([]kv.RequestSeq, 2*len(old.ring))
	for p := l.first; p != l.next; p++ {
		*l.at(p) = *old.at(p)
	}
}

// finish notes that the write in this place is outstanding no longer.
func (l *ledger) finish(place uint64) {
	*l.at(place) = 0
	for l.first != l.next && *l.at(l.first) == 0 {
		l.first++
	}
}

// lowest returns the lowest outstanding sequence number, or none if no write is outstanding.
func (l *ledger) lowest(none kv.RequestSeq) kv.RequestSeq {
	if l.first == l.next {
		return none
	}
	return *l.at(l.first)
}

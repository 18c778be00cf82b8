package chain

import (
	"fmt"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Log holds copies of entries with consecutive seqs, for retransmission. Its slots keep their
// memory, so that a log in steady state allocates nothing.
type Log struct {
	slots [][]byte // the entry at seq stands in slot seq modulo len(slots), a power of two
	base  kv.Seq   // entries up to base are gone
	last  kv.Seq   // last entry; equal to base if the log is empty
}

// initialSlots is the capacity of a log when it gets its first entry: enough for a client with a
// few requests in flight, small enough for nodes with thousands of sub-ranges.
const initialSlots = 16

// Reset empties the log; the next entry gets seq base+1.
func (l *Log) Reset(base kv.Seq) { l.base, l.last = base, base }

// Base returns the seq before the oldest entry.
func (l *Log) Base() kv.Seq { return l.base }

// Last returns the seq of the newest entry, or Base if there is none.
func (l *Log) Last() kv.Seq { return l.last }

// Len returns the number of entries.
func (l *Log) Len() int { return int(l.last - l.base) }

// Append copies e behind the newest entry and returns its seq.
func (l *Log) Append(e wire.ChainEntry) kv.Seq {
	if l.Len() == len(l.slots) {
		l.grow()
	}
	l.last++
	slot := l.slot(l.last)
	*slot = append((*slot)[:0], e...)
	return l.last
}

// At returns the entry at seq, which must be held. It is valid until Truncate or Reset passes it.
func (l *Log) At(seq kv.Seq) wire.ChainEntry {
	if seq <= l.base || seq > l.last {
		panic(fmt.Sprintf("chain: entry %d of a log of (%d, %d]", seq, l.base, l.last))
	}
	return *l.slot(seq)
}

// Truncate forgets the entries up to seq.
func (l *Log) Truncate(seq kv.Seq) { l.base = min(max(l.base, seq), l.last) }

func (l *Log) slot(seq kv.Seq) *[]byte { return &l.slots[int(seq)&(len(l.slots)-1)] }

func (l *Log) grow() {
	bigger := make([][]byte, max(initialSlots, 2*len(l.slots)))
	for seq := l.base + 1; seq <= l.last; seq++ {
		bigger[int(seq)&(len(bigger)-1)] = *l.slot(seq)
	}
	l.slots = bigger
}

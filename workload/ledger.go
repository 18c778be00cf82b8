package workload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
)

// Ledger knows for every record which values a read may return once all writes have ended. It is
// compact (some 40 bytes a record, no values) and safe for concurrent use.
//
// The rule is that of an atomic register: an acknowledged write is superseded by an acknowledged
// write that began after the first was acknowledged. What is not superseded, and every write whose
// outcome is unknown, may be what the record holds. A write that surely failed may not.
type Ledger struct {
	records Records
	shards  [ledgerShards]ledgerShard
}

const ledgerShards = 64

type ledgerShard struct {
	mu      sync.Mutex
	entries map[Record]*ledgerEntry
}

// ledgerEntry orders the events of one record by its own clock.
type ledgerEntry struct {
	clock      uint32
	candidates []candidate
	sum        int64 // acknowledged increments
	doubt      int64 // increments whose outcome is unknown; all deltas are positive
	counter    bool
}

// candidate is a write that the record may hold.
type candidate struct {
	version uint32 // clock at its begin, so versions of a record are distinct
	acked   uint32 // clock at its acknowledgement; inDoubt if there was none
	size    uint16
	absent  bool // a delete
}

// inDoubt stands for an acknowledgement that never came: nothing begins after it.
const inDoubt = ^uint32(0)

// Outcome is how a write ended.
type Outcome uint8

// The outcomes.
const (
	Acknowledged Outcome = iota // in effect
	Unknown                     // may be or come in effect at any time
	Failed                      // surely never in effect
)

// Write is one write that has begun.
type Write struct {
	Record  Record
	Version uint32 // what Records.Value makes its value from
	Size    int
	Delete  bool
}

// NewLedger returns an empty ledger for records of that shape.
func NewLedger(s Records) *Ledger {
	l := &Ledger{records: s}
	for i := range l.shards {
		l.shards[i].entries = make(map[Record]*ledgerEntry)
	}
	return l
}

// with runs f on the entry of n, locked.
func (l *Ledger) with(n Record, f func(*ledgerEntry)) {
	s := &l.shards[n%ledgerShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[n]
	if e == nil {
		e = &ledgerEntry{}
		s.entries[n] = e
	}
	f(e)
}

// Begin enters a Put of size bytes, or a delete, before it is sent.
func (l *Ledger) Begin(n Record, size int, isDelete bool) (w Write) {
	l.with(n, func(e *ledgerEntry) {
		e.clock++
		w = Write{Record: n, Version: e.clock, Size: size, Delete: isDelete}
	})
	return w
}

// End enters how the write ended.
func (l *Ledger) End(w Write, o Outcome) {
	if o == Failed {
		return
	}
	c := candidate{version: w.Version, acked: inDoubt, size: uint16(w.Size), absent: w.Delete}
	l.with(w.Record, func(e *ledgerEntry) {
		if o == Acknowledged {
			e.clock++
			c.acked = e.clock
			e.candidates = slices.DeleteFunc(e.candidates, func(old candidate) bool {
				return old.acked < w.Version
			})
		}
		e.candidates = append(e.candidates, c)
	})
}

// Add enters an increment by a positive delta that has ended. A record that is incremented must
// never be put or deleted.
func (l *Ledger) Add(n Record, delta int64, o Outcome) {
	l.with(n, func(e *ledgerEntry) {
		e.counter = true
		switch o {
		case Acknowledged:
			e.sum += delta
		case Unknown:
			e.doubt += delta
		}
	})
}

// Records calls yield for every record with a write that took or may have taken effect. Nothing
// may be written meanwhile.
func (l *Ledger) Records(yield func(Record) bool) {
	for i := range l.shards {
		for n, e := range l.shards[i].entries {
			if (e.counter || len(e.candidates) > 0) && !yield(n) {
				return
			}
		}
	}
}

// Len returns how many records Records yields.
func (l *Ledger) Len() (n int) {
	for range l.Records {
		n++
	}
	return n
}

// Check judges what a read of record n returned after all writes have ended: nil if some correct
// store could hold it. found is false when the store has no such record.
func (l *Ledger) Check(n Record, value []byte, found bool) (err error) {
	l.with(n, func(e *ledgerEntry) {
		if e.counter {
			err = e.checkCounter(n, value, found)
			return
		}
		err = l.checkValue(n, e, value, found)
	})
	return err
}

func (e *ledgerEntry) checkCounter(n Record, value []byte, found bool) error {
	got := int64(0)
	if found {
		if len(value) != 8 {
			return fmt.Errorf("counter %d: value of %d bytes, want 8", n, len(value))
		}
		got = int64(binary.BigEndian.Uint64(value))
	}
	if got < e.sum || got > e.sum+e.doubt {
		return fmt.Errorf("counter %d: holds %d; acknowledged %d, in doubt %d", n, got, e.sum, e.doubt)
	}
	return nil
}

func (l *Ledger) checkValue(n Record, e *ledgerEntry, value []byte, found bool) error {
	acked := false
	var want []byte
	for _, c := range e.candidates {
		acked = acked || c.acked != inDoubt
		if c.absent == found || found && int(c.size) != len(value) {
			continue
		}
		want = l.records.Value(want[:0], n, c.version, int(c.size))
		if !found || bytes.Equal(want, value) {
			return nil
		}
	}
	if !acked {
		return nil // it may still hold what it held before the first Begin
	}
	return l.mismatch(n, e, value, found)
}

// mismatch words a violation: what is there and what might be.
func (l *Ledger) mismatch(n Record, e *ledgerEntry, value []byte, found bool) error {
	holds := "nothing"
	switch {
	case found && len(value) >= minTaggedValue:
		version := binary.BigEndian.Uint32(value)
		holds = fmt.Sprintf("version %d", version)
		if !bytes.Equal(l.records.Value(nil, n, version, len(value)), value) {
			holds = fmt.Sprintf("%d bytes that were never written to it", len(value))
		}
	case found:
		holds = fmt.Sprintf("%d bytes", len(value))
	}
	return fmt.Errorf("record %d holds %s; allowed: %s", n, holds, describe(e.candidates))
}

func describe(cs []candidate) string {
	if len(cs) == 0 {
		return "nothing"
	}
	var b bytes.Buffer
	for i, c := range cs {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "version %d", c.version)
		if c.absent {
			b.WriteString(" (absent)")
		}
		if c.acked == inDoubt {
			b.WriteString(" (in doubt)")
		}
	}
	return b.String()
}

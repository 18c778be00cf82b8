package session

import (
	"math"
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// scan collects the replies to one SCAN. Switches split it, so each reply covers one piece of the
// interval; they come in any order and more than once.
type scan struct {
	first  kv.IndexKey // start of the interval
	last   kv.IndexKey // the page ends here at the latest
	end    kv.IndexKey // end of the interval; last is before it if a later piece was refused
	limit  int         // records; MaxInt for none
	budget int

	pieces []piece // ascending by first, no two with the same; spare ones behind the length
	page   Page
}

// newScan returns the state of a scan, in the memory of one that has ended if possible.
func (s *Session) newScan(r *Request) *scan {
	var c *scan
	if last := len(s.scans) - 1; last >= 0 {
		c = s.scans[last]
		s.scans = s.scans[:last]
	} else {
		c = new(scan)
	}
	end := lastIndexKey(r.End)
	*c = scan{
		first: kv.RangePartitioned.IndexKey(r.Key), last: end, end: end,
		limit: int(r.Limit), budget: int(r.Budget),
		pieces: c.pieces[:0], page: Page{Next: c.page.Next[:0]},
	}
	if c.limit == 0 {
		c.limit = math.MaxInt
	}
	return c
}

// retire keeps the memory of a scan. The one before it may be used again: nobody can look at its
// Page any more.
func (s *Session) retire(c *scan) {
	if c == nil {
		return
	}
	if s.retired != nil {
		s.scans = append(s.scans, s.retired)
	}
	s.retired = c
}

// scanAnswer takes in a reply to a scan and reports whether that was all; otherwise the reply
// answers the whole request.
func (s *Session) scanAnswer(
	now time.Duration, i int32, slot *slot, p wire.Packet, out *Output,
) bool {
	c := slot.scan
	if p.Status() != wire.StatusOK {
		if !c.refuse(p) {
			return false
		}
	} else if !c.add(p) {
		s.stats.Corrupt++
		return true
	}
	if e := c.extent(); e.closed {
		s.measure(now, slot, false)
		s.finish(now, i, c.completion(e), out)
	}
	return true
}

// finishScanEarly ends a scan with what it has, if that is a leading part of the interval.
func (s *Session) finishScanEarly(now time.Duration, i int32, slot *slot, out *Output) bool {
	if slot.scan == nil {
		return false
	}
	e := slot.scan.extent()
	if e.pieces == 0 {
		return false
	}
	s.finish(now, i, slot.scan.completion(e), out)
	return true
}

// add takes in a piece and reports whether it makes sense. Duplicates do, and are dropped.
func (c *scan) add(p wire.Packet) bool {
	first, last := p.IndexKey(), p.EndIndexKey()
	if first.Less(c.first) || last.Less(first) || c.end.Less(last) {
		return false
	}
	at, known := slices.BinarySearchFunc(c.pieces, first, func(p piece, k kv.IndexKey) int {
		return p.first.Compare(k)
	})
	if known {
		return true
	}
	added, ok := readPiece(c.spare(), p)
	if !ok {
		return false
	}
	c.pieces = slices.Insert(c.pieces, at, added)
	// There are never more pieces than the budget allows; the farthest gives way.
	c.pieces = c.pieces[:min(len(c.pieces), (c.budget+1)*wire.MaxScanTrain)]
	return true
}

// spare returns the memory of a packet that is no longer needed, if there is one.
func (c *scan) spare() wire.Packet {
	if n := len(c.pieces); n < cap(c.pieces) {
		return c.pieces[:n+1][n].packet[:0]
	}
	return nil
}

// refuse takes in a reply without records and reports whether the scan can do without its piece:
// if it is not the first, the page ends before it, and the next page begins with it.
func (c *scan) refuse(p wire.Packet) bool {
	first := p.IndexKey()
	if !c.first.Less(first) {
		return c.extent().pieces > 0 // a copy of the first piece that was answered
	}
	if !c.last.Less(first) {
		c.last, _ = first.Prev()
	}
	return true
}

// extent says how far the pieces at hand cover the interval without a gap.
type extent struct {
	pieces int         // leading pieces
	closed bool        // the page need not wait for more
	done   bool        // the page reaches the end of the interval or the limit
	more   []byte      // where it ends inside a piece: the last key
	next   kv.IndexKey // otherwise: the first index key not covered
}

// extent walks over the leading pieces.
func (c *scan) extent() extent {
	e := extent{next: c.first}
	records := 0
	for i := range c.pieces {
		p := &c.pieces[i]
		p.from = maxKey(p.first, e.next)
		if p.last.Less(e.next) {
			e.pieces = i + 1 // the pieces before cover it whole
			continue
		}
		if e.next.Less(p.first) || p.stopsBefore(e.next) {
			break
		}
		e.pieces = i + 1
		if records += p.count(); records >= c.limit {
			return extent{pieces: i + 1, closed: true, done: true}
		}
		if p.more() {
			return extent{pieces: i + 1, closed: true, more: p.lastKey}
		}
		reached := !p.last.Less(c.last)
		e.closed, e.done = reached || !p.followed(), reached && !p.last.Less(c.end)
		e.next, _ = p.last.Next()
	}
	return e
}

// completion describes the page that the leading pieces are.
func (c *scan) completion(e extent) Completion {
	c.pieces = c.pieces[:e.pieces]
	c.page.scan, c.page.Done, c.page.More = c, e.done, e.more != nil
	switch {
	case e.done:
	case e.more != nil:
		var ok bool
		c.page.Next, ok = keyAfter(c.page.Next, e.more)
		c.page.Done = !ok
	default:
		c.page.Next = firstKey(c.page.Next, e.next)
	}
	return Completion{Outcome: Answered, Status: wire.StatusOK, Page: &c.page}
}

package session

import (
	"bytes"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Page is what one request of a scan found: the records of a leading part of its interval. The
// scan goes on with a request that starts at Next.
type Page struct {
	scan *scan
	// Done reports that the page reaches the end of the interval or the limit.
	Done bool
	// Next is the first key behind the page if it is not Done.
	Next []byte
	// More reports that the page ends inside a sub-range, where a budget for further ones would
	// be wasted.
	More bool
}

// Each calls yield for the records in ascending order of their keys. Their slices are valid as
// long as the Page.
func (p *Page) Each(yield func(wire.ScanRecord)) {
	left := p.scan.limit
	for i := range p.scan.pieces {
		p.scan.pieces[i].each(func(r wire.ScanRecord) {
			if left > 0 {
				left--
				yield(r)
			}
		})
	}
}

// piece is one reply to a scan: the records of [first, last], or of its leading part if the packet
// says MORE.
type piece struct {
	first, last kv.IndexKey
	from        kv.IndexKey // what lies below belongs to the piece before
	packet      wire.Packet // a copy
	records     int
	lastKey     []byte // of the last record, in the packet
}

// readPiece copies a reply to memory and reports whether its records ascend within its interval.
func readPiece(memory, packet wire.Packet) (p piece, ok bool) {
	p = piece{first: packet.IndexKey(), last: packet.EndIndexKey(), packet: append(memory, packet...)}
	p.from = p.first
	ok = true
	err := p.packet.ScanRecords(func(r wire.ScanRecord) {
		k := kv.RangePartitioned.IndexKey(r.Key)
		ok = ok && !k.Less(p.first) && !p.last.Less(k) && bytes.Compare(p.lastKey, r.Key) < 0
		p.records++
		p.lastKey = r.Key
	})
	if p.more() && p.records == 0 {
		return p, false // there would be no way to go on
	}
	return p, ok && err == nil
}

func (p *piece) more() bool { return p.packet.Flags()&wire.FlagMore != 0 }

// followed reports whether the rest of the scan is on its way as pieces of their own.
func (p *piece) followed() bool { return p.packet.ScanBudget() > 0 }

// stopsBefore reports whether the records of a piece that says MORE do not reach k.
func (p *piece) stopsBefore(k kv.IndexKey) bool {
	return p.more() && kv.RangePartitioned.IndexKey(p.lastKey).Less(k)
}

// each calls yield for the records that do not belong to the piece before. Pieces overlap when
// the map of sub-ranges changes between two copies of a request.
func (p *piece) each(yield func(wire.ScanRecord)) {
	_ = p.packet.ScanRecords(func(r wire.ScanRecord) { // readPiece has checked them
		if p.from == p.first || !kv.RangePartitioned.IndexKey(r.Key).Less(p.from) {
			yield(r)
		}
	})
}

// count returns how many records each yields.
func (p *piece) count() int {
	if p.from == p.first {
		return p.records
	}
	n := 0
	p.each(func(wire.ScanRecord) { n++ })
	return n
}

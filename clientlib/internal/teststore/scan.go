package teststore

import (
	"slices"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// scan does what the switch does with a scan: it cuts pieces off at the ends of sub-ranges until
// the budget is used up; and what the tails do with the pieces.
func (s *Store) scan(p wire.Packet, records map[string]Record, reply func(wire.Packet)) {
	keys := make([]string, 0, len(records))
	for k := range records {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	first, end := p.IndexKey(), p.EndIndexKey()
	for budget := p.ScanBudget(); ; budget-- {
		piece := wire.Packet(slices.Clone(p))
		last, isLast := s.lastOf(first)
		if end.Compare(last) <= 0 {
			last, isLast = end, true
		}
		piece.SetIndexKey(first)
		piece.SetEndIndexKey(last)
		piece.SetScanBudget(budget)
		if !s.refuse(piece, reply) {
			reply(scanPiece(piece, keys, records))
		}
		if isLast || budget == 0 {
			return
		}
		first, _ = last.Next()
	}
}

// lastOf returns the last index key of the sub-range that holds k.
func (s *Store) lastOf(k kv.IndexKey) (last kv.IndexKey, isLast bool) {
	for _, cut := range s.Cuts {
		if k.Less(cut) {
			last, _ = cut.Prev()
			return last, false
		}
	}
	return kv.MaxIndexKey, true
}

func scanPiece(p wire.Packet, keys []string, records map[string]Record) wire.Packet {
	r, err := p.ScanRequest()
	if err != nil {
		return Reply(p, wire.StatusBadRequest, 0, nil)
	}
	piece := kv.Interval{First: p.IndexKey(), Last: p.EndIndexKey()}
	reply := wire.BeginScanReply(p.AppendReply(nil, wire.StatusOK))
	more := false
	for _, k := range keys {
		inside := k >= string(r.Start) && (len(r.End) == 0 || k < string(r.End)) &&
			piece.Contains(kv.RangePartitioned.IndexKey([]byte(k)))
		if !inside {
			continue
		}
		full := r.Limit > 0 && reply.Count() == int(r.Limit)
		if full || !reply.Add(wire.ScanRecord{
			Key: []byte(k), Value: []byte(records[k].Value), Version: records[k].Version,
		}) {
			more = true
			break
		}
	}
	out := wire.Packet(reply.Finish())
	if more {
		out.SetFlags(wire.FlagReply | wire.FlagMore)
	}
	out.Seal()
	return out
}

package coordinate

import (
	"net/netip"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// Verdict says what becomes of one packet.
type Verdict uint8

// Verdicts.
const (
	// Dropped packets cannot be trusted to be requests, so nobody is answered.
	Dropped Verdict = iota
	// Answered packets go back to the client with a status of the coordinator.
	Answered
	// Resolved packets go to a node.
	Resolved
)

// String gives the verdict in a word.
func (v Verdict) String() string {
	return [...]string{"dropped", "answered", "resolved"}[min(v, Resolved)]
}

// Piece is what became of a request, or of one piece of a scan: its header is stamped.
type Piece struct {
	Verdict Verdict
	Drop    p4src.DropReason // of Dropped
	Status  wire.Status      // of Answered
	To      kv.NodeID        // of Resolved
	// Rest says that a scan goes on behind this piece, in a packet of its own that is the request
	// as it arrived but for these two fields.
	Rest       bool
	RestKey    kv.IndexKey
	RestBudget uint8
}

// Send is a packet with its receiver.
type Send struct {
	To      netip.AddrPort
	Payload []byte // valid until Reset of its Output
}

// Output collects what is to be sent. The zero value is empty.
type Output struct {
	Sends []Send
	slab  []byte
}

// Reset empties the output and keeps its memory.
func (o *Output) Reset() { o.Sends, o.slab = o.Sends[:0], o.slab[:0] }

// Copy returns a copy of b that is valid until Reset.
func (o *Output) Copy(b []byte) []byte {
	at := len(o.slab)
	o.slab = append(o.slab, b...) // what was copied before stays where it was if this moves
	return o.slab[at:len(o.slab):len(o.slab)]
}

// Resolve does to a request that arrived from client what the switch does, appends the packets that
// leave to out, and returns what became of the first piece. The request is not changed.
func (m *Map) Resolve(request []byte, client netip.AddrPort, out *Output) Piece {
	return m.pieces(request, len(request), client, out, func(piece Piece, p wire.Packet) {
		switch piece.Verdict {
		case Answered:
			out.Sends = append(out.Sends, Send{client, p})
		case Resolved:
			out.Sends = append(out.Sends, Send{nodeAddr(piece.To), p})
		}
	})
}

func nodeAddr(n kv.NodeID) netip.AddrPort { return netip.AddrPortFrom(n.Addr(), wire.Port) }

// pieces calls each for every piece that a request of size bytes becomes, with a stamped copy of what
// is there of the request, and returns the first piece.
func (m *Map) pieces(
	request []byte, size int, client netip.AddrPort, out *Output, each func(Piece, wire.Packet),
) Piece {
	if len(request) < wire.HeaderSize {
		return Piece{Verdict: Dropped, Drop: p4src.DropTruncated}
	}
	p := wire.Packet(out.Copy(request))
	first := m.Stamp(p, size, client)
	each(first, p)
	for piece := first; piece.Rest; {
		p = wire.Packet(out.Copy(request))
		p.SetIndexKey(piece.RestKey)
		p.SetScanBudget(piece.RestBudget)
		piece = m.Stamp(p, size, client)
		each(piece, p)
	}
	return first
}

// Stamp decides about one packet of size bytes, header and payload, from client, and stamps its
// header h in place. The payload is not looked at and need not be there.
func (m *Map) Stamp(h wire.Packet, size int, client netip.AddrPort) Piece {
	if reason := fault(h, size); reason != 0 {
		return Piece{Verdict: Dropped, Drop: reason}
	}
	if m == nil {
		return Piece{}.answer(h, wire.StatusTryAgain)
	}
	r := m.Lookup(h.Keyspace(), h.IndexKey())
	if r == nil {
		return Piece{}.answer(h, wire.StatusNoKeyspace)
	}
	return r.stamp(h, client)
}

// fault tells why a packet is no request, as validate.p4 does; 0 if it is one.
func fault(h wire.Packet, size int) p4src.DropReason {
	index, count := h.Fragment()
	switch {
	case h.Magic() != wire.Magic:
		return p4src.DropBadMagic
	case h.FormatVersion() != wire.FormatVersion:
		return p4src.DropBadVersion
	case h.Op().Class() > wire.ClassWrite:
		return p4src.DropBadOp
	case h.Flags()&(wire.FlagReply|wire.FlagFromSwitch) != 0:
		return p4src.DropNotARequest
	case size != wire.HeaderSize+h.PayloadLength():
		return p4src.DropBadLength
	case index != 0 || count != 1:
		return p4src.DropBadFragment
	}
	return 0
}

// stamp does what sub_range.p4, scan.p4 and address.p4 do.
func (r *SubRange) stamp(h wire.Packet, client netip.AddrPort) (piece Piece) {
	if r.Blocked {
		h.SetSubRange(r.ID, h.Epoch())
		return piece.answer(h, wire.StatusTryAgain)
	}
	h.SetSubRange(r.ID, r.Epoch)
	h.SetChain(r.Chain, h.ChainPosition())
	if h.Op() == wire.OpScan && !r.bound(h, &piece) {
		return piece.answer(h, wire.StatusBadRequest)
	}
	if len(r.Chain) == 0 {
		return piece.answer(h, wire.StatusTryAgain)
	}
	h.SetClientAddr(client)
	piece.Verdict = Resolved
	if h.Op().Class() == wire.ClassWrite {
		h.SetChain(r.Chain, 0)
		piece.To = r.Chain.Head()
	} else {
		h.SetChain(r.Chain, len(r.Chain)-1)
		piece.To = r.Chain.Tail()
	}
	return piece
}

// bound keeps a scan within the sub-range and its budget, and says where the rest goes on. It is
// false for a scan that ends before it starts.
func (r *SubRange) bound(h wire.Packet, piece *Piece) bool {
	h.SetScanBudget(min(h.ScanBudget(), p4src.MaxScanBudget))
	if h.EndIndexKey().Less(h.IndexKey()) {
		return false
	}
	if !r.Interval.Last.Less(h.EndIndexKey()) {
		return true
	}
	h.SetEndIndexKey(r.Interval.Last)
	if next, more := r.Interval.Last.Next(); more && h.ScanBudget() > 0 {
		piece.Rest, piece.RestKey, piece.RestBudget = true, next, h.ScanBudget()-1
	}
	return true
}

// answer turns the request round, as answer.p4 does.
func (p Piece) answer(h wire.Packet, s wire.Status) Piece {
	h.SetFlags(h.Flags() | wire.FlagReply | wire.FlagFromSwitch)
	h.SetStatus(s)
	p.Verdict, p.Status = Answered, s
	return p
}

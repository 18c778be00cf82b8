package coordinate

import (
	"encoding/binary"
	"net/netip"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// A query is what a client asks a master, and an answer what it is told; a scan gets an answer for
// each of its pieces. All numbers are big-endian, sizes in bytes:
//
//	query   "TQ" 2, version 1, zero 1, token 8, size of the request 2, its header 168
//	answer  "TA" 2, version 1, verdict 1, token 8, status 1, zero 1, node 4, part B of the header 112
const (
	queryMagic   = 0x5451
	answerMagic  = 0x5441
	queryVersion = 1

	queryHeader  = 2 + 1 + 1 + 8 + 2
	answerHeader = 2 + 1 + 1 + 8 + 1 + 1 + 4

	// QuerySize is the length of a query.
	QuerySize = queryHeader + wire.HeaderSize
	// AnswerSize is the length of an answer.
	AnswerSize = answerHeader + wire.RouteSize
)

// MasterPort is the UDP port of masters. It differs from wire.Port, so switches do not parse what
// goes to it.
const MasterPort = wire.Port + 2

// Token tells which request an answer belongs to; the client chooses it.
type Token uint64

// AppendQuery appends the query about a request, which has at least a header.
func AppendQuery(dst []byte, t Token, request []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, queryMagic)
	dst = append(dst, queryVersion, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(t))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(request)))
	return append(dst, request[:wire.HeaderSize]...)
}

// Query is a query that ParseQuery has checked.
type Query struct {
	Token  Token
	Size   int         // of the request, header and payload
	Header wire.Packet // of the request, without payload; not checked
}

// ParseQuery checks the form of a query; ok is false for anything else. Header points into b.
func ParseQuery(b []byte) (q Query, ok bool) {
	if len(b) != QuerySize || binary.BigEndian.Uint16(b) != queryMagic || b[2] != queryVersion ||
		b[3] != 0 {
		return q, false
	}
	return Query{
		Token: Token(binary.BigEndian.Uint64(b[4:])), Size: int(binary.BigEndian.Uint16(b[12:])),
		Header: wire.Packet(b[queryHeader:]),
	}, true
}

// Reply is what a master does with a query from client: it appends the answers to out. A request
// that a switch would drop is not answered.
func (m *Map) Reply(q Query, client netip.AddrPort, out *Output) {
	m.pieces(q.Header, q.Size, client, out, func(piece Piece, h wire.Packet) {
		if piece.Verdict == Dropped {
			return
		}
		var b [AnswerSize]byte
		a := Answer{Token: q.Token, Verdict: piece.Verdict, Status: piece.Status, To: piece.To,
			Route: h.Route()}
		out.Sends = append(out.Sends, Send{client, out.Copy(a.Append(b[:0]))})
	})
}

// Answer is what a master says about a request or a piece of a scan.
type Answer struct {
	Token   Token
	Verdict Verdict     // Answered or Resolved
	Status  wire.Status // of Answered
	To      kv.NodeID   // of Resolved
	Route   []byte      // part B of the header, wire.RouteSize bytes
}

// Append appends the encoded answer.
func (a Answer) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, answerMagic)
	dst = append(dst, queryVersion, byte(a.Verdict))
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.Token))
	dst = append(dst, byte(a.Status), 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(a.To))
	return append(dst, a.Route...)
}

// ParseAnswer checks an answer; ok is false for anything else. Route points into b.
func ParseAnswer(b []byte) (a Answer, ok bool) {
	if len(b) != AnswerSize || binary.BigEndian.Uint16(b) != answerMagic || b[2] != queryVersion ||
		b[13] != 0 {
		return a, false
	}
	a = Answer{
		Token: Token(binary.BigEndian.Uint64(b[4:])), Verdict: Verdict(b[3]),
		Status: wire.Status(b[12]), To: kv.NodeID(binary.BigEndian.Uint32(b[14:])),
		Route: b[answerHeader:],
	}
	switch a.Verdict {
	case Answered:
		return a, a.To == 0
	case Resolved:
		return a, a.To != 0 && a.Status == wire.StatusOK
	}
	return a, false
}

// Apply makes of the request that was asked about what the answer says, as Resolve would have done,
// and appends it to out: for a node, or for the client itself.
func (a Answer) Apply(request []byte, client netip.AddrPort, out *Output) {
	p := wire.Packet(out.Copy(request))
	copy(p.Route(), a.Route)
	if a.Verdict == Answered {
		Piece{}.answer(p, a.Status)
		out.Sends = append(out.Sends, Send{client, p})
		return
	}
	out.Sends = append(out.Sends, Send{nodeAddr(a.To), p})
}

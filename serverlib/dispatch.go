package serverlib

import (
	"net/netip"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib/chain"
	"github.com/turbokv/turbokv/wire"
)

// Deliver takes one datagram. from is its UDP source. The packet is used during the call only.
// now is monotonic time since any fixed moment.
func (s *Server) Deliver(now time.Duration, from netip.AddrPort, packet []byte) {
	s.start()
	s.counters.Received++
	p, err := wire.Parse(packet)
	if err != nil {
		s.counters.Malformed++
		return
	}
	if p.Flags()&wire.FlagReply != 0 {
		s.counters.Strayed++
		return
	}
	switch p.Op().Class() {
	case wire.ClassChain:
		s.deliverChain(now, kv.NodeIDOf(from.Addr()), p)
	case wire.ClassRead, wire.ClassWrite:
		s.deliverRequest(now, p)
	default:
		s.refuse(p, wire.StatusBadRequest)
	}
}

// deliverChain passes a message of a neighbour to its replica.
func (s *Server) deliverChain(now time.Duration, from kv.NodeID, p wire.Packet) {
	fields, rest, err := p.Chain()
	if err != nil {
		s.counters.Malformed++
		return
	}
	r := s.replicas[fields.SubRange]
	if r == nil || r.chain == nil || r.store.failed != nil {
		s.counters.Stale++
		return
	}
	r.now = now
	s.touch(r)
	switch r.chain.Receive(now, from, chain.Message{ChainFields: fields, Op: p.Op(), Rest: rest}) {
	case chain.Stale:
		s.counters.Stale++
	case chain.Strayed:
		s.counters.Strayed++
	case chain.Malformed:
		s.counters.Malformed++
	}
}

// deliverRequest passes a client's request to its replica if this node serves it so (I1).
func (s *Server) deliverRequest(now time.Duration, p wire.Packet) {
	r := s.replicas[p.SubRange()]
	if r == nil {
		s.refuse(p, wire.StatusWrongEpoch)
		return
	}
	if status := r.admit(p); status != wire.StatusOK {
		s.refuse(p, status)
		return
	}
	if p.Op() == wire.OpScan {
		r.deliverScan(p)
		return
	}
	key, value, err := p.Keyed()
	if err != nil {
		s.refuse(p, payloadStatus(p))
		return
	}
	if status := r.admitKey(p, key, value); status != wire.StatusOK {
		s.refuse(p, status)
		return
	}
	r.samples.note(p)
	if p.Op() == wire.OpGet {
		r.get(p, key)
		return
	}
	s.touch(r)
	r.write(now, p, key, value)
}

// admit checks epoch, role and state.
func (r *replica) admit(p wire.Packet) wire.Status {
	a := &r.assignment
	if p.Epoch() != a.Epoch {
		return wire.StatusWrongEpoch
	}
	position := 0
	switch p.Op() {
	case wire.OpGet, wire.OpScan:
		position = len(a.Chain) - 1
	case wire.OpPut, wire.OpDelete, wire.OpCAS, wire.OpIncrement:
		if p.Client() == 0 || p.Sequence() == 0 || p.LowestOutstanding() > p.Sequence() {
			return wire.StatusBadRequest
		}
	default:
		return wire.StatusBadRequest
	}
	if p.Keyspace() != a.Keyspace || p.ChainPosition() != position ||
		a.Chain[position] != r.server.cfg.Node {
		return wire.StatusWrongEpoch
	}
	switch r.ability() {
	case StateServing:
		return wire.StatusOK
	case StateFailed:
		return wire.StatusInternal
	}
	return wire.StatusTryAgain
}

// admitKey checks that the key is where the packet says, and that this sub-range holds it. No CRC
// covers the index key of a request, because switches rewrite it in scans: one that contradicts
// the key was damaged on its way, and the client must send again rather than be told an outcome.
func (r *replica) admitKey(p wire.Packet, key, value []byte) wire.Status {
	ik := r.assignment.Partitioner.IndexKey(key)
	switch p.Op() {
	case wire.OpGet, wire.OpDelete:
		if len(value) != 0 {
			return wire.StatusBadRequest
		}
	case wire.OpIncrement:
		if len(value) != wire.NumberSize {
			return wire.StatusBadRequest
		}
	}
	if ik != p.IndexKey() || !r.assignment.Interval.Contains(ik) {
		return wire.StatusWrongEpoch
	}
	return wire.StatusOK
}

func (r *replica) deliverScan(p wire.Packet) {
	req, err := p.ScanRequest()
	interval := &r.assignment.Interval
	switch {
	case err != nil:
		r.server.refuse(p, wire.StatusBadRequest)
	case r.assignment.Partitioner != kv.RangePartitioned:
		r.server.refuse(p, wire.StatusUnsupported)
	case !interval.Contains(p.IndexKey()) || !interval.Contains(p.EndIndexKey()) ||
		p.EndIndexKey().Less(p.IndexKey()):
		r.server.refuse(p, wire.StatusWrongEpoch)
	default:
		r.samples.note(p)
		r.scan(p, req)
	}
}

// payloadStatus tells a record that is too large from one that is malformed.
func payloadStatus(p wire.Packet) wire.Status {
	b := p.Payload()
	if len(b) >= 2 && len(b)-2 > wire.MaxRecordSize {
		return wire.StatusTooLarge
	}
	if len(b) >= 2 {
		if n := int(b[0])<<8 | int(b[1]); n > wire.MaxKeySize && n <= len(b)-2 {
			return wire.StatusTooLarge
		}
	}
	return wire.StatusBadRequest
}

// refuse answers a request that was not executed.
func (s *Server) refuse(p wire.Packet, status wire.Status) {
	s.counters.Refused++
	s.sendSealed(p.ClientAddr(), p.AppendReply(s.buffer(), status))
}

// replyResult answers a write.
func (s *Server) replyResult(
	to netip.AddrPort, a kv.Assignment, op wire.Op, c kv.ClientID, r result,
) {
	p := wire.Packet(wire.Append(s.buffer(), op))
	p.SetFlags(wire.FlagReply)
	p.SetStatus(r.status)
	p.SetKeyspace(a.Keyspace)
	p.SetRequest(c, r.request, 0)
	p.SetRecordVersion(r.version)
	p.SetClientAddr(to)
	p.SetSubRange(a.SubRange, a.Epoch)
	if r.counted {
		p = wire.AppendNumber(p, r.number)
	}
	s.sendSealed(to, p)
}

// sendSealed sends a reply; a request without an address gets none.
func (s *Server) sendSealed(to netip.AddrPort, p wire.Packet) {
	if to.Port() == 0 {
		return
	}
	p.Seal()
	s.send(to, p)
}

package serverlib_test

import (
	"maps"
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/wire"
)

// shape is the controller of a sim whose sub-range is split and merged at random. It knows all at
// once and forgets nothing, but keeps to what real ones do: it tells members at different times,
// again after a crash, and merges when it has heard from every member that both halves are at rest.
type shape struct {
	s      *sim
	parts  map[kv.SubRangeID]*part
	newest kv.SubRangeID
	acked  map[kv.SubRangeID]kv.Seq // the newest update that a client has been told of
	merges int
	splits int
}

// part is one sub-range.
type part struct {
	a          kv.Assignment // as it shall be
	blocked    bool          // by the switch
	has        map[kv.NodeID]kv.Epoch
	forkOf     *part
	unforked   map[kv.NodeID]bool
	absorbs    kv.Absorbed
	unabsorbed map[kv.NodeID]bool
	rest       map[kv.NodeID]kv.Seq // members that have told that they are at rest in this epoch
	retired    bool
}

const partsMax = 5

func newPart(a kv.Assignment) *part {
	p := &part{
		a: a, has: map[kv.NodeID]kv.Epoch{}, unforked: map[kv.NodeID]bool{},
		unabsorbed: map[kv.NodeID]bool{}, rest: map[kv.NodeID]kv.Seq{},
	}
	p.a.Create = false
	return p
}

// newShape gives a sim that has just begun its controller.
func newShape(s *sim) *shape {
	h := &shape{
		s: s, parts: map[kv.SubRangeID]*part{}, newest: subRange, acked: map[kv.SubRangeID]kv.Seq{},
	}
	p := newPart(s.a)
	for _, n := range s.a.Chain {
		p.has[n] = s.a.Epoch
	}
	h.parts[subRange] = p
	s.shape = h
	h.tellLoop()
	return h
}

// live returns the sub-ranges in order of their intervals.
func (h *shape) live() (out []*part) {
	for _, p := range h.parts {
		if !p.retired {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *part) int { return a.a.Interval.First.Compare(b.a.Interval.First) })
	return out
}

func (h *shape) route(key string) (kv.Assignment, bool) {
	for _, p := range h.live() {
		if p.a.Interval.Contains(p.a.Partitioner.IndexKey([]byte(key))) {
			return p.a, !p.blocked
		}
	}
	panic("no sub-range for " + key)
}

// changed begins an epoch of a sub-range. The switch may go on at once or when everybody has it.
func (h *shape) changed(p *part) {
	p.a.Epoch++
	p.blocked = h.s.chance(0.5)
	clear(p.rest)
}

// settled reports whether all members have the epoch.
func (p *part) settled() bool {
	for _, n := range p.a.Chain {
		if p.has[n] != p.a.Epoch {
			return false
		}
	}
	return true
}

// quiet reports whether nothing else is going on with the sub-range.
func (p *part) quiet() bool {
	return !p.retired && !p.a.Frozen && len(p.unforked) == 0 && len(p.unabsorbed) == 0
}

// tellLoop gives members what they lack, each when it pleases.
func (h *shape) tellLoop() {
	h.s.after(h.s.between(0, 3*time.Millisecond), func() {
		for _, p := range h.live() {
			for _, id := range p.a.Chain {
				if p.has[id] != p.a.Epoch && !p.unforked[id] && h.s.chance(0.4) {
					h.tell(h.s.nodes[id], p)
				}
			}
			if p.settled() {
				p.blocked = false
			}
		}
		h.tellLoop()
	})
}

// tell gives a node one assignment with what goes with it. The node syncs before it acknowledges;
// when it crashes before, it may have lost what it was told.
func (h *shape) tell(n *simNode, p *part) {
	if n.server == nil {
		return
	}
	a := p.a
	for _, q := range h.live() {
		if q.forkOf == p && q.unforked[n.id] {
			a.Forks = append(a.Forks, q.a)
		}
	}
	if p.unabsorbed[n.id] {
		a.Absorb = p.absorbs
	}
	if err := n.server.Configure(h.s.now, a); err != nil {
		h.s.fatalf("%v: %v", n.id, err)
	}
	h.s.flushSoon(n)
	life := n.incarnation
	h.s.after(h.s.between(0, 4*time.Millisecond), func() {
		if n.server == nil || n.incarnation != life {
			return
		}
		if err := n.disk.Sync(); err != nil {
			h.s.fatalf("%v", err)
		}
		h.acknowledged(n.id, p, a)
	})
}

func (h *shape) acknowledged(n kv.NodeID, p *part, a kv.Assignment) {
	if p.a.Chain.Position(n) >= 0 {
		p.has[n] = max(p.has[n], a.Epoch)
	}
	for _, f := range a.Forks {
		q := h.parts[f.SubRange]
		delete(q.unforked, n)
		if q.a.Chain.Position(n) >= 0 {
			q.has[n] = max(q.has[n], f.Epoch)
		}
	}
	if a.Absorb != (kv.Absorbed{}) {
		delete(p.unabsorbed, n)
	}
}

// breakThings changes chains, splits, merges and crashes nodes now and then.
func (h *shape) breakThings() {
	s := h.s
	s.after(s.between(2*time.Millisecond, 25*time.Millisecond), func() {
		if s.resting {
			return
		}
		live := h.live()
		switch p := live[s.r.IntN(len(live))]; {
		case s.chance(0.15):
			h.rechain(p)
		case s.chance(0.4) && len(live) < partsMax:
			h.split(p)
		case s.chance(0.5) && len(live) > 1:
			at := s.r.IntN(len(live) - 1)
			h.freeze(live[at], live[at+1])
		default:
			h.breakNodes(p)
		}
		h.breakThings()
	})
}

func (h *shape) breakNodes(p *part) {
	s := h.s
	n := s.nodes[pick(s, p.a.Chain)]
	if s.durability == kv.DurabilitySync {
		s.crash(n)
		if s.chance(0.3) { // a power cut takes them all
			for _, id := range slices.Sorted(maps.Keys(s.nodes)) {
				s.crash(s.nodes[id])
			}
		}
		return
	}
	for _, q := range h.live() {
		if len(q.a.Chain) == 1 && q.a.Chain[0] == n.id {
			return // would lose data
		}
	}
	s.crash(n) // its state is gone, and so are its places
	for _, q := range h.live() {
		h.evict(q, n.id)
	}
}

// rechain gives a sub-range another order, sometimes without one of its members.
func (h *shape) rechain(p *part) {
	c := slices.Clone(p.a.Chain)
	h.s.r.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
	p.a.Chain = c
	h.changed(p)
	if len(c) > 1 && h.s.chance(0.2) {
		h.evict(p, c[0])
	}
}

// evict takes a node out of a chain, and out of the sub-ranges that it has not forked from there.
func (h *shape) evict(p *part, n kv.NodeID) {
	if p.a.Chain.Position(n) < 0 {
		return
	}
	for _, q := range h.live() {
		if q.forkOf == p && q.unforked[n] {
			if len(q.a.Chain) == 1 {
				return
			}
			h.evict(q, n)
		}
	}
	p.a.Chain = without(p.a.Chain, n)
	for _, of := range []map[kv.NodeID]bool{p.unforked, p.unabsorbed} {
		delete(of, n)
	}
	delete(p.has, n)
	h.changed(p)
}

// split cuts a sub-range at one of the keys.
func (h *shape) split(p *part) {
	cut := p.a.Partitioner.IndexKey([]byte(pick(h.s, modelKeys)))
	if !p.quiet() || cut == p.a.Interval.First || !p.a.Interval.Contains(cut) {
		return
	}
	h.newest++
	h.splits++
	q := newPart(p.a)
	q.a.SubRange, q.a.Epoch, q.a.Since, q.a.Interval.First = h.newest, 1, 1, cut
	q.forkOf, q.blocked = p, h.s.chance(0.5)
	p.a.Interval.Last, _ = cut.Prev()
	for _, n := range p.a.Chain {
		q.unforked[n] = true
	}
	h.parts[h.newest] = q
	h.changed(p)
}

// freeze begins a merge of two neighbours that have the same members.
func (h *shape) freeze(p, q *part) {
	same := len(p.a.Chain) == len(q.a.Chain)
	for _, n := range p.a.Chain {
		same = same && q.a.Chain.Position(n) >= 0
	}
	if !same || !p.quiet() || !q.quiet() {
		return
	}
	q.a.Chain = slices.Clone(p.a.Chain)
	h.setFrozen(true, p, q)
	h.await(p, q)
}

func (h *shape) setFrozen(frozen bool, parts ...*part) {
	for _, p := range parts {
		p.a.Frozen = frozen
		h.changed(p)
	}
}

// await waits until all members have told that both halves are at rest, and gives up sometimes.
func (h *shape) await(p, q *part) {
	h.s.after(h.s.between(time.Millisecond, 4*time.Millisecond), func() {
		switch {
		case !slices.Equal(p.a.Chain, q.a.Chain) || h.s.chance(0.02):
			h.setFrozen(false, p, q)
		case h.atRest(p) && h.atRest(q):
			h.absorb(p, q)
		default:
			h.await(p, q)
		}
	})
}

func (h *shape) atRest(p *part) bool {
	if !p.settled() {
		return false
	}
	for _, id := range p.a.Chain {
		n := h.s.nodes[id]
		if n.server == nil || h.s.chance(0.5) {
			continue
		}
		r := n.reportOf(p.a.SubRange)
		if r.Epoch == p.a.Epoch && r.Applied == r.Stable && r.State == serverlib.StateServing {
			p.rest[id] = r.Applied
		}
	}
	for _, id := range p.a.Chain {
		if seq, ok := p.rest[id]; !ok || seq != p.rest[p.a.Chain[0]] {
			return false
		}
	}
	return true
}

func (h *shape) absorb(p, q *part) {
	h.merges++
	p.absorbs = kv.Absorbed{SubRange: q.a.SubRange, Epoch: q.a.Epoch, Into: p.a.Epoch}
	for _, n := range p.a.Chain {
		p.unabsorbed[n] = true
	}
	p.a.Interval = p.a.Interval.Hull(q.a.Interval)
	q.retired = true
	h.setFrozen(false, p)
}

// revokeAll takes every sub-range from the nodes that are not in its chain, as a controller does in
// the end.
func (h *shape) revokeAll() {
	for _, id := range slices.Sorted(maps.Keys(h.s.nodes)) {
		n := h.s.nodes[id]
		for _, r := range n.server.Report() {
			p := h.parts[r.SubRange]
			if !p.retired && p.a.Chain.Position(id) >= 0 {
				continue
			}
			if err := n.server.Revoke(h.s.now, r.SubRange, p.a.Epoch+1); err != nil {
				h.s.fatalf("%v: %v", id, err)
			}
		}
	}
}

// checkBoot sees to it that a restarted member lost nothing that was acknowledged (I4).
func (h *shape) checkBoot(n *simNode) {
	for _, p := range h.live() {
		c := n.server.ChainOf(p.a.SubRange)
		if c != nil && p.a.Chain.Position(n.id) >= 0 && c.Applied() < h.acked[p.a.SubRange] {
			h.s.fatalf("%v came back with %d updates of %v, %d were acknowledged", n.id, c.Applied(),
				p.a.SubRange, h.acked[p.a.SubRange])
		}
	}
}

// noteReply notes what clients are told, at the moment it is.
func (h *shape) noteReply(n *simNode, p wire.Packet) {
	if q := h.parts[p.SubRange()]; q.a.Chain.Position(n.id) >= 0 {
		h.acked[p.SubRange()] = max(h.acked[p.SubRange()], kv.Seq(p.RecordVersion()))
	}
}

// checkAgreement compares all entries that two members hold under the same seq (I3).
func (h *shape) checkAgreement() {
	for _, p := range h.live() {
		for i, id := range p.a.Chain {
			n := h.s.nodes[id]
			for _, other := range p.a.Chain[i+1:] {
				if m := h.s.nodes[other]; n.server != nil && m.server != nil {
					h.s.compare(n, m, p.a)
				}
			}
		}
	}
}

// settled reports whether every request has its reply and every member every update, and knows it.
func (h *shape) settled() bool {
	if !h.s.answered() {
		return false
	}
	for _, p := range h.live() {
		first := h.s.nodes[p.a.Chain[0]].reportOf(p.a.SubRange)
		for _, id := range p.a.Chain {
			r := h.s.nodes[id].reportOf(p.a.SubRange)
			if !p.quiet() || p.blocked || r.Applied != first.Applied || r.Stable != first.Applied ||
				r.Epoch != p.a.Epoch || p.has[id] != p.a.Epoch {
				return false
			}
		}
	}
	return true
}

// checkEnd compares the records of the members of each sub-range, after nodes were freed of what is
// not theirs any more, and after another restart.
func (h *shape) checkEnd() {
	if !h.settled() {
		for _, p := range h.live() {
			h.s.t.Logf("%+v", *p)
			for _, id := range p.a.Chain {
				h.s.t.Logf("%v: %+v", id, h.s.nodes[id].reportOf(p.a.SubRange))
			}
		}
		for _, c := range h.s.clients {
			for _, op := range c.outstanding {
				h.s.t.Logf("client %d waits: %+v", c.number, *op)
			}
		}
		h.s.fatalf("not settled long after the last fault")
	}
	h.revokeAll()
	h.checkRecords()
	if h.s.durability == kv.DurabilitySync {
		for _, id := range slices.Sorted(maps.Keys(h.s.nodes)) {
			h.s.nodes[id].crash(h.s.nodes[id].disk.Unsynced())
			h.s.boot(h.s.nodes[id])
		}
		h.checkRecords()
	}
	h.s.history.check(h.s)
}

func (h *shape) checkRecords() {
	held := map[kv.NodeID]int{}
	for _, p := range h.live() {
		want := h.s.nodes[p.a.Chain[0]].recordsIn(p.a)
		for _, id := range p.a.Chain {
			got := h.s.nodes[id].recordsIn(p.a)
			if !maps.Equal(got, want) {
				h.s.fatalf("%v and %v hold different records of %v:\n%v\n%v", p.a.Chain[0], id, p.a.SubRange,
					want, got)
			}
			held[id] += len(got)
		}
	}
	for id, n := range h.s.nodes {
		a := h.s.a
		a.Interval = kv.FullInterval
		if all := n.recordsIn(a); len(all) != held[id] {
			h.s.fatalf("%v holds %d records that belong to others: %v", id, len(all)-held[id], all)
		}
	}
}

// recordsIn returns the records of a sub-range that the node holds, in both engines.
func (n *node) recordsIn(a kv.Assignment) map[string]string {
	out := map[string]string{}
	for _, m := range []serverlib.Engine{n.memory, n.disk} {
		_ = m.Scan([]byte("d"), []byte("e"), func(k, v []byte) bool { // Mem does not fail
			key := k[3:]
			if a.Partitioner == kv.HashPartitioned {
				key = key[kv.IndexKeySize:]
			}
			if a.Interval.Contains(a.Partitioner.IndexKey(key)) {
				out[string(key)] = string(v)
			}
			return true
		})
	}
	return out
}

// reportOf returns the report on a sub-range.
func (n *node) reportOf(id kv.SubRangeID) serverlib.Report {
	if n.server != nil {
		for _, r := range n.server.Report() {
			if r.SubRange == id {
				return r
			}
		}
	}
	return serverlib.Report{}
}

package serverlib_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/wire"
)

// roster is the controller of a simulation whose nodes come and go. It knows everything at once and
// decides at random, but keeps to what nodes may rely on: it promotes only a learner that has joined
// at the present epoch, and leaves in a chain somebody who has all that was acknowledged.
type roster struct {
	s     *sim
	since map[kv.NodeID]kv.Epoch // of nodes that joined
	burst int                    // of snapshots, in bytes
	done  map[string]int         // what was done, by kind
}

// spareNodes is how many nodes there are beside the first chain.
const spareNodes = 2

// fillers begin the keys of records that no client of the history uses.
const fillers = "x"

func newRoster(s *sim) *roster {
	h := &roster{
		s: s, since: map[kv.NodeID]kv.Epoch{}, done: map[string]int{},
		burst: wire.MaxPacketSize << s.r.IntN(4),
	}
	s.roster = h
	for range spareNodes {
		n := &simNode{node: newNode(nodeID(len(s.nodes) + 1)), removed: true}
		s.nodes[n.id] = n
		s.boot(n)
	}
	for _, n := range s.nodes {
		n.server.SetSnapshotBurst(h.burst)
	}
	h.fill()
	return h
}

// fill writes records beside those that clients use, so that a snapshot takes several packets.
func (h *roster) fill() {
	for i := range h.s.r.IntN(40) {
		seq := kv.RequestSeq(i + 1)
		q := request{
			op: wire.OpPut, key: fmt.Sprintf("%s%02d", fillers, i), value: string(make([]byte, 300)),
			client: 999, seq: seq, lowest: seq,
		}
		h.s.after(h.s.between(0, 40*time.Millisecond), func() { h.s.send(q.send(h.s.a, 200)) })
	}
}

// parties returns the members and the learner of an assignment.
func parties(a kv.Assignment) kv.Chain {
	if a.Learner == 0 {
		return a.Chain
	}
	return append(slices.Clone(a.Chain), a.Learner)
}

// whole reports whether one of the members is up and has all that was acknowledged.
func (h *roster) whole(members kv.Chain) bool {
	return slices.ContainsFunc(members, func(id kv.NodeID) bool {
		n := h.s.nodes[id]
		return n.server != nil && !n.removed && n.server.ChainOf(subRange) != nil &&
			!n.server.ChainOf(subRange).Behind()
	})
}

// breakThings crashes nodes now and then.
func (h *roster) breakThings() {
	s := h.s
	s.after(s.between(3*time.Millisecond, 45*time.Millisecond), func() {
		if s.resting {
			return
		}
		switch n := s.member(); {
		case s.a.Learner != 0 && s.chance(0.3):
			s.crash(s.nodes[s.a.Learner])
		case s.durability == kv.DurabilitySync:
			s.crash(n)
			if s.chance(0.3) { // a power cut takes them all
				for _, id := range parties(s.a) {
					s.crash(s.nodes[id])
				}
			}
		case s.chance(0.4) && s.next == nil && n.server != nil && h.whole(without(s.a.Chain, n.id)):
			s.crash(n) // its state is gone
		}
		h.breakThings()
	})
}

// control changes the chain now and then. At rest it only takes out who has lost its state.
func (h *roster) control() {
	h.s.after(h.s.between(time.Millisecond, 15*time.Millisecond), func() {
		if h.s.next == nil && !h.evictLost() && !h.s.resting {
			h.change()
		}
		h.control()
	})
}

// evictLost takes members out that say that they are lost, and reports whether there are any.
func (h *roster) evictLost() bool {
	s := h.s
	left := slices.DeleteFunc(slices.Clone(s.a.Chain), func(id kv.NodeID) bool {
		return s.nodes[id].report().State == serverlib.StateLost
	})
	if len(left) == len(s.a.Chain) {
		return false
	}
	if h.whole(left) {
		h.move("evict lost", left, s.a.Learner)
	}
	return true
}

// change draws what to do.
func (h *roster) change() {
	s, c, learner := h.s, slices.Clone(h.s.a.Chain), h.s.a.Learner
	switch {
	case learner != 0 && h.joined() && s.chance(0.5):
		h.promote(c)
	case learner != 0 && s.chance(0.02):
		h.move("drop", c, 0)
	case learner == 0 && len(c) < kv.MaxChain && s.chance(0.5):
		if spare := h.spare(); spare != 0 {
			h.move("learn", c, spare)
		}
	case len(c) > 1 && s.chance(0.15):
		if left := without(c, pick(s, c)); h.whole(left) {
			h.move("evict", left, learner)
		}
	case s.chance(0.1):
		s.r.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
		h.move("reorder", c, learner)
	}
}

// joined reports whether the learner may become a member.
func (h *roster) joined() bool {
	r := h.s.nodes[h.s.a.Learner].report()
	return r.Learner && r.Joined && r.Epoch == h.s.a.Epoch
}

// promote makes the learner the tail; another member may leave in the same step, often the old tail.
func (h *roster) promote(c kv.Chain) {
	what := "promote"
	if h.s.chance(0.7) {
		leave := pick(h.s, c)
		if h.s.chance(0.5) {
			leave = c.Tail()
		}
		if left := without(c, leave); h.whole(left) {
			c, what = left, "replace"
		}
	}
	if h.whole(c) {
		h.move(what, append(c, h.s.a.Learner), 0)
	}
}

// spare draws a node that is up and neither member nor learner; what it holds of an older epoch must
// not count.
func (h *roster) spare() kv.NodeID {
	var found []kv.NodeID
	for i := range len(h.s.nodes) {
		id := nodeID(i + 1)
		if !slices.Contains(parties(h.s.a), id) && h.s.nodes[id].server != nil {
			found = append(found, id)
		}
	}
	if len(found) == 0 {
		return 0
	}
	return pick(h.s, found)
}

// move decides an epoch and gives all that take part in it their assignment, also those that are
// down, when they are back. Those left out are told nothing: they may go on in the old epoch, as if
// cut off. The switch blocks the sub-range until it stamps the new epoch (I2).
func (h *roster) move(what string, c kv.Chain, learner kv.NodeID) {
	s := h.s
	next := s.a
	next.Epoch, next.Chain, next.Learner, next.Create = s.a.Epoch+1, c, learner, false
	s.next = &next
	h.done[what]++
	for _, id := range parties(s.a) {
		if !slices.Contains(parties(next), id) {
			s.nodes[id].removed = true
			delete(h.since, id)
		}
	}
	if learner != 0 && learner != s.a.Learner {
		h.since[learner] = next.Epoch
	}
	h.tell(next, map[kv.NodeID]bool{})
}

// tell goes on until all know of an epoch, or a newer one is decided. The switch stamps it as soon as
// all members know of it, or sooner.
func (h *roster) tell(next kv.Assignment, told map[kv.NodeID]bool) {
	s := h.s
	if s.a.Epoch > next.Epoch || s.next != nil && s.next.Epoch > next.Epoch {
		return
	}
	members := 0
	for _, id := range parties(next) {
		if n := s.nodes[id]; n.server != nil && !told[id] && s.chance(0.7) {
			s.configure(n, next)
			told[id], n.removed = true, false
		}
		if told[id] && id != next.Learner {
			members++
		}
	}
	if s.next != nil && (members == len(next.Chain) || members > 0 && s.chance(0.2)) {
		s.a, s.next = next, nil
	}
	if len(told) < len(parties(next)) {
		s.after(s.between(0, 3*time.Millisecond), func() { h.tell(next, told) })
	}
}

// settled reports whether the learner, if there is one, may become the tail.
func (h *roster) settled(applied kv.Seq) bool {
	if h.s.a.Learner == 0 {
		return true
	}
	r := h.s.nodes[h.s.a.Learner].report()
	return h.joined() && r.Applied == applied && r.Durable == applied
}

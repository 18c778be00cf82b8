package directory

import (
	"fmt"
	"iter"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// modelSwitch holds, row by row, something between several views.
type modelSwitch struct {
	name    string
	held    []View // rows of which may be there
	writing *View
	lost    bool // out of reach: what it holds stays
}

// begin starts to bring the switch to a view. If there is no other one, I2 holds to the letter: no row is
// written while another one leads to somebody who has left, whatever he may answer.
func (sw *modelSwitch) begin(v View, alone bool) error {
	for _, s := range v.SubRanges() {
		if !alone || !s.Created || s.Blocked {
			continue
		}
		for _, old := range sw.held {
			if err := earlier(old, s); err != nil {
				return fmt.Errorf("switch %s gets %+v: %w", sw.name, s, err)
			}
		}
	}
	sw.writing = &v
	sw.held = append(sw.held, v)
	return nil
}

// earlier looks for a row of another id that leads to a part of s through somebody who has left since.
func earlier(old View, s SubRange) error {
	for _, t := range old.SubRangesOf(s.Keyspace) {
		if !t.Created || t.Blocked || !t.Interval.Overlaps(s.Interval) || t.ID == s.ID {
			continue
		}
		if gone := without(t.Chain, s.Chain...); len(gone) > 0 {
			return fmt.Errorf("%v may still be asked because of %+v", gone, t)
		}
	}
	return nil
}

func (sw *modelSwitch) end() uint64 {
	sw.held = []View{*sw.writing}
	sw.writing = nil
	return sw.held[0].Revision
}

// rows returns all that the switch may stamp: of each view those sub-ranges of which it was the home.
func (sw *modelSwitch) rows() iter.Seq[SubRange] {
	return func(yield func(SubRange) bool) {
		for _, v := range sw.held {
			for _, s := range v.SubRanges() {
				if s.Created && !s.Blocked && s.Home == sw.name && !yield(s) {
					return
				}
			}
		}
	}
}

// active returns every epoch of every sub-range that all its members have entered, by what the nodes
// have, not by what the directory believes: these can acknowledge writes, also old ones.
func (s *simulation) active() (out []kv.Assignment) {
	type epoch struct {
		id kv.SubRangeID
		e  kv.Epoch
	}
	seen := make(map[epoch]bool)
	for _, n := range s.nodes {
		for id, r := range n.replicas {
			at := epoch{id, r.Epoch}
			if !seen[at] && !slices.ContainsFunc(r.Chain, func(m kv.NodeID) bool {
				o := s.node(m).replicas[id]
				return o == nil || o.Epoch != r.Epoch || o.state != modelFull
			}) {
				out = append(out, r.Assignment)
			}
			seen[at] = true
		}
	}
	return out
}

// checkAnswers is the slow twin of Stampers and Tails: while the members of one epoch can acknowledge
// writes to a key, no row of any switch leads a read of the key to a node that is still the tail in
// another epoch, or of another sub-range.
func (s *simulation) checkAnswers() {
	s.t.Helper()
	if len(s.switches) == 0 {
		return
	}
	for _, n := range s.nodes {
		for _, r := range n.replicas {
			s.waits(n.id, r) // links are quick
		}
	}
	active := s.active()
	for _, sw := range s.switches {
		for t := range sw.rows() {
			s.countStale(sw, t)
			tail := t.Chain.Tail()
			r := s.node(tail).replicas[t.ID]
			if r == nil || r.Epoch != t.Epoch || r.state != modelFull || s.waits(tail, r) {
				continue // it refuses
			}
			for _, a := range active {
				if a.Keyspace == t.Keyspace && (a.SubRange != t.ID || a.Epoch != t.Epoch) &&
					a.Interval.Overlaps(t.Interval) && a.Interval.Overlaps(r.Interval) {
					s.t.Fatalf("seed %d: two tails: %v has been entered by all its members, and switch "+
						"%s may send reads to %v in %+v", s.seed, a, sw.name, tail, t)
				}
			}
		}
	}
}

// waits reports whether a member that was promoted may not answer yet, because it has not heard from its
// predecessor, or that one waits itself.
func (s *simulation) waits(n kv.NodeID, r *modelReplica) bool {
	at := r.Chain.Position(n) - 1
	if r.gate && at >= 0 {
		o := s.node(r.Chain[at]).replicas[r.SubRange]
		r.gate = o == nil || o.Epoch != r.Epoch || o.state != modelFull ||
			s.waits(r.Chain[at], o)
	}
	return r.gate
}

// countStale counts what makes the check worth something.
func (s *simulation) countStale(sw *modelSwitch, t SubRange) {
	now, ok := s.d.SubRange(t.ID)
	if ok && t.Epoch < now.Epoch && now.Home != sw.name {
		s.done["stale row"]++
		if now.Untold && slices.Contains(now.Stampers, sw.name) {
			s.done["waits for a former home"]++
		}
	}
}

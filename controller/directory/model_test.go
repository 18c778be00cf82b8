package directory

import (
	"fmt"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

// modelNode accepts what a directory sends by the rules of the protocol, and nothing else: what a
// real node would refuse, or could only answer by having lost something, ends the test.
type modelNode struct {
	id       kv.NodeID
	up       bool
	queue    []Send // of the present session, in order
	replicas map[kv.SubRangeID]*modelReplica
	excused  map[kv.SubRangeID]bool // lost when the node was wiped, not by a mistake
}

type modelReplica struct {
	kv.Assignment
	state modelState
	gate  bool // promoted: it answers when its predecessor has entered the epoch, too (I6)
}

type modelState string

const (
	modelFull    modelState = "full"    // holds all that its chain has acknowledged
	modelJoining modelState = "joining" // a learner without its snapshot
	modelLost    modelState = "lost"
)

func newModelNode(i int) *modelNode {
	return &modelNode{id: node(i), replicas: make(map[kv.SubRangeID]*modelReplica),
		excused: make(map[kv.SubRangeID]bool)}
}

// take carries out one message and returns the answer.
func (n *modelNode) take(s Send) (Ack, error) {
	if r := s.Revoke; r != nil {
		return Ack{Node: n.id, SubRange: r.SubRange, Epoch: r.Epoch, Revoke: true}, n.revoke(*r)
	}
	a := *s.Assign
	return Ack{Node: n.id, SubRange: a.SubRange, Epoch: a.Epoch}, n.configure(a)
}

func (n *modelNode) revoke(r Revoke) error {
	if have := n.replicas[r.SubRange]; have != nil {
		if have.Epoch > r.Epoch {
			return fmt.Errorf("revocation %+v of %+v", r, have)
		}
		delete(n.replicas, r.SubRange)
		delete(n.excused, r.SubRange)
	}
	return nil
}

func (n *modelNode) configure(a kv.Assignment) error {
	if err := a.Validate(); err != nil {
		return err
	}
	if a.Chain.Position(n.id) < 0 && a.Learner != n.id {
		return fmt.Errorf("not a member: %+v", a)
	}
	if err := n.contradicts(a); err != nil {
		return err
	}
	r := n.replicas[a.SubRange]
	keeps := r != nil && r.Epoch >= max(a.Since, 1)
	if keeps && r.Epoch < a.Epoch {
		if err := n.reshape(r, a); err != nil {
			return err
		}
	}
	if !keeps && a.Learner == n.id {
		if err := n.leftovers(a); err != nil {
			return err
		}
	}
	n.put(a)
	for _, f := range a.Forks {
		if n.replicas[f.SubRange] == nil { // lost with what it is cut off
			n.excused[f.SubRange] = n.excused[a.SubRange]
		}
		n.put(f)
	}
	return nil
}

// contradicts checks an assignment against the one that the node has.
func (n *modelNode) contradicts(a kv.Assignment) error {
	r := n.replicas[a.SubRange]
	switch {
	case r == nil || r.Epoch < a.Epoch && r.Epoch < a.Since:
	case r.Epoch > a.Epoch:
		return fmt.Errorf("stale: %+v after %+v", a, r)
	case r.Keyspace != a.Keyspace:
		return fmt.Errorf("of another keyspace: %+v after %+v", a, r)
	case r.Epoch == a.Epoch && (r.Interval != a.Interval || !slices.Equal(r.Chain, a.Chain) ||
		r.Learner != a.Learner || r.Frozen != a.Frozen):
		return fmt.Errorf("contradiction: %+v after %+v", a, r)
	}
	return nil
}

// leftovers looks for old records that would come to light again below the snapshot of a join: the
// join erases those of its interval, but for those that belong to another replica.
func (n *modelNode) leftovers(a kv.Assignment) error {
	for id, r := range n.replicas {
		if r.Keyspace == a.Keyspace && r.Interval.Overlaps(a.Interval) &&
			(id != a.SubRange || len(r.Interval.Without(a.Interval)) > 0) {
			return fmt.Errorf("join %+v over %+v", a, r)
		}
	}
	return nil
}

// reshape makes forks and absorbs, out of the state that the node goes on with.
func (n *modelNode) reshape(r *modelReplica, a kv.Assignment) error {
	have := []kv.Interval{r.Interval}
	if b := a.Absorb; b != (kv.Absorbed{}) && r.Epoch <= b.Into {
		q := n.replicas[b.SubRange]
		if q == nil || !q.Frozen || !r.Frozen || q.Epoch != b.Epoch || r.Epoch != b.Into {
			return fmt.Errorf("not at rest: %+v with %+v and %+v", a, r, q)
		}
		have = append(have, q.Interval)
		delete(n.replicas, b.SubRange)
		if q.state == modelLost {
			r.state, n.excused[r.SubRange] = modelLost, n.excused[b.SubRange]
		}
		r.gate = r.gate || q.gate
	}
	if left := a.Interval.Without(have...); len(left) > 0 {
		return fmt.Errorf("%+v grows by %v, has %v", a, left, have)
	}
	for _, f := range a.Forks {
		if n.replicas[f.SubRange] == nil {
			if left := f.Interval.Without(r.Interval); len(left) > 0 {
				return fmt.Errorf("fork %+v of %+v", f, r)
			}
			n.replicas[f.SubRange] = &modelReplica{Assignment: f, state: r.state,
				gate: r.gate || r.Learner == n.id}
			n.excused[f.SubRange] = n.excused[r.SubRange]
		}
	}
	return nil
}

// put puts one assignment into force.
func (n *modelNode) put(a kv.Assignment) {
	r := n.replicas[a.SubRange]
	switch {
	case r != nil && r.Epoch >= a.Epoch:
		return
	case r != nil && r.Epoch >= max(a.Since, 1):
		r.gate = r.gate || r.Learner == n.id && a.Learner != n.id
		r.Assignment = a
	case a.Learner == n.id:
		n.replicas[a.SubRange] = &modelReplica{Assignment: a, state: modelJoining}
		delete(n.excused, a.SubRange)
	case r == nil && a.Create:
		n.replicas[a.SubRange] = &modelReplica{Assignment: a, state: modelFull}
		delete(n.excused, a.SubRange)
	default:
		n.replicas[a.SubRange] = &modelReplica{Assignment: a, state: modelLost}
	}
}

// holds checks that the node has a copy of all of a sub-range of which it is a member.
func (n *modelNode) holds(s SubRange) error {
	var have []kv.Interval
	add := func(id kv.SubRangeID, since kv.Epoch) {
		if r := n.replicas[id]; r != nil && r.state == modelFull && r.Epoch >= since {
			have = append(have, r.Interval)
		}
	}
	add(s.ID, s.since(n.id))
	if slices.Contains(s.Unforked, n.id) {
		add(s.ForkOf, 1)
	}
	if slices.Contains(s.Unabsorbed, n.id) {
		add(s.Absorbs.SubRange, 1)
	}
	if left := s.Interval.Without(have...); len(left) > 0 && !n.excused[s.ID] &&
		!n.excused[s.ForkOf] && !n.excused[s.Absorbs.SubRange] {
		return fmt.Errorf("member %v of %+v has nothing of %v, but %+v", n.id, s, left,
			n.replicas[s.ID])
	}
	return nil
}

// matches checks that the node has exactly what a directory gives it.
func (n *modelNode) matches(t *testing.T, d *Directory) {
	t.Helper()
	for _, s := range d.SubRanges() {
		r := n.replicas[s.ID]
		if !s.belongs(n.id) {
			if r != nil {
				t.Fatalf("%v still has %+v; %+v", n.id, r, s)
			}
			continue
		}
		if r == nil || r.Epoch != s.Epoch || r.Interval != s.Interval || r.Frozen != s.Frozen ||
			!slices.Equal(r.Chain, s.Chain) || r.Learner != s.Learner {
			t.Fatalf("%v has %+v of %+v", n.id, r, s)
		}
	}
	for id := range n.replicas {
		if _, ok := d.SubRange(id); !ok {
			t.Fatalf("%v still has %v, which is gone", n.id, id)
		}
	}
}

// wipe makes the node forget everything, like a restart of one that keeps it in memory.
func (n *modelNode) wipe(d *Directory) {
	for _, s := range d.SubRanges() {
		if s.belongs(n.id) {
			n.excused[s.ID] = true
		}
	}
	n.replicas = make(map[kv.SubRangeID]*modelReplica)
}

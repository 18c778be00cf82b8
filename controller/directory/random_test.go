package directory

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

// simulation is a directory among model nodes and model switches, in which everything that can be
// late is late, and everybody can go away and come back.
type simulation struct {
	t        *testing.T
	seed     uint64
	r        *rand.Rand
	d        *Directory
	nodes    []*modelNode
	switches []*modelSwitch
	stored   world
	acks     []Ack
	pubs     []Publication
	done     map[string]int       // how often each command succeeded
	at       map[kv.NodeID]string // the switch that each node is attached to
	deaf     kv.NodeID            // hears next to nothing
	few      bool                 // of the commands only those that go on about tails
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 11)), done: map[string]int{},
		at: map[kv.NodeID]string{}, stored: world{stored: map[string]string{}, epochs: map[kv.SubRangeID]kv.Epoch{}}}
	cfg := Config{Limits: testLimits, ExpectNodes: 3}
	for i := range 1 + s.r.IntN(3) {
		name := string(rune('a' + i))
		cfg.Switches = append(cfg.Switches, name)
		s.switches = append(s.switches, &modelSwitch{name: name})
	}
	for i := range 3 + s.r.IntN(4) {
		s.nodes = append(s.nodes, newModelNode(i))
		s.at[node(i)] = s.someSwitch().name
	}
	var err error
	if s.d, err = New(cfg, Snapshot{Meta: Meta{ClusterID: "c"}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *simulation) fatal(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("seed %d: %v", s.seed, err)
	}
}

// do takes the effects of a command, checks them, and puts messages on their way.
func (s *simulation) do(name string, e Effects, err error) {
	s.t.Helper()
	if err != nil {
		return
	}
	s.done[name]++
	s.fatal(s.d.Check())
	s.stored.store(s.t, e)
	for _, m := range e.Sends {
		s.checkSend(m)
		if n := s.node(m.To); n.up {
			n.queue = append(n.queue, m)
		}
	}
	s.pubs = append(s.pubs, e.Publications...)
	s.checkCopies()
	s.checkAnswers()
}

func (s *simulation) someSwitch() *modelSwitch { return s.switches[s.r.IntN(len(s.switches))] }

func (s *simulation) node(id kv.NodeID) *modelNode {
	return s.nodes[slices.IndexFunc(s.nodes, func(n *modelNode) bool { return n.id == id })]
}

func (s *simulation) checkSend(m Send) {
	s.t.Helper()
	if a := m.Assign; a != nil {
		sr, ok := s.d.SubRange(a.SubRange)
		if !ok || !sr.belongs(m.To) || a.Create == sr.Created || a.Epoch != sr.Epoch {
			s.t.Fatalf("seed %d: %v is sent %+v of %+v", s.seed, m.To, a, sr)
		}
		for _, f := range a.Forks {
			if f.Create {
				s.t.Fatalf("seed %d: fork that begins empty: %+v", s.seed, a)
			}
		}
		s.checkTails(*a)
		return
	}
	r := m.Revoke
	if sr, ok := s.d.SubRange(r.SubRange); ok && (sr.belongs(m.To) || r.Epoch >= sr.Epoch) {
		s.t.Fatalf("seed %d: %v, which belongs to %+v, is told %+v", s.seed, m.To, sr, r)
	}
	copied := s.node(m.To).replicas[r.SubRange]
	if copied == nil || copied.Epoch > r.Epoch {
		return
	}
	for _, sr := range s.d.SubRangesOf(copied.Keyspace) { // a last resort?
		if sr.Interval.Overlaps(copied.Interval) && !s.d.Settled(sr.ID) {
			s.t.Fatalf("seed %d: %v is to erase %+v, and %+v is not settled", s.seed, m.To, copied,
				sr)
		}
	}
}

// checkTails: nobody is told of a chain while a switch may send reads to a tail that has left and has not
// heard of a later epoch.
func (s *simulation) checkTails(a kv.Assignment) {
	s.t.Helper()
	if a.Create {
		return
	}
	for _, sw := range s.switches {
		for t := range sw.rows() {
			tail := t.Chain.Tail()
			r := s.node(tail).replicas[t.ID]
			if t.Keyspace == a.Keyspace && t.Interval.Overlaps(a.Interval) && r != nil &&
				r.Epoch <= t.Epoch && a.Chain.Position(tail) < 0 {
				s.t.Fatalf("seed %d: %+v is told while switch %s may send reads to %v of %+v",
					s.seed, a, sw.name, tail, t)
			}
		}
	}
}

// checkCopies: no member has erased, or been unable to keep, what it must have.
func (s *simulation) checkCopies() {
	s.t.Helper()
	for _, sr := range s.d.SubRanges() {
		for _, n := range sr.Chain {
			if sr.Created {
				s.fatal(s.node(n).holds(sr))
			}
		}
	}
}

// restart makes a directory of what was stored; every session ends.
func (s *simulation) restart() {
	if got := asStored(s.t, s.d.Snapshot()); s.stored.stored["meta"] != "" &&
		!reflect.DeepEqual(got, s.stored.stored) {
		s.t.Fatalf("seed %d: stored\n%v\nbut the directory is\n%v", s.seed, s.stored.stored, got)
	}
	var err error
	s.d, err = New(s.d.cfg, s.d.Snapshot())
	s.fatal(err)
	for _, n := range s.nodes {
		n.up, n.queue = false, nil
	}
	for _, sw := range s.switches {
		sw.writing = nil // what it has written stays
	}
	s.pubs = nil
}

// hello opens a session of a node, in place of one that it may have.
func (s *simulation) hello(n *modelNode) {
	h := Hello{ClusterID: "c", Node: helloOf(slices.Index(s.nodes, n), true).Node}
	if s.r.IntN(30) == 0 { // it was plugged in elsewhere
		s.at[n.id] = s.someSwitch().name
	}
	h.Switch = s.at[n.id]
	for id, r := range n.replicas {
		h.Held = append(h.Held, Held{SubRange: id, Epoch: r.Epoch})
	}
	slices.SortFunc(h.Held, func(a, b Held) int { return int(a.SubRange) - int(b.SubRange) })
	n.up, n.queue = true, nil
	e, err := s.d.Hello(h)
	s.fatal(err)
	s.do("hello", e, err)
}

func (s *simulation) gone(n *modelNode) {
	n.up, n.queue = false, nil
	s.d.Gone(n.id)
}

// deliver lets a node carry out what it was told first. Its answer comes later, even if the session
// does not live so long.
func (s *simulation) deliver(n *modelNode) {
	if len(n.queue) == 0 {
		return
	}
	ack, err := n.take(n.queue[0])
	if err != nil {
		s.t.Fatalf("seed %d: node %v refuses: %v", s.seed, n.id, err)
	}
	n.queue = n.queue[1:]
	s.acks = append(s.acks, ack)
	s.checkCopies()
	s.checkAnswers()
}

// answer gives the directory some of the answers, one of them perhaps twice.
func (s *simulation) answer() {
	count := min(len(s.acks), 1+s.r.IntN(4))
	if count == 0 {
		return
	}
	batch := s.acks[:count]
	if s.r.IntN(5) > 0 {
		s.acks = s.acks[count:]
	}
	s.do("answer", s.d.Acknowledged(batch), nil)
}

// sync lets a switch take one of the two steps to the present view.
func (s *simulation) sync(sw *modelSwitch) {
	if sw.lost {
		return
	}
	if sw.writing == nil {
		s.fatal(sw.begin(s.d.View(), len(s.switches) == 1))
		s.checkAnswers()
		return
	}
	s.do("sync", s.d.SwitchSynced(sw.name, sw.end()), nil)
}

// step does one random thing.
func (s *simulation) step() {
	n := s.nodes[s.r.IntN(len(s.nodes))]
	switch p := s.r.IntN(1000); {
	case p < 40:
		s.hello(n)
	case p < 60:
		s.gone(n)
	case p < 64:
		s.restart()
	case p < 67:
		s.wipe(n)
	case p < 76:
		s.loseSwitch(s.someSwitch())
	case p < 86:
		s.someSwitch().lost = false
	case p < 90:
		s.do("rehome", s.d.Rehome(func(string) bool { return s.r.IntN(3) > 0 }, s.r.IntN(4)), nil)
	case p < 100:
		s.deaf = s.nodes[s.r.IntN(len(s.nodes))].id
	case p < 450 && n.id == s.deaf && s.r.IntN(20) > 0:
	case p < 450:
		s.deliver(n)
	case p < 600:
		s.answer()
	case p < 720:
		s.sync(s.someSwitch())
	case p < 740:
		s.publish()
	case p < 760:
		s.join(n)
	default:
		before := s.d.Snapshot()
		name, e, err := s.command(n)
		if err != nil && !reflect.DeepEqual(before, s.d.Snapshot()) {
			s.t.Fatalf("seed %d: %s refused (%v), and yet something changed", s.seed, name, err)
		}
		s.do(name, e, err)
	}
}

// loseSwitch ends the session with a switch, in the middle of anything. It goes on with what it holds,
// or starts again with nothing.
func (s *simulation) loseSwitch(sw *modelSwitch) {
	sw.writing, sw.lost = nil, s.r.IntN(2) == 0
	if s.r.IntN(6) == 0 {
		sw.held = nil
	}
	s.do("lose switch", s.d.SwitchLost(sw.name), nil)
}

func (s *simulation) publish() {
	if len(s.pubs) > 0 {
		p := s.pubs[0]
		s.pubs = s.pubs[1:]
		s.do("published", s.d.Published(p), nil)
	}
}

// join completes the snapshots of a node's learners.
func (s *simulation) join(n *modelNode) {
	for _, r := range n.replicas {
		if r.state == modelJoining {
			r.state = modelFull
		}
	}
}

// wipe spares merges: nodes refuse to absorb what they have lost, and the core evicts them.
func (s *simulation) wipe(n *modelNode) {
	for _, sr := range s.d.SubRanges() {
		if sr.belongs(n.id) && (sr.Frozen || len(sr.Unabsorbed) > 0) {
			return
		}
	}
	s.gone(n)
	n.wipe(s.d)
	s.do("wipe", Effects{}, nil)
}

// command draws a command; most are refused.
func (s *simulation) command(n *modelNode) (string, Effects, error) {
	all := s.d.SubRanges()
	if s.few && len(all) > 0 { // the first keyspace is enough, and what may go wrong with its tails
		sr := all[s.r.IntN(len(all))]
		switch s.r.IntN(8) {
		case 0:
			if len(s.d.Keyspaces()) < 2 {
				return s.keyspace()
			}
		case 1:
			return s.evict(sr)
		case 2, 3:
			return s.reorder(sr)
		case 4, 5:
			_, e, err := s.d.Split(sr.ID, s.cut(sr.Interval))
			return "split", e, err
		case 6, 7:
			return s.merge(sr)
		}
	}
	if len(all) == 0 {
		return "none", Effects{}, ErrNotFound
	}
	sr := all[s.r.IntN(len(all))]
	switch s.r.IntN(16) {
	case 0, 1:
		return s.evict(sr)
	case 2, 3, 4:
		e, err := s.d.AddLearner(sr.ID, n.id)
		return "learner", e, err
	case 5:
		e, err := s.d.DropLearner(sr.ID)
		return "drop learner", e, err
	case 6, 7:
		return s.promote(all)
	case 8:
		return s.reorder(sr)
	case 9:
		_, e, err := s.d.Split(sr.ID, s.cut(sr.Interval))
		return "split", e, err
	case 10, 11, 12:
		return s.merge(sr)
	case 13:
		return s.keyspace()
	case 14:
		return s.plan(sr)
	}
	if s.r.IntN(2) == 0 {
		e, err := s.d.Forget(n.id)
		return "forget", e, err
	}
	e, err := s.d.SetDraining(n.id, s.r.IntN(4) == 0)
	return "drain", e, err
}

func (s *simulation) reorder(sr SubRange) (string, Effects, error) {
	chain := slices.Clone(sr.Chain)
	s.r.Shuffle(len(chain), func(i, j int) { chain[i], chain[j] = chain[j], chain[i] })
	e, err := s.d.Reorder(sr.ID, chain)
	return "reorder", e, err
}

// evict leaves, like the core, only members that have lost nothing.
func (s *simulation) evict(sr SubRange) (string, Effects, error) {
	out := []kv.NodeID{sr.nodes()[s.r.IntN(len(sr.nodes()))]}
	if more := sr.Chain[s.r.IntN(len(sr.Chain))]; more != out[0] && s.r.IntN(3) == 0 {
		out = append(out, more)
	}
	for _, n := range without(sr.Chain, out...) {
		if s.node(n).excused[sr.ID] {
			return "evict", Effects{}, ErrNotFit
		}
	}
	e, err := s.d.Evict(sr.ID, out)
	return "evict", e, err
}

// promote does, like the core, nothing before the learner has joined.
func (s *simulation) promote(all []SubRange) (string, Effects, error) {
	for _, sr := range all {
		if r := s.nodeReplica(sr.Learner, sr.ID); r != nil && r.state == modelFull &&
			r.Epoch == sr.Epoch && !s.node(sr.Learner).excused[sr.ID] {
			var leave kv.NodeID
			if at := s.r.IntN(len(sr.Chain) + 1); at < len(sr.Chain) {
				leave = sr.Chain[at]
			}
			e, err := s.d.Promote(sr.ID, leave)
			return "promote", e, err
		}
	}
	return "promote", Effects{}, ErrNotFound
}

func (s *simulation) nodeReplica(n kv.NodeID, id kv.SubRangeID) *modelReplica {
	if n == 0 {
		return nil
	}
	return s.node(n).replicas[id]
}

func (s *simulation) cut(i kv.Interval) kv.IndexKey {
	cut := i.First
	cut[s.r.IntN(2)] += byte(1 + s.r.IntN(200))
	return cut
}

// merge takes the next step of a merge, or gives it up.
func (s *simulation) merge(sr SubRange) (name string, e Effects, err error) {
	of := s.d.SubRangesOf(sr.Keyspace)
	at := slices.IndexFunc(of, func(o SubRange) bool { return o.ID == sr.ID })
	right := sr
	if at+1 < len(of) {
		right = of[at+1]
	}
	switch s.r.IntN(5) {
	case 0:
		e, err = s.d.Thaw(sr.ID, right.ID)
		return "thaw", e, err
	case 1, 2:
		e, err = s.d.Freeze(sr.ID, right.ID)
		return "freeze", e, err
	}
	for _, n := range sr.Chain {
		if s.node(n).excused[sr.ID] || s.node(n).excused[right.ID] {
			return "absorb", e, ErrNotFit
		}
	}
	e, err = s.d.Absorb(sr.ID, right.ID)
	return "absorb", e, err
}

func (s *simulation) keyspace() (string, Effects, error) {
	name := []string{"x", "y", "z"}[s.r.IntN(3)]
	if s.r.IntN(4) == 0 {
		e, err := s.d.DropKeyspace(name)
		return "drop keyspace", e, err
	}
	_, e, err := s.d.CreateKeyspace(CreateKeyspace{Name: name, Partitioner: kv.RangePartitioned,
		Durability: kv.Durability(1 + s.r.IntN(2)), SubRanges: 1 + s.r.IntN(4),
		Replication: 1 + s.r.IntN(3)})
	return "create keyspace", e, err
}

func (s *simulation) plan(sr SubRange) (string, Effects, error) {
	if plans := s.d.Plans(); len(plans) > 0 && s.r.IntN(2) == 0 {
		return "delete plan", s.d.DeletePlan(plans[s.r.IntN(len(plans))].ID), nil
	}
	p := Plan{Kind: planKinds[s.r.IntN(5)], Cause: causes[s.r.IntN(len(causes))], SubRange: sr.ID}
	if all := s.d.SubRanges(); p.Kind == PlanMerge {
		p.Other = all[s.r.IntN(len(all))].ID
	}
	_, e, err := s.d.PutPlan(p)
	return "plan", e, err
}

// finish lets everything arrive.
func (s *simulation) finish() {
	for _, n := range s.nodes {
		s.hello(n)
	}
	for range 100 {
		before := len(s.acks) + len(s.pubs)
		for _, n := range s.nodes {
			for len(n.queue) > 0 {
				s.deliver(n)
				before++
			}
		}
		acks := s.acks
		s.acks = nil
		s.do("answer", s.d.Acknowledged(acks), nil)
		for len(s.pubs) > 0 {
			s.publish()
		}
		for _, sw := range s.switches {
			sw.lost = false
			for sw.writing != nil || sw.held == nil || sw.held[0].Revision < s.d.Revision() ||
				s.d.synced[sw.name] < s.d.Revision() {
				s.sync(sw)
				before++
			}
		}
		if before == 0 {
			s.checkRest()
			return
		}
	}
	s.t.Fatalf("seed %d: it never comes to rest", s.seed)
}

// checkRest checks a directory of which everybody has heard everything.
func (s *simulation) checkRest() {
	for _, n := range s.nodes {
		n.matches(s.t, s.d)
	}
	for _, sr := range s.d.SubRanges() {
		if !s.d.Settled(sr.ID) || len(sr.Former)+len(sr.Unforked)+len(sr.Unabsorbed) > 0 ||
			len(sr.Tails) > 0 || len(sr.Stampers) > 1 {
			s.t.Fatalf("seed %d: at rest is %+v", s.seed, sr)
		}
	}
	for _, r := range s.d.Snapshot().Retired {
		if len(r.Pending) > 0 {
			s.t.Fatalf("seed %d: at rest is %+v", s.seed, r)
		}
	}
	for _, k := range s.d.Keyspaces() {
		if k.Phase != PhaseReady {
			s.t.Fatalf("seed %d: at rest is %+v", s.seed, k)
		}
	}
}

// TestRandomReconfiguration checks after every step, with everything late and everybody coming and
// going: the invariants, that what was stored is what is, that every member has a copy of all that
// it must have, that nobody is told to erase a last resort, that no two tails can answer for one key,
// whatever switches still hold, and that nodes never have reason to refuse; and in the end that everybody
// has what the directory says, and nothing else.
func TestRandomReconfiguration(t *testing.T) {
	seeds, done := uint64(60), map[string]int{}
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		s := newSimulation(t, seed)
		s.few = seed%3 == 2
		for range 3 {
			for range 1500 {
				s.step()
			}
			s.finish()
		}
		for name, n := range s.done {
			done[name] += n
		}
	}
	t.Log(done)
	for _, name := range []string{"evict", "learner", "drop learner", "promote", "reorder", "split",
		"freeze", "thaw", "absorb", "create keyspace", "drop keyspace", "plan", "delete plan",
		"forget", "drain", "wipe", "rehome", "stale row", "waits for a former home"} {
		if done[name] < int(seeds)/4 {
			t.Errorf("%s succeeded only %d times: the test does not test it", name, done[name])
		}
	}
}

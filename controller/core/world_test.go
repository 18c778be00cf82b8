package core_test

import (
	"container/heap"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

const ms = time.Millisecond

// world is a cluster in virtual time: a real core, its disk, switches that follow with delay, and
// nodes that obey the rules of reconfiguration with counters instead of records. It knows what was
// acknowledged to clients, and so what must never be given up.
type world struct {
	t     testing.TB
	rand  *rand.Rand
	now   time.Duration
	queue happenings
	order int

	cfg   core.Config
	core  *core.Core
	disk  disk
	life  int // of the controller
	nodes []*node
	sw    []*fakeSwitch

	crashes  int                      // one of so many rounds that store something ends the controller; 0: none
	operated bool                     // an operator has asked for joins, to which the limits do not apply
	volatile bool                     // nodes have no disks
	acked    map[kv.SubRangeID]uint64 // sequence of the last acknowledged write
	ruined   map[kv.SubRangeID]bool   // nobody has that write any more, through no fault of the core
	events   []string
	told     map[core.EventKind]int
}

// disk is what the controller stored.
type disk struct{ snapshot directory.Snapshot }

// happening is something that is going to happen.
type happening struct {
	at    time.Duration
	order int
	do    func()
}

type happenings []happening

func (h happenings) Len() int { return len(h) }
func (h happenings) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h happenings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *happenings) Push(x any)   { *h = append(*h, x.(happening)) }
func (h *happenings) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.queue, happening{w.now + d, w.order, do})
}

// every does something again and again, at times that drift.
func (w *world) every(d time.Duration, do func()) {
	w.after(d/2+time.Duration(w.rand.Int64N(int64(d))), func() { do(); w.every(d, do) })
}

func (w *world) delay() time.Duration { return time.Duration(1+w.rand.IntN(5)) * ms }

// run lets time pass until the condition holds; it reports whether it came to hold in time.
func (w *world) run(limit time.Duration, until func() bool) bool {
	end := w.now + limit
	for !until() {
		if w.t.Failed() {
			w.t.FailNow()
		}
		if len(w.queue) == 0 || w.queue[0].at > end {
			w.now = end
			return false
		}
		h := heap.Pop(&w.queue).(happening)
		w.now = max(w.now, h.at)
		h.do()
	}
	return true
}

func (w *world) pass(d time.Duration) { w.run(d, func() bool { return false }) }

// newWorld starts a controller and nodes, of which so many are expected.
func newWorld(t testing.TB, seed uint64, nodes, switches int, policy core.Policy) *world {
	w := &world{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), acked: make(map[kv.SubRangeID]uint64),
		ruined: make(map[kv.SubRangeID]bool), told: make(map[core.EventKind]int),
		disk: disk{directory.Snapshot{Meta: directory.Meta{ClusterID: "test"}}},
	}
	policy.Health.CanProbe, policy.MaxJoins, policy.MaxJoinsPerNode = true, 6, 2
	w.cfg = core.Config{Policy: policy, Directory: directory.Config{
		Limits: directory.Limits{SubRanges: 200, PartitionEntries: 4000}, ExpectNodes: nodes,
	}}
	for i := range switches {
		w.sw = append(w.sw, &fakeSwitch{name: fmt.Sprint("s", i+1)})
		w.cfg.Directory.Switches = append(w.cfg.Directory.Switches, w.sw[i].name)
	}
	w.startController()
	for i := range nodes {
		w.addNode(i)
	}
	w.every(10*ms, w.chains)
	w.every(3*ms, w.write)
	return w
}

func (w *world) addNode(i int) *node {
	n := &node{w: w, id: kv.NodeID(0x0a000001 + i), up: true, incarnation: 1,
		replicas: make(map[kv.SubRangeID]*replica), samples: make(map[kv.SubRangeID][]kv.IndexKey)}
	w.nodes = append(w.nodes, n)
	w.every(100*ms, n.beat)
	w.every(time.Second, n.report)
	w.every(80*ms, n.connect)
	return n
}

func (w *world) node(id kv.NodeID) *node {
	return w.nodes[slices.IndexFunc(w.nodes, func(n *node) bool { return n.id == id })]
}

func (w *world) startController() {
	c, err := core.New(w.cfg, w.disk.snapshot)
	if err != nil {
		w.t.Fatalf("controller starts: %v", err)
	}
	w.core, w.life = c, w.life+1
	for _, s := range w.sw {
		s.synced = 0
	}
	w.did(func() { w.core.Tick(w.now) })
}

// stopController loses all that is not on the disk.
func (w *world) stopController() {
	w.core, w.life = nil, w.life+1
	for _, n := range w.nodes {
		n.session = 0
	}
}

// did gives the controller an input, if it is up, and carries out what it wants.
func (w *world) did(input func()) {
	if w.core == nil {
		return
	}
	input()
	e := w.core.Take()
	w.check(e)
	w.disk.snapshot = w.core.View().Snapshot()
	if len(e.Changes) > 0 && w.crashes > 0 && w.rand.IntN(w.crashes) == 0 {
		w.crash() // what is stored has happened, what was to be sent has not
		return
	}
	life := w.life
	for _, s := range e.Sends {
		w.node(s.To).send(s)
	}
	for _, p := range e.Publications {
		w.after(w.delay(), func() {
			if w.life == life {
				w.did(func() { w.core.Published(w.now, p) })
			}
		})
	}
	for _, n := range e.Probes {
		w.after(w.delay(), func() {
			if w.life == life && w.node(n).up && !w.node(n).sw().dead {
				w.did(func() { w.core.Alive(w.now, n) })
			}
		})
	}
	for _, event := range e.Events {
		w.told[event.Kind]++
		w.log("%v", event)
	}
	w.syncSwitches()
	at := max(w.core.NextTick(), w.now+ms)
	if at < w.now+time.Hour {
		w.after(at-w.now, func() {
			if w.life == life && w.core.NextTick() <= w.now {
				w.did(func() { w.core.Tick(w.now) })
			}
		})
	}
}

func (w *world) log(format string, args ...any) {
	w.events = append(w.events, fmt.Sprintf("%v: ", w.now)+fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf(format, args...)
	for _, e := range w.events[max(0, len(w.events)-60):] {
		w.t.Log(e)
	}
	w.t.FailNow()
}

// check proves what must hold after every step.
func (w *world) check(e core.Effects) {
	v := w.core.View()
	if len(e.Changes) > 0 {
		if err := v.Check(); err != nil {
			w.fail("%v", err)
		}
	}
	joins, busy := 0, make(map[kv.NodeID]int)
	for _, s := range v.SubRanges() {
		if s.Learner != 0 {
			joins++
			busy[s.Learner]++
		}
	}
	limits := w.cfg.Policy
	for n, count := range busy {
		if !w.operated && (count > limits.MaxJoinsPerNode || joins > limits.MaxJoins) {
			w.fail("node %v takes part in %d of %d joins; the most are %d of %d", n, count, joins,
				limits.MaxJoinsPerNode, limits.MaxJoins)
		}
	}
	for _, c := range e.Changes {
		if c.SubRange != nil && !c.Delete {
			w.checkCopies(*c.SubRange)
		}
	}
}

// checkCopies proves that a change of a chain has not given up the last copy of what was acknowledged
// durably.
func (w *world) checkCopies(s directory.SubRange) {
	if !s.Created || w.ruined[s.ID] || slices.ContainsFunc(s.Chain, func(n kv.NodeID) bool {
		return w.node(n).holds(s, w.acked[s.ID])
	}) {
		return
	}
	k, _ := w.core.View().Keyspace(s.Keyspace)
	memory := k.Durability == kv.DurabilityMemory // may be gone before anybody can know
	if n := w.holder(s); n != nil && !memory {
		w.fail("%v at %v: write %d was acknowledged; %v has it, none of %v does", s.ID, s.Epoch,
			w.acked[s.ID], n.id, s.Chain)
	}
	w.log("%v is ruined", s.ID)
	w.ruined[s.ID] = true
}

// holder returns a node that has all acknowledged writes of a sub-range, nil if there is none. A
// learner does not count: nobody can know how far it is when its tail is gone.
func (w *world) holder(s directory.SubRange) *node {
	for _, n := range w.nodes {
		r := n.replicas[s.ID]
		if n.holds(s, w.acked[s.ID]) && (r == nil || !r.learner) {
			return n
		}
	}
	return nil
}

// served reports whether a member of a sub-range has all that was acknowledged and knows it.
func (w *world) served(s directory.SubRange) bool {
	return slices.ContainsFunc(s.Chain, func(id kv.NodeID) bool {
		n := w.node(id)
		return n.holds(s, w.acked[s.ID]) && (n.replicas[s.ID] == nil || !n.replicas[s.ID].behind)
	})
}

// write is a client's: it reaches the head and as many others as are in the same epoch, and is
// acknowledged if those are all.
func (w *world) write() {
	sw := w.sw[w.rand.IntN(len(w.sw))]
	if sw.view.Revision == 0 || sw.dead {
		return // it has not been told anything
	}
	all := sw.view.SubRanges()
	if len(all) == 0 {
		return
	}
	s := all[w.rand.IntN(len(all))]
	if !s.Created || s.Blocked || s.Home != sw.name {
		return
	}
	head := w.node(s.Chain.Head()).serving(s)
	if head == nil || head.frozen {
		return
	}
	head.applied++
	seq := head.applied
	for _, id := range s.Chain[1:] {
		r := w.node(id).serving(s)
		if r == nil || w.rand.IntN(20) == 0 || r.applied != seq-1 {
			return // it is resent later, or not
		}
		r.applied = seq
	}
	w.acked[s.ID] = max(w.acked[s.ID], seq)
}

// chains lets neighbours that are in the same epoch talk to each other.
func (w *world) chains() {
	for _, n := range w.nodes {
		for _, id := range slices.Sorted(maps.Keys(n.replicas)) {
			if n.up {
				w.talk(n, n.replicas[id])
			}
		}
	}
}

// talk lets a replica bring its successor, or its learner, up to date.
func (w *world) talk(n *node, r *replica) {
	at := r.assignment.Chain.Position(n.id)
	if r.lost || at < 0 || n.sw().dead {
		return
	}
	if at+1 < len(r.assignment.Chain) {
		other := w.node(r.assignment.Chain[at+1])
		next := other.at(r)
		if next == nil {
			return
		}
		both := max(r.applied, next.applied)
		if !r.behind || !next.behind {
			r.applied, next.applied = both, both
		}
		if next.behind && !r.behind {
			next.behind = false
			other.report()
		}
		return
	}
	if r.assignment.Learner == 0 || r.behind {
		return
	}
	other := w.node(r.assignment.Learner)
	learner := other.at(r)
	if learner == nil {
		return
	}
	if learner.share = min(1, learner.share+0.2*w.rand.Float64()); learner.share == 1 {
		learner.applied = max(learner.applied, min(r.applied, w.acked[r.assignment.SubRange]))
		if !learner.joined {
			learner.joined = true
			other.report()
		}
	}
}

// fakeSwitch holds what it was last told.
type fakeSwitch struct {
	name   string
	view   directory.View
	synced uint64 // revision, in this life of the controller
	busy   bool
	lost   bool // out of reach; it goes on with what it holds
	dead   bool // nothing gets through it
}

// sw returns the switch that the node is attached to.
func (n *node) sw() *fakeSwitch { return n.w.sw[int(n.id)%len(n.w.sw)] }

// syncSwitches brings switches that are behind up to date, one view at a time.
func (w *world) syncSwitches() {
	for _, s := range w.sw {
		if s.busy || s.lost || s.synced == w.core.Revision() {
			continue
		}
		s.busy = true
		view, life := w.core.View(), w.life
		w.after(w.delay(), func() {
			s.busy = false
			if w.life == life && !s.lost {
				s.view, s.synced = view, view.Revision
				w.did(func() { w.core.SwitchSynced(w.now, s.name, view.Revision) })
			} else if w.core != nil {
				w.syncSwitches()
			}
		})
	}
}

// node is a storage node.
type node struct {
	w           *world
	id          kv.NodeID
	up          bool
	incarnation uint64
	session     int           // 0: none
	last        time.Duration // when the last message of the session arrives
	replicas    map[kv.SubRangeID]*replica
	samples     map[kv.SubRangeID][]kv.IndexKey // for the next report
}

// replica is the state of one sub-range: how many updates it has applied, instead of records.
type replica struct {
	assignment kv.Assignment
	applied    uint64
	share      float64
	learner    bool
	joined     bool
	behind     bool // has become the tail, and not yet heard what its predecessor knows
	lost       bool
	frozen     bool
}

// holds reports whether the node has, on its disk at least, all writes up to seq.
func (n *node) holds(s directory.SubRange, seq uint64) bool {
	r := n.replicas[s.ID]
	if q := n.replicas[s.Absorbs.SubRange]; q != nil && r != nil && slices.Contains(s.Unabsorbed, n.id) && !q.lost {
		return !r.lost && r.applied+q.applied >= seq
	}
	if r == nil && s.ForkOf != 0 { // it is still a part of what it was cut off
		r = n.replicas[s.ForkOf]
		return r != nil && !r.lost
	}
	return r != nil && !r.lost && r.applied >= seq
}

// serving returns the replica if it serves the sub-range as the switch says.
func (n *node) serving(s directory.SubRange) *replica {
	r := n.replicas[s.ID]
	if !n.up || n.sw().dead || r == nil || r.lost || r.behind || r.learner || r.assignment.Epoch != s.Epoch {
		return nil
	}
	return r
}

// at returns the node's replica in the same epoch as a neighbour's.
func (n *node) at(o *replica) *replica {
	r := n.replicas[o.assignment.SubRange]
	if !n.up || n.sw().dead || r == nil || r.lost || r.assignment.Epoch != o.assignment.Epoch {
		return nil
	}
	return r
}

// tell passes a message to the controller, in order, if the session lasts until then.
func (n *node) tell(input func()) {
	session := n.session
	if session == 0 {
		return
	}
	n.last = max(n.last, n.w.now+n.w.delay())
	n.w.after(n.last-n.w.now, func() {
		if n.session == session {
			n.w.did(input)
		}
	})
}

func (n *node) beat() {
	if n.up {
		n.tell(func() { n.w.core.Beat(n.w.now, n.id) })
	}
}

func (n *node) connect() {
	if !n.up || n.session != 0 || n.w.core == nil {
		return
	}
	n.w.order++
	n.session = n.w.order
	h := directory.Hello{ClusterID: "test", Node: directory.Node{ID: n.id,
		MAC: wire.MAC{2, 0, 0, 0, 0, byte(n.id)}, Port: uint32(n.id & 0xff), Persistent: !n.w.volatile,
		Incarnation: n.incarnation, Switch: n.sw().name}}
	for _, id := range slices.Sorted(maps.Keys(n.replicas)) {
		h.Held = append(h.Held, directory.Held{SubRange: id, Epoch: n.replicas[id].assignment.Epoch})
	}
	held := n.reportNow()
	n.tell(func() {
		if err := n.w.core.Hello(n.w.now, h); err != nil {
			n.w.fail("%v", err)
		}
		n.w.core.Reported(n.w.now, n.id, held)
	})
}

// hangUp ends the session.
func (n *node) hangUp() {
	if n.session == 0 {
		return
	}
	n.session = 0
	n.w.did(func() { n.w.core.Gone(n.w.now, n.id) })
}

// kill ends the process. What is in memory is gone.
func (n *node) kill() {
	n.w.log("kill %v", n.id)
	n.up = false
	n.hangUp()
	for id, r := range n.replicas {
		if r.assignment.Durability == kv.DurabilityMemory {
			delete(n.replicas, id)
		}
		if r.learner && !r.joined { // it starts over
			r.applied, r.share = 0, 0
		}
	}
}

func (n *node) start() {
	n.w.log("start %v", n.id)
	n.up = true
	n.incarnation++
}

func (n *node) report() {
	if n.up && n.session != 0 {
		r := n.reportNow()
		n.tell(func() { n.w.core.Reported(n.w.now, n.id, r) })
	}
}

func (n *node) reportNow() (out core.Report) {
	for _, id := range slices.Sorted(maps.Keys(n.replicas)) {
		r := n.replicas[id]
		out.Replicas = append(out.Replicas, core.Replica{
			SubRange: id, Epoch: r.assignment.Epoch, Applied: r.applied,
			Stable: r.applied, Lost: r.lost, Recovering: r.behind,
			Learner: r.learner, Joined: r.joined, JoinedShare: r.share,
			Samples: n.samples[id],
		})
	}
	clear(n.samples)
	return out
}

// send brings an order of the controller.
func (n *node) send(s directory.Send) {
	session := n.session
	if session == 0 {
		return
	}
	n.last = max(n.last, n.w.now+n.w.delay())
	n.w.after(n.last-n.w.now, func() {
		if n.session != session || !n.up {
			return
		}
		if s.Revoke != nil {
			n.revoke(*s.Revoke)
			return
		}
		a := *s.Assign
		if err := n.configure(a); err != nil {
			n.tell(func() { n.w.core.Refused(n.w.now, n.id, a.SubRange, a.Epoch, err.Error()) })
			return
		}
		n.ack(directory.Ack{Node: n.id, SubRange: a.SubRange, Epoch: a.Epoch})
		n.report()
	})
}

func (n *node) ack(a directory.Ack) {
	n.tell(func() { n.w.core.Acked(n.w.now, []directory.Ack{a}) })
}

func (n *node) revoke(r directory.Revoke) {
	if old := n.replicas[r.SubRange]; old != nil && old.assignment.Epoch <= r.Epoch {
		delete(n.replicas, r.SubRange)
	}
	n.ack(directory.Ack{Node: n.id, SubRange: r.SubRange, Epoch: r.Epoch, Revoke: true})
}

// configure puts an assignment into force.
func (n *node) configure(a kv.Assignment) error {
	r := n.replicas[a.SubRange]
	switch {
	case a.Chain.Position(n.id) < 0 && a.Learner != n.id:
		return fmt.Errorf("not a member")
	case r != nil && a.Epoch < r.assignment.Epoch:
		return nil
	case r == nil && a.Create && a.Learner != n.id:
		r = new(replica)
	case r != nil && r.assignment.Epoch >= max(a.Since, 1) && !r.lost:
		if err := n.absorb(a, r); err != nil {
			return err
		}
		n.fork(a, r)
	case a.Learner == n.id:
		r = &replica{learner: true}
	default:
		r = &replica{lost: true}
	}
	if r.learner && a.Learner != n.id {
		r.learner, r.behind = false, true
	}
	r.assignment, r.frozen = a, a.Frozen
	if r.behind && len(a.Chain) == 1 {
		n.w.fail("%v of %v is alone and does not hold what was acknowledged", a.SubRange, n.id)
	}
	if at := a.Chain.Position(n.id); r.behind && at == 0 {
		n.w.fail("%v of %v is the head and behind", a.SubRange, n.id)
	}
	n.replicas[a.SubRange] = r
	return nil
}

func (n *node) absorb(a kv.Assignment, r *replica) error {
	b := a.Absorb
	if b == (kv.Absorbed{}) || r.assignment.Epoch > b.Into {
		return nil
	}
	q := n.replicas[b.SubRange]
	if q == nil || q.assignment.Epoch != b.Epoch || r.assignment.Epoch != b.Into {
		return fmt.Errorf("cannot absorb %v", b.SubRange)
	}
	w := n.w
	want := w.acked[a.SubRange] // the first one adds what the other has
	if _, merged := w.acked[b.SubRange]; merged {
		want += w.acked[b.SubRange]
	}
	if r.applied+q.applied < want && !w.ruined[a.SubRange] && !w.ruined[b.SubRange] {
		w.fail("%v: %v absorbs %v with %d + %d writes, %d were acknowledged", n.id, a.SubRange,
			b.SubRange, r.applied, q.applied, want)
	}
	r.applied += q.applied // all members hold the same
	delete(n.replicas, b.SubRange)
	delete(w.acked, b.SubRange)
	w.acked[a.SubRange] = r.applied
	return nil
}

func (n *node) fork(a kv.Assignment, r *replica) {
	for _, f := range a.Forks {
		if n.replicas[f.SubRange] != nil || r.assignment.Epoch >= a.Epoch {
			continue
		}
		q := *r
		q.assignment = f
		n.replicas[f.SubRange] = &q
		n.w.acked[f.SubRange] = max(n.w.acked[f.SubRange], min(n.w.acked[a.SubRange], q.applied))
	}
}

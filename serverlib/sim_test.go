package serverlib_test

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/wire"
)

// sim is one randomised run of a chain under faults, all drawn from a seed: first a phase in which
// things break while clients write, then restarts at rest, then one in which all is whole and must
// come to an end without the help of further requests.
type sim struct {
	t       *testing.T
	seed    uint64
	r       *rand.Rand
	now     time.Duration
	events  eventHeap
	ordinal int

	durability kv.Durability
	loss, dup  float64 // probabilities per packet
	lag        time.Duration
	resting    bool // no more requests and breakdowns
	quiet      bool // the network is perfect

	nodes   map[kv.NodeID]*simNode
	a       kv.Assignment // what the switch stamps
	next    *kv.Assignment
	clients []*simClient
	acked   kv.Seq // the newest update that a client has been told of
	history history
	shape   *shape  // splits and merges the sub-range, if not nil
	roster  *roster // moves it between nodes, if not nil
}

// simNode is a node with its place in time.
type simNode struct {
	*node
	flushing bool
	removed  bool // no member any more, nor learner
}

type event struct {
	at      time.Duration
	ordinal int // first come, first served among equals
	run     func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].ordinal < h[j].ordinal
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(e any)   { *h = append(*h, e.(event)) }
func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}

func (s *sim) after(d time.Duration, run func()) {
	s.ordinal++
	heap.Push(&s.events, event{s.now + d, s.ordinal, run})
}

// between draws a duration.
func (s *sim) between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.r.Int64N(int64(high-low)+1))
}

func (s *sim) chance(p float64) bool { return s.r.Float64() < p }

// fatalf fails with the command that repeats the run.
func (s *sim) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("at %v: %s\nagain: go test ./serverlib -run %s -seed %d",
		s.now, fmt.Sprintf(format, args...), s.t.Name(), s.seed)
}

// newSim draws the parameters of a run.
func newSim(t *testing.T, seed uint64, d kv.Durability) *sim {
	s := &sim{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, uint64(d))), durability: d}
	s.nodes = map[kv.NodeID]*simNode{}
	s.loss, s.dup = 0.2*s.r.Float64(), 0.2*s.r.Float64()
	s.lag = s.between(10*time.Microsecond, 3*time.Millisecond)
	var c kv.Chain
	for i := range 1 + s.r.IntN(4) {
		c = append(c, nodeID(i+1))
	}
	s.a = assignment(1, d, c)
	if s.chance(0.25) {
		s.a.Partitioner = kv.HashPartitioned
	}
	for _, id := range c {
		n := &simNode{node: newNode(id)}
		s.nodes[id] = n
		s.boot(n)
		s.configure(n, s.a)
	}
	for i := range 2 + s.r.IntN(4) {
		s.clients = append(s.clients, newSimClient(s, i+1))
	}
	return s
}

func (s *sim) boot(n *simNode) {
	if err := n.boot(); err != nil {
		s.fatalf("%v does not come back: %v", n.id, err)
	}
	if s.roster != nil {
		n.server.SetSnapshotBurst(s.roster.burst)
	}
	s.checkBoot(n)
	s.tick(n, n.incarnation)
	s.flushSoon(n)
}

// configure gives a node an assignment and syncs, as a driver does before it tells the controller.
func (s *sim) configure(n *simNode, a kv.Assignment) {
	if s.roster != nil {
		a.Since = s.roster.since[n.id]
	}
	if err := n.server.Configure(s.now, a); err != nil {
		s.fatalf("%v: %v", n.id, err)
	}
	if err := n.disk.Sync(); err != nil {
		s.fatalf("%v", err)
	}
	s.flushSoon(n)
}

// tick drives the timers of one life of a node.
func (s *sim) tick(n *simNode, life uint64) {
	s.after(time.Millisecond, func() {
		if n.server == nil || n.incarnation != life {
			return
		}
		n.server.Tick(s.now)
		s.flushSoon(n)
		s.tick(n, life)
	})
}

// flushSoon ends the batch of inputs of a node within some microseconds.
func (s *sim) flushSoon(n *simNode) {
	if n.flushing {
		return
	}
	n.flushing = true
	s.after(s.between(0, 50*time.Microsecond), func() {
		n.flushing = false
		wasSyncing := n.syncing
		for _, d := range n.flush(s.now) {
			s.checkReply(d)
			s.send(d)
		}
		if n.syncing && !wasSyncing {
			life := n.incarnation
			s.after(s.between(0, 8*time.Millisecond), func() {
				if n.server != nil && n.incarnation == life {
					n.finishSync(s.now)
					s.flushSoon(n)
				}
			})
		}
	})
}

// send puts a packet on the network, which may lose, delay and repeat it.
func (s *sim) send(d datagram) {
	copies := 1
	if !s.quiet && s.chance(s.loss) {
		copies = 0
	} else if !s.quiet && s.chance(s.dup) {
		copies = 2
	}
	for range copies {
		s.after(s.between(5*time.Microsecond, s.lag), func() { s.arrive(d) })
	}
}

func (s *sim) arrive(d datagram) {
	if n := s.nodes[kv.NodeIDOf(d.to.Addr())]; n != nil {
		if n.server != nil {
			n.server.Deliver(s.now, d.from, d.packet)
			s.flushSoon(n)
		}
		return
	}
	for _, c := range s.clients {
		if c.addr == d.to {
			c.receive(d.packet)
		}
	}
}

// run drives events until a moment or until done says so.
func (s *sim) run(until time.Duration, done func() bool) {
	for s.events.Len() > 0 && !done() {
		if s.events[0].at > until {
			break
		}
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.run()
		if s.ordinal%32 == 0 {
			s.checkAgreement()
		}
	}
}

// breakThings crashes nodes and changes the chain now and then.
func (s *sim) breakThings() {
	s.after(s.between(3*time.Millisecond, 45*time.Millisecond), func() {
		if s.resting {
			return
		}
		switch n := s.member(); {
		case s.chance(0.3):
			s.reconfigure(s.shuffled())
		case n.server == nil:
		case s.durability == kv.DurabilitySync:
			s.crash(n)
			if s.chance(0.35) { // a power cut takes them all
				for _, id := range s.a.Chain {
					s.crash(s.nodes[id])
				}
			}
		case len(s.a.Chain) > 1 && s.next == nil:
			s.crash(n) // its state is gone, and so is its place
			s.reconfigure(without(s.a.Chain, n.id))
		}
		s.breakThings()
	})
}

// restartAtRest crashes some members, or all, when no request is on its way.
func (s *sim) restartAtRest() {
	if s.durability != kv.DurabilitySync {
		return
	}
	for _, id := range s.a.Chain {
		if s.chance(0.6) {
			s.crash(s.nodes[id])
		}
	}
}

// member draws a node of the chain.
func (s *sim) member() *simNode { return s.nodes[s.a.Chain[s.r.IntN(len(s.a.Chain))]] }

// shuffled draws a chain of the same members in another order, sometimes without one of them.
func (s *sim) shuffled() kv.Chain {
	c := slices.Clone(s.a.Chain)
	s.r.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
	if len(c) > 1 && s.chance(0.2) {
		c = c[1:]
	}
	return c
}

func without(c kv.Chain, n kv.NodeID) kv.Chain {
	return slices.DeleteFunc(slices.Clone(c), func(m kv.NodeID) bool { return m == n })
}

func (s *sim) crash(n *simNode) {
	if n.server == nil {
		return
	}
	n.crash(s.r.IntN(n.disk.Unsynced() + 1))
	s.after(s.between(time.Millisecond, 40*time.Millisecond), func() { s.boot(n) })
}

// reconfigure blocks the sub-range, gives all members of the new chain their assignment, and
// activates it when they have it (I2). Members that are down get it when they are back. Those left
// out are told nothing: they may go on in the old epoch, as if cut off.
func (s *sim) reconfigure(c kv.Chain) {
	if s.next != nil {
		return
	}
	next := s.a
	next.Epoch, next.Chain, next.Create = s.a.Epoch+1, c, false
	s.next = &next
	for _, id := range s.a.Chain {
		s.nodes[id].removed = !slices.Contains(c, id)
	}
	s.activate(map[kv.NodeID]bool{})
}

func (s *sim) activate(told map[kv.NodeID]bool) {
	for _, id := range s.next.Chain {
		if n := s.nodes[id]; n.server != nil && !told[id] && s.chance(0.7) {
			s.configure(n, *s.next)
			told[id] = true
		}
	}
	if len(told) == len(s.next.Chain) {
		s.a, s.next = *s.next, nil
		return
	}
	s.after(s.between(0, 3*time.Millisecond), func() { s.activate(told) })
}

// route returns the sub-range that a key belongs to; ok is false while the switch blocks it.
func (s *sim) route(key string) (a kv.Assignment, ok bool) {
	if s.shape != nil {
		return s.shape.route(key)
	}
	return s.a, s.next == nil
}

// scanStart returns the key from which a scan reads its sub-range.
func (s *sim) scanStart() string {
	if s.shape != nil {
		return pick(s, append(modelKeys, ""))
	}
	return ""
}

// scanEnd returns the key before which a scan ends, empty for none.
func (s *sim) scanEnd() string {
	if s.roster != nil {
		return fillers
	}
	return ""
}

// checkBoot sees to it that a restarted member lost nothing that was acknowledged (I4).
func (s *sim) checkBoot(n *simNode) {
	if s.shape != nil {
		s.shape.checkBoot(n)
		return
	}
	c := n.server.ChainOf(subRange)
	if c != nil && !n.removed && n.incarnation > 1 && !c.Behind() && c.Applied() < s.acked {
		s.fatalf("%v came back with %d updates, %d were acknowledged", n.id, c.Applied(), s.acked)
	}
}

// checkReply notes what clients are told, at the moment it is.
func (s *sim) checkReply(d datagram) {
	if d.packet.Op().Class() != wire.ClassWrite || d.packet.Status() != wire.StatusOK {
		return
	}
	n := s.nodes[kv.NodeIDOf(d.from.Addr())]
	if s.shape != nil {
		s.shape.noteReply(n, d.packet)
		return
	}
	if !n.removed {
		s.acked = max(s.acked, kv.Seq(d.packet.RecordVersion()))
	}
}

// checkAgreement compares all entries that two members, or one and the learner, hold under the same
// seq (I3), and the order of everyone's marks.
func (s *sim) checkAgreement() {
	if s.shape != nil {
		s.shape.checkAgreement()
		return
	}
	parties := parties(s.a)
	for i, id := range parties {
		n := s.nodes[id]
		if n.server == nil {
			continue
		}
		c := n.server.ChainOf(subRange)
		if c == nil {
			continue
		}
		if c.Stable() > c.Durable() || c.Durable() > c.Applied() || c.Base() > c.Stable() {
			s.fatalf("%v: base %d, stable %d, durable %d, applied %d", id, c.Base(), c.Stable(),
				c.Durable(), c.Applied())
		}
		for _, other := range parties[i+1:] {
			if m := s.nodes[other]; m.server != nil && !n.removed && !m.removed {
				s.compare(n, m, s.a)
			}
		}
	}
}

func (s *sim) compare(n, m *simNode, p kv.Assignment) {
	a, b := n.server.ChainOf(p.SubRange), m.server.ChainOf(p.SubRange)
	if a == nil || b == nil {
		return
	}
	for seq := max(a.Base(), b.Base()) + 1; seq <= min(a.Applied(), b.Applied()); seq++ {
		x, y := a.Entry(seq), b.Entry(seq)
		// A restarted member does without values that are stable or of the other half of a split.
		foreign := !n.server.Owns(p.SubRange, x.Key()) || !m.server.Owns(p.SubRange, x.Key())
		if foreign || seq <= a.Stable() && len(x.Value()) == 0 || seq <= b.Stable() && len(y.Value()) == 0 {
			x, y = withoutValue(x), withoutValue(y)
		}
		if !bytes.Equal(x, y) {
			s.fatalf("%v of %v and %v differ at %d:\n%x\n%x", p.SubRange, n.id, m.id, seq, a.Entry(seq),
				b.Entry(seq))
		}
	}
}

// withoutValue returns the entry with an empty value.
func withoutValue(e wire.ChainEntry) wire.ChainEntry {
	return wire.AppendChainEntry(nil, wire.ChainEntryFields{
		Op: e.Op(), Status: e.Status(), Effect: e.Effect(), Client: e.Client(), Sequence: e.Sequence(),
		Lowest: e.Lowest(), ClientAddr: e.ClientAddr(), Key: e.Key(),
	})
}

// answered reports whether every request has its reply.
func (s *sim) answered() bool {
	for _, c := range s.clients {
		if len(c.outstanding) > 0 {
			return false
		}
	}
	return true
}

// settled reports whether every request has its reply and every member every update, and knows it.
func (s *sim) settled() bool {
	if !s.answered() || s.next != nil {
		return false
	}
	first := s.nodes[s.a.Chain[0]].report()
	for _, id := range s.a.Chain {
		r := s.nodes[id].report()
		if r.Applied != first.Applied || r.Stable != first.Applied || r.Epoch != s.a.Epoch ||
			r.State != serverlib.StateServing {
			return false
		}
	}
	return s.roster == nil || s.roster.settled(first.Applied)
}

// checkEnd compares the records of all members.
func (s *sim) checkEnd() {
	if !s.settled() {
		for _, id := range parties(s.a) {
			s.t.Logf("%v: %+v", id, s.nodes[id].report())
		}
		s.fatalf("not settled long after the last fault")
	}
	want := s.nodes[s.a.Chain[0]].records()
	for _, id := range parties(s.a)[1:] {
		if got := s.nodes[id].records(); got != want {
			s.fatalf("%v and %v hold different records:\n%s\n%s", s.a.Chain[0], id, want, got)
		}
	}
	s.history.check(s)
}

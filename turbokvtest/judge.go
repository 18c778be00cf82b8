package turbokvtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/reconcile"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/serverlib/enginetest"
)

// atRest says what keeps the cluster from rest, nil if nothing does: every process runs and is
// connected, no change is under way, every sub-range has all its replicas, and each of them serves
// and knows that everything it holds is acknowledged.
func (c *Cluster) atRest() error {
	k := c.control
	if !k.up || k.busy || len(k.inputs) > 0 || len(k.publish.queue) > 0 {
		return errors.New("the controller is at work")
	}
	for _, d := range k.drivers {
		if !d.connected || !d.ready || d.busy || d.stale {
			return fmt.Errorf("switch %s is not synchronised", d.sw.name)
		}
	}
	for _, n := range c.nodes {
		if !n.up || k.sessions[n.id] == nil {
			return fmt.Errorf("node %v has no session", n.id)
		}
	}
	expected := map[copyOf]directory.SubRange{}
	for _, s := range k.store.snapshot().SubRanges {
		if err := c.restful(s); err != nil {
			return fmt.Errorf("%v: %w", s.ID, err)
		}
		for _, n := range s.Chain {
			expected[copyOf{s.ID, n}] = s
		}
	}
	if err := c.directoryAtRest(); err != nil {
		return err
	}
	if err := c.nothingElse(expected); err != nil {
		return err
	}
	if err := c.leftRows(); err != nil {
		return err
	}
	for _, look := range []func() error{c.switchesHold, c.homesRight, c.rowsRight} {
		if err := look(); err != nil {
			return err
		}
	}
	return c.remembered()
}

// leftRows finds rows in engines that belong to no replica.
func (c *Cluster) leftRows() error {
	for _, n := range c.nodes {
		held := map[kv.SubRangeID]bool{}
		for _, r := range n.server.Report() {
			held[r.SubRange] = true
		}
		var left []string
		for _, engine := range []*enginetest.Mem{n.disk, n.memory} {
			scan(engine, nil, nil, func(key, _ []byte) {
				if key[0] != recordRow && !held[kv.SubRangeID(binary.BigEndian.Uint32(key[1:]))] {
					left = append(left, fmt.Sprintf("%q", key))
				}
			})
		}
		if len(left) > 0 {
			return fmt.Errorf("node %v has rows of sub-ranges that it does not hold: %v", n.id, left)
		}
	}
	return nil
}

// switchesHold compares what is in the switches with what the directory asks for.
func (c *Cluster) switchesHold() error {
	for _, d := range c.control.drivers {
		plan := reconcile.Plan(d.desired(c.control.view), d.sw.held(), dataplane.Order, 0)
		if len(plan) > 0 {
			return fmt.Errorf("switch %s lacks %v", d.sw.name, plan)
		}
	}
	return nil
}

// remembered compares the controller's memory with its disk.
func (c *Cluster) remembered() error {
	memory, disk := c.control.brain.View().Snapshot(), c.control.store.snapshot()
	if fmt.Sprintf("%+v", memory) != fmt.Sprintf("%+v", disk) {
		return fmt.Errorf("the controller remembers %+v, its disk %+v", memory, disk)
	}
	return nil
}

// restful looks at one sub-range.
func (c *Cluster) restful(s directory.SubRange) error {
	if c.copies.lost(s) {
		return nil
	}
	want := c.control.store.keyspaces[s.Keyspace].Replication
	switch {
	case len(s.Chain) < want || len(s.Chain) > want && !c.operator.grown:
		return fmt.Errorf("chain %v, replication %d", s.Chain, want)
	case !s.Created || len(s.Unacknowledged()) > 0:
		return fmt.Errorf("acknowledged by %v of %v", s.Acked, s.Chain)
	case s.Learner != 0 || s.Blocked || s.Frozen || len(s.Unforked)+len(s.Unabsorbed) > 0:
		return fmt.Errorf("learner %v, blocked %v, frozen %v, forks %v, absorbs %v", s.Learner,
			s.Blocked, s.Frozen, s.Unforked, s.Unabsorbed)
	case slices.ContainsFunc(s.Chain, c.draining) && !c.operator.grown: // or there may be no room
		return fmt.Errorf("chain %v has nodes that are being drained", s.Chain)
	case len(s.Former) > 0:
		return fmt.Errorf("%v have not erased it", s.Former)
	}
	var first serverlib.Report
	for i, n := range s.Chain {
		r, ok := c.replica(n, s.ID)
		switch {
		case !ok || r.Epoch != s.Epoch:
			return fmt.Errorf("%v has %v, not %v", n, r.Epoch, s.Epoch)
		case r.State != serverlib.StateServing:
			return fmt.Errorf("%v is %v", n, r.State)
		case r.Stable != r.Applied:
			return fmt.Errorf("%v has applied %d, %d stable", n, r.Applied, r.Stable)
		case i == 0:
			first = r
		case r.Applied != first.Applied:
			return fmt.Errorf("%v has applied %d, the head %d", n, r.Applied, first.Applied)
		}
	}
	return nil
}

func (c *Cluster) draining(n kv.NodeID) bool { return c.control.store.nodes[n].Draining }

func (c *Cluster) replica(n kv.NodeID, id kv.SubRangeID) (serverlib.Report, bool) {
	for _, r := range c.node(n).server.Report() {
		if r.SubRange == id {
			return r, true
		}
	}
	return serverlib.Report{}, false
}

// directoryAtRest finds changes under way.
func (c *Cluster) directoryAtRest() error {
	s := c.control.store.snapshot()
	for _, r := range s.Retired {
		if len(r.Pending) > 0 && !c.intoLost(r) {
			return fmt.Errorf("%v is retired, and %v have not erased it", r.ID, r.Pending)
		}
	}
	for _, p := range s.Plans {
		if !c.copies.lost(c.control.store.subRanges[p.SubRange]) {
			return fmt.Errorf("plan %+v", p)
		}
	}
	for _, k := range s.Keyspaces {
		if k.Phase != directory.PhaseReady {
			return fmt.Errorf("keyspace %q is %v", k.Name, k.Phase)
		}
	}
	return nil
}

// intoLost reports whether a sub-range was absorbed by one that is lost: then its copies are kept.
func (c *Cluster) intoLost(r directory.Retired) bool {
	return r.Into != 0 && c.copies.lost(c.control.store.subRanges[r.Into])
}

// nothingElse finds replicas that nodes should not have any more.
func (c *Cluster) nothingElse(expected map[copyOf]directory.SubRange) error {
	for _, n := range c.nodes {
		for _, r := range n.server.Report() {
			_, ok := expected[copyOf{r.SubRange, n.id}]
			if !ok && !c.intoLost(c.control.store.retired[r.SubRange]) {
				return fmt.Errorf("node %v still has %v of %v, %v", n.id, r.Epoch, r.SubRange, r.State)
			}
		}
	}
	return nil
}

// describe tells the state of everything, for a run that does not come to rest.
func (c *Cluster) describe() string {
	var s string
	for _, r := range c.control.store.snapshot().SubRanges {
		s += fmt.Sprintf("\n%+v lost=%v", r, c.copies.lost(r))
	}
	for _, p := range c.control.store.snapshot().Plans {
		s += fmt.Sprintf("\n%+v", p)
	}
	for _, n := range c.nodes {
		s += fmt.Sprintf("\nnode %v up=%v session=%v", n.id, n.up, c.control.sessions[n.id] != nil)
		if n.up {
			for _, r := range n.server.Report() {
				s += fmt.Sprintf("\n    %+v", r)
			}
		}
	}
	for _, cl := range c.clients {
		s += fmt.Sprintf("\nclient %d: %d of %d done", cl.id, cl.done, cl.work.Operations)
	}
	return s
}

// lastReads is how long the reads at the end may take: nothing is in their way.
const lastReads = 10 * time.Second

// readEverything lets clients read every key once more, so that the history's end says what became of
// every acknowledged write. Only keys of lost sub-ranges may stay unanswered.
func (c *Cluster) readEverything() error {
	return c.ask(lastReads, func() (due int) {
		due = c.clients[0].readPreload(lastReads)
		for i, key := range c.clients[0].names {
			if !c.keyLost(key) {
				due++
				c.clients[i%len(c.clients)].readAgain(key, lastReads)
			}
		}
		return due
	})
}

// ask lets clients ask something that must be answered within a time; questions returns how much that is.
func (c *Cluster) ask(within time.Duration, questions func() int) error {
	count := func() (done, failed int) {
		for _, cl := range c.clients {
			done, failed = done+cl.done, failed+cl.refused+cl.unknown
		}
		return done, failed
	}
	before, failedBefore := count()
	due := questions()
	for _, cl := range c.clients {
		cl.flush()
	}
	answered := func() bool { done, _ := count(); return done >= before+due }
	in := c.until(c.events.now+within, answered)
	if done, failed := count(); !in || failed > failedBefore {
		return fmt.Errorf("%d of %d last requests were not answered%s",
			due-(done-before)+failed-failedBefore, due, c.describe())
	}
	return nil
}

// keyLost reports whether mishaps have destroyed all copies of a key.
func (c *Cluster) keyLost(key string) bool {
	at := c.keyspace.Partitioner.IndexKey([]byte(key))
	for _, s := range c.control.store.subRanges { // in any order: there is one
		if s.Keyspace == c.keyspace.ID && s.Interval.Contains(at) {
			return c.copies.lost(s)
		}
	}
	panic("turbokvtest: no sub-range has " + key)
}

// replicasAgree compares the records of the members of every chain, and finds records that no
// member should have.
func (c *Cluster) replicasAgree() error {
	expected := map[kv.NodeID]int{}
	for _, s := range c.control.store.snapshot().SubRanges {
		k := c.control.store.keyspaces[s.Keyspace]
		first := c.recordsOf(s.Chain[0], s, k)
		for _, member := range s.Chain {
			rows := c.recordsOf(member, s, k)
			expected[member] += len(rows)
			if !c.copies.lost(s) && !slices.Equal(first, rows) {
				return fmt.Errorf("%v: %v has %q, %v has %q", s.ID, s.Chain[0], first, member, rows)
			}
		}
	}
	for _, n := range c.nodes {
		if have := countRecords(n.disk) + countRecords(n.memory); have != expected[n.id] {
			return fmt.Errorf("node %v has %d records, those of its sub-ranges are %d", n.id, have,
				expected[n.id])
		}
	}
	return nil
}

// recordRow begins the engine key of a record; the keyspace and, if it is hash-partitioned, the
// index key follow, and then the key (serverlib/rows.go).
const recordRow = 'd'

func countRecords(m *enginetest.Mem) (n int) {
	scan(m, []byte{recordRow}, []byte{recordRow + 1}, func(_, _ []byte) { n++ })
	return n
}

func scan(m *enginetest.Mem, start, end []byte, each func(key, value []byte)) {
	err := m.Scan(start, end, func(key, value []byte) bool { each(key, value); return true })
	if err != nil {
		panic(err) // the simulated disk is sound
	}
}

// recordsOf returns the rows of a node's records in an interval.
func (c *Cluster) recordsOf(id kv.NodeID, s directory.SubRange, k directory.Keyspace) (rows []string) {
	n := c.node(id)
	engine := n.disk
	if k.Durability == kv.DurabilityMemory {
		engine = n.memory
	}
	prefix := binary.BigEndian.AppendUint16([]byte{recordRow}, uint16(k.ID))
	end := binary.BigEndian.AppendUint16([]byte{recordRow}, uint16(k.ID+1))
	scan(engine, prefix, end, func(key, value []byte) {
		at := kv.RangePartitioned.IndexKey(key[len(prefix):]) // or the stored index key
		if s.Interval.Contains(at) {
			rows = append(rows, fmt.Sprintf("%q=%q", key, value))
		}
	})
	return rows
}

package turbokvtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/serverlib/enginetest"
	"github.com/turbokv/turbokv/wire"
)

// Options describe a run. The zero value of every field but Seed stands for the default given.
type Options struct {
	Seed        uint64
	Nodes       int            // default 5
	Clients     int            // default 4
	Replication int            // default 3
	SubRanges   int            // default 4
	Durability  kv.Durability  // default sync
	Partitioner kv.Partitioner // default range
	Faults      Faults
	// Restarts is how often a node crashes, loses what it had not synced and comes back. It
	// needs durability sync: a node that comes back without its memory may not serve.
	Restarts int
	// ControllerRestarts is how often the controller goes away and comes back from its store.
	ControllerRestarts int
	Work               Workload
}

func (o Options) withDefaults() Options {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&o.Nodes, 5)
	set(&o.Clients, 4)
	set(&o.Replication, 3)
	set(&o.SubRanges, 4)
	if o.Durability == 0 {
		o.Durability = kv.DurabilitySync
	}
	if o.Partitioner == 0 {
		o.Partitioner = kv.RangePartitioned
	}
	o.Work = o.Work.withDefaults()
	return o
}

// Addresses of the cluster's hosts.
var (
	serviceAddr = netip.MustParseAddrPort("10.0.0.1:21579")
	nodeNet     = netip.MustParseAddr("10.0.1.0").As4()
	clientNet   = netip.MustParseAddr("10.0.2.0").As4()
)

func hostAddr(network [4]byte, i int, port uint16) netip.AddrPort {
	network[3] = byte(i + 1)
	return netip.AddrPortFrom(netip.AddrFrom4(network), port)
}

// Cluster is one run.
type Cluster struct {
	opt      Options
	rand     *rand.Rand
	events   *events
	net      *network
	sw       *v1model.Switch
	control  *control
	nodes    []*node
	clients  []*client
	history  *history
	keyspace kv.Descriptor
	failed   error // the first thing that went wrong outside of the history
}

// New builds the cluster of a run; nothing has happened in it yet.
func New(opt Options) (*Cluster, error) {
	opt = opt.withDefaults()
	if opt.Restarts > 0 && opt.Durability != kv.DurabilitySync {
		return nil, errors.New("turbokvtest: restarts need durability sync")
	}
	r := rand.New(rand.NewPCG(opt.Seed, 0x7475726b))
	e := &events{}
	c := &Cluster{
		opt: opt, rand: r, events: e,
		net:     &network{events: e, rand: r, hosts: map[uint16]*host{}},
		history: &history{ops: map[string][]porcupine.Operation{}},
	}
	if err := c.addSwitch(); err != nil {
		return nil, err
	}
	c.addNodes()
	control, err := newControl(c)
	c.control = control
	return c, err
}

func (c *Cluster) addSwitch() error {
	prog, err := bmv2.Load(p4src.DeviceConfig())
	if err != nil {
		return err
	}
	c.sw, err = v1model.NewSwitch(prog, v1model.Config{})
	if err != nil {
		return err
	}
	c.net.process = c.sw.NewWorker().Process
	return nil
}

func (c *Cluster) attach(addr netip.AddrPort) *host {
	h := &host{addr: addr, port: uint16(len(c.net.hosts) + 1)}
	c.net.hosts[h.port] = h
	return h
}

func (c *Cluster) addNodes() {
	for i := range c.opt.Nodes {
		h := c.attach(hostAddr(nodeNet, i, wire.Port))
		c.nodes = append(c.nodes, &node{
			id: kv.NodeIDOf(h.addr.Addr()), host: h, net: c.net, rand: c.rand, disk: enginetest.NewMem(),
			events: serverlib.Events{EngineFailed: func(_ kv.Durability, err error) { c.fail(err) }},
		})
	}
}

func (c *Cluster) fail(err error) {
	if c.failed == nil {
		c.failed = err
	}
}

// Phases of a run end at these times at the latest.
const (
	setUpMax    = 10 * time.Second
	safetyMax   = 60 * time.Second
	livenessMax = 120 * time.Second
)

// Run plays the whole run: set-up, faults, recovery, and the judgement. The error says what was
// violated.
func (c *Cluster) Run() error {
	if err := c.setUp(); err != nil {
		return fmt.Errorf("set-up: %w", err)
	}
	c.net.faults = c.opt.Faults
	c.planCrashes()
	c.until(safetyMax, c.clientsFinished)
	c.heal()
	if !c.until(livenessMax, func() bool { return c.clientsFinished() && c.settled() }) {
		return fmt.Errorf("not settled %v after the faults ended: %s", c.events.now, c.describe())
	}
	if err := c.readEverything(); err != nil {
		return err
	}
	return errors.Join(c.failed, c.history.check(), c.replicasAgree())
}

// until runs events until the condition holds or the time is reached; it reports whether it holds.
func (c *Cluster) until(limit time.Duration, done func() bool) bool {
	for c.failed == nil {
		if done() {
			return true
		}
		if !c.events.step(limit) {
			return false
		}
	}
	return false
}

func (c *Cluster) setUp() error {
	for _, n := range c.nodes {
		if err := n.start(); err != nil {
			return err
		}
		c.control.hello(n)
	}
	if !c.until(setUpMax, c.control.ready) {
		return errors.Join(errors.New("the keyspace did not become ready"), c.failed)
	}
	for i := range c.opt.Clients {
		if err := c.addClient(i); err != nil {
			return err
		}
	}
	return c.control.install() // routes to the clients
}

// keyNames spreads keys over the line of a range-partitioned keyspace.
func (c *Cluster) keyNames() (names []string) {
	for i := range c.opt.Work.Keys {
		names = append(names, fmt.Sprintf("%ckey%d", byte(i*256/c.opt.Work.Keys), i))
	}
	slices.Sort(names)
	return names
}

func (c *Cluster) addClient(i int) error {
	s, err := session.New(session.Config{Rand: c.rand})
	if err != nil {
		return err
	}
	cl := &client{
		id: i, host: c.attach(hostAddr(clientNet, i, 40000)), net: c.net, session: s, rand: c.rand,
		work: c.opt.Work, keyspace: c.keyspace, service: serviceAddr, history: c.history,
		scans: c.keyspace.Partitioner == kv.RangePartitioned,
		names: c.keyNames(), seen: map[string]kv.Version{},
	}
	cl.host.receive = cl.deliver
	c.clients = append(c.clients, cl)
	c.events.after(0, cl.begin)
	return nil
}

func (c *Cluster) clientsFinished() bool {
	return !slices.ContainsFunc(c.clients, func(cl *client) bool { return !cl.finished() })
}

// Crashes fall into the time in which the clients work; a node stays away for a while.
const (
	crashWithin = 150 * time.Millisecond
	awayMax     = 60 * time.Millisecond
)

func (c *Cluster) planCrashes() {
	for range c.opt.Restarts {
		n := c.nodes[c.rand.IntN(len(c.nodes))]
		c.events.after(c.within(crashWithin), func() { c.crash(n) })
	}
	for range c.opt.ControllerRestarts {
		c.events.after(c.within(crashWithin), c.control.restart)
	}
}

func (c *Cluster) within(d time.Duration) time.Duration {
	return time.Duration(c.rand.Int64N(int64(d)))
}

func (c *Cluster) crash(n *node) {
	if !n.up {
		return
	}
	n.crash()
	c.control.gone(n)
	c.events.after(c.within(awayMax), func() { c.restart(n) })
}

func (c *Cluster) restart(n *node) {
	if n.up {
		return
	}
	if err := n.start(); err != nil {
		c.fail(fmt.Errorf("node %v restarts: %w", n.id, err))
		return
	}
	c.control.hello(n)
}

func (c *Cluster) heal() {
	c.net.faults = Faults{}
	for _, n := range c.nodes {
		c.restart(n)
	}
}

// settled reports whether every replica serves and has acknowledged all that it holds.
func (c *Cluster) settled() bool {
	at := map[kv.SubRangeID]kv.Seq{}
	for _, n := range c.nodes {
		if !n.up {
			return false
		}
		for _, r := range n.server.Report() {
			seq, seen := at[r.SubRange]
			if r.State != serverlib.StateServing || r.Stable != r.Applied || seen && seq != r.Applied {
				return false
			}
			at[r.SubRange] = r.Applied
		}
	}
	return true
}

func (c *Cluster) describe() string {
	var s string
	for _, n := range c.nodes {
		s += fmt.Sprintf("\n%v up=%v", n.id, n.up)
		if n.up {
			s += fmt.Sprintf(" %+v", n.server.Report())
		}
	}
	for _, cl := range c.clients {
		s += fmt.Sprintf("\nclient %d: %d of %d done", cl.id, cl.done, cl.work.Operations)
	}
	return s
}

// readEverything lets the first client read every key once more, so that the history's end says
// what became of every acknowledged write.
func (c *Cluster) readEverything() error {
	cl := c.clients[0]
	want := cl.done + len(cl.names)
	cl.asked += len(cl.names)
	cl.work.Operations += len(cl.names)
	for _, key := range cl.names {
		cl.submit(&call{key: key, in: asked{op: wire.OpGet}}, session.Request{
			Op: wire.OpGet, Key: []byte(key),
		})
	}
	cl.flush()
	if !c.until(c.events.now+10*time.Second, func() bool { return cl.done >= want }) {
		return errors.New("last reads were not answered")
	}
	return nil
}

// replicasAgree compares the records of the members of every chain.
func (c *Cluster) replicasAgree() error {
	if c.opt.Durability != kv.DurabilitySync {
		return nil // the volatile engines belong to the servers
	}
	for _, s := range c.control.dir.SubRangesOf(c.keyspace.ID) {
		first := c.recordsOf(s.Chain[0], s.Interval)
		for _, member := range s.Chain[1:] {
			if other := c.recordsOf(member, s.Interval); !slices.Equal(first, other) {
				return fmt.Errorf("%v: %v has %q, %v has %q", s.ID, s.Chain[0], first, member, other)
			}
		}
	}
	return nil
}

// recordsOf returns the rows of a node's records in an interval. serverlib keeps them under 'd', the
// keyspace and, if it is hash-partitioned, the index key.
func (c *Cluster) recordsOf(id kv.NodeID, in kv.Interval) (rows []string) {
	at := slices.IndexFunc(c.nodes, func(n *node) bool { return n.id == id })
	prefix := []byte{'d', byte(c.keyspace.ID >> 8), byte(c.keyspace.ID)}
	end := []byte{'d', byte((c.keyspace.ID + 1) >> 8), byte(c.keyspace.ID + 1)}
	err := c.nodes[at].disk.Scan(prefix, end, func(key, value []byte) bool {
		if in.Contains(kv.RangePartitioned.IndexKey(key[len(prefix):])) {
			rows = append(rows, fmt.Sprintf("%q=%q", key, value))
		}
		return true
	})
	if err != nil {
		panic(err) // the simulated disk is sound
	}
	return rows
}

package turbokvtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib/enginetest"
	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/wire"
)

// Addresses of the cluster's hosts.
var (
	serviceAddr    = netip.MustParseAddrPort("10.255.0.1:21579")
	controllerAddr = netip.MustParseAddrPort("10.254.0.1:40000")
)

// clientPort is the UDP port of every client.
const clientPort = 40000

// clusterID is what the controller's disk says at the first start.
const clusterID = "test"

// controllerPlace is where the controller's process runs.
const controllerPlace place = 0

// Cluster is one run.
type Cluster struct {
	opt        Options
	rand       *rand.Rand
	events     *events
	net        *network
	management *management
	topology   *topology.Network // as it is
	listed     *topology.Network // as the controller was told; nil for one switch
	switches   []*fabric
	links      []*link // between switches
	hosts      []*host // nodes first
	control    *control
	nodes      []*node
	clients    []*client
	nemesis    *nemesis
	operator   *operator
	copies     *copies
	history    *history
	keyspace   kv.Descriptor
	places     place  // given out
	elections  uint64 // P4Runtime sessions so far
	healed     time.Duration
	settledAt  time.Duration
	failed     error // the first thing that went wrong outside of the history
}

// New builds the cluster of a run; nothing has happened in it yet.
func New(opt Options) (*Cluster, error) {
	opt = opt.withDefaults()
	r := rand.New(rand.NewPCG(opt.Seed, 0x7475726b))
	e := &events{}
	c := &Cluster{
		opt: opt, rand: r, events: e, places: controllerPlace + 1,
		net:     &network{events: e, rand: r, hosts: map[netip.Addr]*host{}, cuts: cuts{}},
		history: newHistory(),
	}
	c.net.fail = c.fail
	c.management = &management{c: c, cuts: cuts{}, patience: 200*time.Millisecond + c.within(time.Second)}
	c.nemesis, c.copies, c.operator = &nemesis{c: c}, newCopies(c), &operator{c: c}
	c.topology = opt.Shape.network(r, opt.Nodes, opt.Clients)
	c.listed = opt.Shape.listed(c.topology)
	c.wire()
	for _, h := range c.topology.Hosts {
		if err := c.settle(h); err != nil {
			return nil, err
		}
	}
	c.net.hosts[controllerAddr.Addr()] = &host{place: controllerPlace, addr: controllerAddr}
	c.control = newControl(c)
	return c, nil
}

func (c *Cluster) place() place {
	c.places++
	return c.places - 1
}

// wire builds the switches and joins them.
func (c *Cluster) wire() {
	byName := map[string]*fabric{}
	for _, s := range c.topology.Switches {
		f := newFabric(s, c.place(), c.net)
		byName[s.Name] = f
		c.switches = append(c.switches, f)
	}
	if c.listed == nil {
		return
	}
	for i, l := range c.listed.Links {
		a, b := byName[l.A.Name], byName[l.B.Name]
		if a == nil || b == nil {
			continue // of a host
		}
		joint := &link{listed: i, ends: [2]linkEnd{{a, uint16(l.A.Port)}, {b, uint16(l.B.Port)}}}
		a.peers[joint.ends[0].port], b.peers[joint.ends[1].port] = joint, joint
		c.links = append(c.links, joint)
	}
}

// settle brings a host in: a node or a client on a port of its rack.
func (c *Cluster) settle(h topology.Host) error {
	rack, _ := c.topology.Rack(h.Name)
	port := uint16(clientPort)
	if h.Role == topology.Node {
		port = wire.Port
	}
	x := &host{place: c.place(), addr: netip.AddrPortFrom(h.Addr.Addr(), port),
		sw: c.fabric(rack.Name), port: uint16(rack.Port)}
	x.sw.hosts[x.port] = x
	c.net.hosts[x.addr.Addr()] = x
	c.hosts = append(c.hosts, x)
	if h.Role == topology.Client {
		return c.addClient(x)
	}
	c.nodes = append(c.nodes, &node{id: kv.NodeIDOf(x.addr.Addr()), host: x, cluster: c,
		net: c.net, rand: c.rand, disk: enginetest.NewMem()})
	return nil
}

func (c *Cluster) fabric(name string) *fabric {
	return c.switches[slices.IndexFunc(c.switches, func(f *fabric) bool { return f.name == name })]
}

func (c *Cluster) node(id kv.NodeID) *node {
	return c.nodes[slices.IndexFunc(c.nodes, func(n *node) bool { return n.id == id })]
}

func (c *Cluster) fail(err error) {
	if c.failed == nil {
		c.failed = err
		c.log("FAILED: %v", err)
	}
}

func (c *Cluster) failf(format string, args ...any) { c.fail(fmt.Errorf(format, args...)) }

// log tells whoever watches the run.
func (c *Cluster) log(format string, args ...any) {
	if c.opt.Verbose != nil {
		c.opt.Verbose(fmt.Sprintf("%12v ", c.events.now) + fmt.Sprintf(format, args...))
	}
}

// within draws a time from 0 up to d.
func (c *Cluster) within(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(c.rand.Int64N(int64(d)))
}

// Bounds of the phases, in virtual time.
const (
	setUpMax = 20 * time.Second
	// From the mending of everything to rest. A sub-range that was moved is left alone for a minute,
	// and a drain may want to move it once more.
	livenessMax = 150 * time.Second
)

// Run plays the whole run: set-up, mishaps, recovery, and the judgement. The error says what was
// violated.
func (c *Cluster) Run() error {
	if err := c.setUp(); err != nil {
		return fmt.Errorf("set-up: %w", err)
	}
	c.net.faults = c.opt.Faults
	c.nemesis.plan()
	c.operator.plan()
	for _, cl := range c.clients {
		cl.working = true
		cl.begin()
	}
	c.until(c.events.now+c.opt.Safety, func() bool { return false })
	c.log("everything is mended")
	c.nemesis.end()
	c.healed = c.events.now
	for _, cl := range c.clients {
		cl.lost = c.keyLost
	}
	if err := c.rest("everything was mended", c.clientsFinished); err != nil {
		return err
	}
	c.settledAt = c.events.now
	acts := []func() error{c.readEverything, c.outage, c.readEverything}
	if !c.opt.Outage {
		acts = acts[:1]
	}
	for _, act := range acts {
		if err := act(); err != nil {
			return errors.Join(c.failed, err)
		}
		// The balancer may have thought of something meanwhile.
		if err := c.rest("the last requests", c.clientsFinished); err != nil {
			return err
		}
	}
	return errors.Join(c.failed, c.history.check(), c.replicasAgree())
}

// rest waits until the cluster is at rest and something else holds.
func (c *Cluster) rest(after string, and func() bool) error {
	began := c.events.now
	if c.until(began+livenessMax, func() bool { return and() && c.atRest() == nil }) {
		return nil
	}
	return errors.Join(c.failed, fmt.Errorf("not at rest %v after %s: %v%s", c.events.now-began, after,
		c.atRest(), c.describe()))
}

// until runs events until the condition holds or the time is reached; it reports whether it holds.
// The condition is looked at every now and then only.
func (c *Cluster) until(limit time.Duration, done func() bool) bool {
	look := c.events.now
	for c.failed == nil {
		if c.events.now >= look {
			if done() {
				return true
			}
			look = c.events.now + lookAgain
		}
		if !c.events.step(limit) {
			return done()
		}
	}
	return false
}

// lookAgain is how often conditions are looked at.
const lookAgain = 5 * time.Millisecond

func (c *Cluster) setUp() error {
	for _, sw := range c.switches {
		sw.up = true
	}
	if err := c.control.start(); err != nil {
		return err
	}
	for _, n := range c.nodes {
		if err := n.start(); err != nil {
			return err
		}
	}
	system := func() bool {
		k, ok := c.control.view.Keyspace(kv.SystemKeyspace)
		return ok && k.Phase == directory.PhaseReady
	}
	if !c.until(setUpMax, system) {
		return errors.Join(errors.New("the system keyspace did not become ready"), c.failed)
	}
	if err := c.create(); err != nil {
		return err
	}
	return c.preload()
}

// preload writes the records that are there before anything goes wrong.
func (c *Cluster) preload() error {
	cl := c.clients[0]
	cl.preload(c.opt.Preload)
	if !c.until(c.events.now+setUpMax, func() bool { return cl.done == c.opt.Preload }) {
		return errors.Join(errors.New("the first records were not acknowledged"), c.failed)
	}
	cl.asked, cl.done = 0, 0
	return nil
}

// create makes the keyspace of the test.
func (c *Cluster) create() error {
	var made directory.Keyspace
	var err error
	c.control.post(func() {
		made, err = c.control.brain.CreateKeyspace(c.control.now(), directory.CreateKeyspace{
			Name: "test", Partitioner: c.opt.Partitioner, Durability: c.opt.Durability,
			Replication: c.opt.Replication, SubRanges: c.opt.SubRanges,
		})
	})
	ready := func() bool {
		k, ok := c.control.view.KeyspaceNamed("test")
		return ok && k.Phase == directory.PhaseReady
	}
	if err == nil && !c.until(c.events.now+setUpMax, ready) {
		err = errors.New("the keyspace did not become ready")
	}
	if err = errors.Join(err, c.failed); err != nil {
		return err
	}
	c.keyspace = made.Descriptor
	for _, cl := range c.clients {
		cl.keyspace, cl.scans = made.Descriptor, made.Partitioner == kv.RangePartitioned
	}
	return nil
}

// keyNames spreads keys over the line of a range-partitioned keyspace.
func (c *Cluster) keyNames() (names []string) {
	for i := range c.opt.Work.Keys {
		names = append(names, fmt.Sprintf("%ckey%d", byte(i*256/c.opt.Work.Keys), i))
	}
	slices.Sort(names)
	return names
}

func (c *Cluster) addClient(h *host) error {
	s, err := session.New(session.Config{Rand: c.rand})
	if err != nil {
		return err
	}
	cl := &client{
		id: len(c.clients), host: h, net: c.net, session: s, rand: c.rand,
		work: c.opt.Work, service: serviceAddr, history: c.history,
		names: c.keyNames(), seen: map[string]kv.Version{},
	}
	cl.host.receive = cl.deliver
	c.clients = append(c.clients, cl)
	return nil
}

func (c *Cluster) clientsFinished() bool {
	return !slices.ContainsFunc(c.clients, func(cl *client) bool { return !cl.finished() })
}

// Stats says how much a run has tested.
type Stats struct {
	Operations int // ended
	Unknown    int // of them, with an outcome that nobody was told
	Undecided  int // keys whose history was too hard to judge
	Frames     uint64
	Mishaps    [mishapKinds]int
	Actions    int           // commands of the operator that were taken
	Virtual    time.Duration // length of the run
	Healing    time.Duration // (the longest, in a sum) from the mending of everything to rest
	Lost       int           // sub-ranges of which all copies were destroyed
}

// Stats returns the figures of a run that has ended.
func (c *Cluster) Stats() Stats {
	s := Stats{Frames: c.net.frames, Mishaps: c.nemesis.count, Virtual: c.events.now,
		Healing: max(c.settledAt-c.healed, 0), Actions: c.operator.taken,
		Undecided: c.history.undecided}
	for _, cl := range c.clients {
		s.Operations += cl.done
		s.Unknown += cl.unknown
	}
	for _, r := range c.control.store.subRanges {
		if c.copies.lost(r) {
			s.Lost++
		}
	}
	return s
}

// Add adds the figures of another run.
func (s *Stats) Add(o Stats) {
	s.Operations += o.Operations
	s.Unknown += o.Unknown
	s.Undecided += o.Undecided
	s.Frames += o.Frames
	for i := range o.Mishaps {
		s.Mishaps[i] += o.Mishaps[i]
	}
	s.Actions += o.Actions
	s.Virtual += o.Virtual
	s.Healing = max(s.Healing, o.Healing)
	s.Lost += o.Lost
}

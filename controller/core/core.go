package core

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/turbokv/turbokv/controller/balance"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/health"
	"github.com/turbokv/turbokv/kv"
)

// Config is what the core must know besides its records.
type Config struct {
	Directory directory.Config
	Policy    Policy
	// UnixMS is the wall clock in milliseconds at time 0 of the core. Plans carry when they began.
	UnixMS int64
}

// Policy is what an operator may wish to be different. The zero value of a field means its default.
type Policy struct {
	Health  health.Config
	Balance balance.Config
	// RepairDelay is how long a sub-range has had too few members before another one is brought in.
	// Default 2 s: nodes that fail together are all known by then, so that nothing is given to one
	// that is about to be failed, and it is short against the time that copying takes.
	RepairDelay time.Duration
	// MaxJoins is how many nodes may be joining sub-ranges at the same time, in the whole cluster.
	// Default 32, so that a cluster of a thousand nodes is not all repair.
	MaxJoins int
	// MaxJoinsPerNode is how many snapshots a node may send and receive at the same time. Default 2:
	// one that is being confirmed does not keep the next from being copied.
	MaxJoinsPerNode int
	// SwitchPatience is how long a switch must have been out of reach, or within reach again, before
	// sub-ranges get another home because of it. Default 3 s, so that a session that breaks and is
	// opened anew changes nothing.
	SwitchPatience time.Duration
	// BalanceInterval is how often the balancer looks. Default 1 s, for which it is made.
	BalanceInterval time.Duration
	// NoBalance leaves the levelling of load to operators.
	NoBalance bool
}

// withDefaults fills in zero fields.
func (p Policy) withDefaults() Policy {
	p.RepairDelay = cmp.Or(p.RepairDelay, 2*time.Second)
	p.MaxJoins = cmp.Or(p.MaxJoins, 32)
	p.MaxJoinsPerNode = cmp.Or(p.MaxJoinsPerNode, 2)
	p.SwitchPatience = cmp.Or(p.SwitchPatience, 3*time.Second)
	p.BalanceInterval = cmp.Or(p.BalanceInterval, time.Second)
	return p
}

func (p Policy) validate() error {
	if p.RepairDelay < 0 || p.SwitchPatience < 0 || p.MaxJoins < 1 || p.MaxJoinsPerNode < 1 || p.BalanceInterval <= 0 {
		return fmt.Errorf("policy: repair delay %v, switch patience %v, joins %d, per node %d, balance "+
			"interval %v: must be positive", p.RepairDelay, p.SwitchPatience, p.MaxJoins,
			p.MaxJoinsPerNode, p.BalanceInterval)
	}
	return nil
}

// Core is the state machine. It is not safe for concurrent use; the View is.
//
// Every input carries the time at which it was heard, since any fixed moment, never going back.
type Core struct {
	cfg    Config
	dir    *directory.Directory
	now    time.Duration
	out    Effects
	health *health.Detector

	balancer *balance.Balancer
	meter    *balance.Meter
	samples  *balance.Samples

	dirty    bool          // something has changed that may make a step due
	awaiting bool          // for any sign of life of a member, before another one is evicted
	wake     time.Duration // when a step is due without any input
	canProbe bool
	begun    bool                       // some input has told the time
	started  time.Duration              // when that was
	examine  bool                       // a node may be in another state
	seen     map[kv.NodeID]health.State // that steps were taken by
	balanced time.Duration              // when the balancer looked last
	spreadAt time.Duration              // when racks were looked at last
	rehomed  time.Duration              // when homes were looked at last

	// What nodes have said.
	reports map[kv.NodeID]*nodeReport
	refused map[place]refusal
	lost    map[place]time.Duration // when a loss was first heard of

	joinedBytes uint64 // that learners have reported

	reaches map[string]reach // of switches, once anything was heard of them
	racks   racks            // what is to be told of them

	// What cannot be seen in the records, and need not survive.
	shortSince map[kv.SubRangeID]time.Duration // that it has too few members
	shortOf    map[kv.KeyspaceID]bool          // keyspaces with such a sub-range
	retries    map[kv.SubRangeID]retry         // after plans that were given up
	spoke      map[kv.NodeID]time.Duration     // when each was last heard over its present session
	shunned    map[place]time.Duration         // until when a node that did not manage is not asked
	stalls     map[uint64]stall                // of plans
	outages    map[kv.SubRangeID]State         // that were told
	emptied    map[kv.NodeID]bool              // draining nodes that were told to be drained
}

// New returns the core that a snapshot describes, after checking it.
func New(cfg Config, s directory.Snapshot) (*Core, error) {
	dir, err := directory.New(cfg.Directory, s)
	if err != nil {
		return nil, err
	}
	cfg.Policy = cfg.Policy.withDefaults()
	if err := cfg.Policy.validate(); err != nil {
		return nil, err
	}
	if len(cfg.Directory.Switches) > 1 { // sessions do not go through them
		cfg.Policy.Health.Data = true
	}
	detector, err := health.New(cfg.Policy.Health)
	if err != nil {
		return nil, err
	}
	balancer, err := balance.New(cfg.Policy.Balance)
	if err != nil {
		return nil, err
	}
	c := &Core{
		cfg: cfg, dir: dir, health: detector, dirty: true, wake: never,
		canProbe: cfg.Policy.Health.CanProbe,
		balancer: balancer, meter: balance.NewMeter(), samples: balance.NewSamples(),
		reports: make(map[kv.NodeID]*nodeReport), refused: make(map[place]refusal),
		lost: make(map[place]time.Duration), shortSince: make(map[kv.SubRangeID]time.Duration),
		retries: make(map[kv.SubRangeID]retry), shunned: make(map[place]time.Duration),
		spoke: make(map[kv.NodeID]time.Duration), reaches: make(map[string]reach),
		racks:  make(racks),
		stalls: make(map[uint64]stall), outages: make(map[kv.SubRangeID]State),
		emptied: make(map[kv.NodeID]bool), seen: make(map[kv.NodeID]health.State),
	}
	return c, nil
}

// never is later than anything.
const never = time.Duration(math.MaxInt64)

// View returns an immutable copy of the records.
func (c *Core) View() directory.View { return c.dir.View() }

// Revision counts the changes of what switches must hold.
func (c *Core) Revision() uint64 { return c.dir.Revision() }

// ClusterID is drawn once, at the first start.
func (c *Core) ClusterID() string { return c.dir.ClusterID() }

// Take does what is due and returns all effects since the last call. The driver calls it after
// every input, or after a batch of them.
func (c *Core) Take() Effects {
	c.settle()
	e := c.out
	c.out = Effects{}
	return e
}

// settleRounds bounds the steps of one settle. A change makes others due; what is still due then
// waits for the next call, which NextTick asks for at once.
const settleRounds = 8

// settle does what is due.
func (c *Core) settle() {
	c.judge()
	for range settleRounds {
		if !c.dirty {
			return
		}
		c.dirty, c.awaiting, c.wake = false, false, never
		c.forget()
		c.tellRacks()
		c.evict()
		c.recreate()
		c.rehome()
		c.advance()
		c.repair()
		c.drain()
		c.spread()
		c.balance()
		c.alarm()
	}
}

// wakeAt asks for a Tick.
func (c *Core) wakeAt(at time.Duration) { c.wake = min(c.wake, at) }

// NextTick is when Tick is due, if nothing else is heard before.
func (c *Core) NextTick() time.Duration {
	at := c.wake
	if c.dirty {
		at = c.now
	}
	if next, ok := c.health.NextTick(); ok {
		at = min(at, next)
	}
	return at
}

// tell adds an event.
func (c *Core) tell(e Event) { c.out.Events = append(c.out.Events, e) }

// take adds what a command of the directory asks for, and tells of keyspaces.
func (c *Core) take(e directory.Effects) {
	c.out.add(e)
	c.dirty = true
	for _, change := range e.Changes {
		if change.Keyspace != nil {
			c.tellKeyspace(change)
		}
	}
}

func (c *Core) tellKeyspace(change directory.Change) {
	kind := KeyspaceCreated
	switch {
	case change.Keyspace.ID == kv.SystemKeyspace && change.Delete:
		return // it is recreated
	case change.Delete:
		kind = KeyspaceDropped
	case change.Keyspace.Phase == directory.PhaseReady:
		kind = KeyspaceReady
	case change.Keyspace.Phase == directory.PhaseDropping:
		return
	}
	c.tell(Event{Kind: kind, Keyspace: change.Keyspace.Name})
}

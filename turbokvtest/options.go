package turbokvtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/turbokv/turbokv/controller/balance"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/health"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
)

// Options describe a run. The zero value of every field but Seed stands for the default given.
type Options struct {
	Seed        uint64
	Nodes       int            // default 5
	Shape       Shape          // of the network; clients and nodes are spread over its racks
	Clients     int            // default 4
	Replication int            // default 3
	SubRanges   int            // at the beginning; default 4
	Durability  kv.Durability  // default sync
	Partitioner kv.Partitioner // default range
	Preload     int            // records that are there at the beginning; default 0
	Work        Workload
	Limits      serverlib.Limits // of every node; the zero value of a field means its default
	// Safety is how long clients work while things go wrong; default 2 s of virtual time. After
	// that everything is mended, and the cluster must come to rest.
	Safety time.Duration
	Faults Faults // of every cable in that time
	// Mishaps is how often each kind of mishap strikes.
	Mishaps [mishapKinds]int
	// Outage loses one rack more when everything has come to rest: the others must go on without it. Not
	// with a balancer: a rack that is lost in the middle of a change of the order of a chain may take both
	// the tail and the home that is to be, and then the sub-range waits for it.
	Outage bool
	// Actions is how many commands an operator gives meanwhile: moves, splits, merges, drains.
	Actions int
	// Policy is the controller's; the zero value of a field means its default.
	Policy core.Policy
	// Verbose receives what happens, line by line; nil for nobody.
	Verbose func(line string) `json:"-"`
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
	if o.Safety == 0 {
		o.Safety = 2 * time.Second
	}
	o.Work = o.Work.withDefaults()
	return o
}

// String describes the run on one line.
func (o Options) String() string {
	s := fmt.Sprintf("seed %d: %d nodes, %v, %d clients x %d operations on %d keys; "+
		"%d sub-ranges x %d, %v, %v; %v with loss %.2f repeat %.2f reorder %.2f corrupt %.3f, "+
		"%d actions", o.Seed, o.Nodes, o.Shape, o.Clients, o.Work.Operations, o.Work.Keys,
		o.SubRanges, o.Replication, o.Durability, o.Partitioner, o.Safety, o.Faults.Loss,
		o.Faults.Repeat, o.Faults.Reorder, o.Faults.Corrupt, o.Actions)
	if o.Outage {
		s += ", an outage"
	}
	for kind, n := range o.Mishaps {
		if n > 0 {
			s += fmt.Sprintf(", %d x %v", n, Mishap(kind))
		}
	}
	return s
}

// Draw lets a seed choose the shape of the cluster, its work, and what goes wrong.
func Draw(seed uint64) Options {
	r := rand.New(rand.NewPCG(seed, 0x6f707473))
	o := Options{
		Seed: seed, Nodes: 3 + r.IntN(6), Clients: 1 + r.IntN(5), SubRanges: 1 + r.IntN(8),
		Durability: kv.Durability(1 + r.IntN(2)), Partitioner: kv.Partitioner(1 + r.IntN(2)),
		Safety: time.Second + time.Duration(r.IntN(3000))*time.Millisecond,
	}
	o.Replication = 1 + r.IntN(3)
	if r.IntN(2) == 0 {
		o.Shape = drawShape(r)
		o.Nodes += r.IntN(o.Shape.Racks)
		o.Outage = r.IntN(2) == 0
	}
	o.Faults = drawFaults(r)
	o.Work = Workload{ // fewer keys than 4 make histories that are too long to judge
		Keys: 4 + r.IntN(16), InFlight: 1 + r.IntN(6), Operations: 40 + r.IntN(60),
		Deadline: 300*time.Millisecond + time.Duration(r.IntN(2000))*time.Millisecond,
	}
	// Clients are to be busy for most of the time in which things go wrong.
	each := o.Safety * time.Duration(o.Work.InFlight) / time.Duration(o.Work.Operations)
	o.Work.Think = time.Duration(r.Int64N(int64(2 * each)))
	o.drawData(r)
	o.drawMishaps(r)
	o.drawPolicy(r)
	o.Outage = o.Outage && o.Policy.NoBalance
	if r.IntN(4) > 0 {
		o.Actions = r.IntN(8)
	}
	return o
}

// drawFaults draws a network: a quarter of them are sound, so that nothing hides behind time-outs.
func drawFaults(r *rand.Rand) Faults {
	if r.IntN(4) == 0 {
		return Faults{}
	}
	return Faults{
		Loss: r.Float64() * 0.2, Repeat: r.Float64() * 0.2, Reorder: r.Float64() * 0.2,
		Corrupt: r.Float64() * 0.02,
	}
}

// drawMishaps draws how much goes wrong: from nothing to a lot of everything.
func (o *Options) drawMishaps(r *rand.Rand) {
	total := r.IntN(12)
	for range total {
		kind := Mishap(r.IntN(int(o.Shape.mishaps())))
		o.Mishaps[kind]++
	}
	if o.Shape.many() && r.IntN(4) == 0 {
		o.Mishaps[StaleRack] += 1 + r.IntN(2)
	}
}

// drawPolicy draws a controller that is quicker than an operator would like, so that a run of
// seconds sees what takes minutes otherwise.
func (o *Options) drawPolicy(r *rand.Rand) {
	within := func(d time.Duration) time.Duration { return d/20 + time.Duration(r.Int64N(int64(d))) }
	o.Policy = core.Policy{
		Health:      health.Config{SessionPatience: 800*time.Millisecond + within(2*time.Second)},
		RepairDelay: within(time.Second), SwitchPatience: within(time.Second),
		MaxJoins: 1 + r.IntN(16), MaxJoinsPerNode: 1 + r.IntN(3),
		BalanceInterval: within(500 * time.Millisecond), NoBalance: r.IntN(2) == 0,
		Balance: balance.Config{Hold: within(time.Second), Cooldown: within(2 * time.Second),
			Settle: within(time.Second)},
	}
}

// drawData draws how much there is to copy to those who join, and how fast. A small window makes
// learners fall behind, and short logs.
func (o *Options) drawData(r *rand.Rand) {
	if r.IntN(2) == 0 {
		return
	}
	o.Preload = r.IntN(300)
	o.Limits.Window = 16 << r.IntN(6)
	o.Limits.SnapshotRate = 50_000 << r.IntN(8)
}

package turbokvtest

import (
	"net/netip"
	"time"

	"github.com/turbokv/turbokv/controller/balance"
	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/links"
	"github.com/turbokv/turbokv/controller/reconcile"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
)

// Times of a P4Runtime session: how long an update of a batch takes, how long an answer is waited
// for, and how often counters are read.
const (
	updateMax   = 40 * time.Microsecond
	rpcPatience = time.Second
	pollEvery   = 500 * time.Millisecond
	loadMax     = 20 * time.Millisecond
)

// driver is the controller's side of one switch, as package controller has it: read, plan, write in
// batches, again whenever the directory has changed.
type driver struct {
	control *control
	sw      *fabric

	term      uint64 // counts sessions; 0: none yet
	connected bool
	swLife    uint64 // of the switch that the session is with
	installed tables.State
	ready     bool   // installed is what the switch holds
	complete  bool   // it has been synchronised in this session
	busy      bool   // a sync is under way
	stale     bool   // something has changed since the last sync began
	calls     uint64 // counts calls, to tell answers from time-outs
}

func newDriver(k *control, sw *fabric) *driver {
	d := &driver{control: k, sw: sw}
	d.later(reconnectMax, d.connect)
	return d
}

// later does something within a time, if the controller lives until then.
func (d *driver) later(within time.Duration, do func()) {
	c := d.control.cluster
	c.events.after(c.within(within), d.control.in(do))
}

// during wraps what belongs to the present session.
func (d *driver) during(do func()) func() {
	term := d.term
	return d.control.in(func() {
		if d.connected && d.term == term {
			do()
		}
	})
}

// atSwitch wraps what the switch does for the present session, if it still is the one that may ask.
func (d *driver) atSwitch(do func()) func() {
	term := d.term
	return func() {
		if d.sw.primary == term {
			do()
		}
	}
}

// connect opens a session and becomes primary.
func (d *driver) connect() {
	c := d.control.cluster
	if !d.sw.up || !c.management.open(controllerPlace, d.sw.place) {
		d.later(reconnectMax, d.connect)
		return
	}
	c.elections++
	d.term, d.connected, d.swLife = c.elections, true, d.sw.life
	d.busy, d.ready, d.complete = false, false, false
	d.sw.primary = d.term
	d.sw.toController = func(port uint16, frame []byte) { d.control.packetIn(d, port, frame) }
	d.sw.report = d.learn
	d.control.watch(func(l *links.Links, now time.Duration) { l.SwitchBack(now, d.sw.name) })
	d.control.carrier.Attached(d.sw.name)
	d.control.chooseCarrier()
	c.events.after(pollEvery, d.during(d.poll))
	d.call(d.begin, d.adopt)
}

// begin loads the program if need be, at the switch.
func (d *driver) begin(done func()) {
	if d.sw.live != nil {
		done()
		return
	}
	c := d.control.cluster
	life := d.sw.life
	c.events.after(c.within(loadMax), func() {
		if d.sw.life != life {
			return
		}
		if d.sw.live == nil {
			if err := d.sw.load(); err != nil {
				c.fail(err)
				return
			}
		}
		done()
	})
}

// adopt starts from what the switch holds.
func (d *driver) adopt() {
	k := d.control
	d.installed, d.ready = d.sw.held(), true
	known := k.hosts.Len()
	k.hosts.Adopt(k.now(), d.sw.name, d.installed, func(r dataplane.Route) bool {
		return d.notAHost(r.Addr) || d.uplink(r)
	})
	d.sync()
	if k.hosts.Len() > known {
		k.everySwitch()
	}
}

func (d *driver) notAHost(a netip.Addr) bool {
	_, node := d.control.view.Node(kv.NodeIDOf(a))
	return node || a == controllerAddr.Addr() || a == serviceAddr.Addr()
}

// learn takes a report of the switch.
func (d *driver) learn(members []tables.Value) {
	r, ok := dataplane.RouteOfDigest(members)
	r.Switch = d.sw.name
	d.travel(d.sw.place, controllerPlace, d.during(func() {
		if ok && !d.notAHost(r.Addr) && !d.uplink(r) && d.control.hosts.Learn(d.control.now(), r) {
			d.control.everySwitch()
		}
	}))
}

// uplink reports whether a route leads to another switch: those are not learned.
func (d *driver) uplink(r dataplane.Route) bool { return d.sw.peers[uint16(r.Port)] != nil }

// lost ends the session; another attempt follows.
func (d *driver) lost() {
	if !d.connected {
		return
	}
	d.connected = false
	d.control.watch(func(l *links.Links, now time.Duration) { l.SwitchGone(now, d.sw.name) })
	d.control.chooseCarrier()
	d.control.post(func() { d.control.brain.SwitchLost(d.control.now(), d.sw.name) })
	d.later(reconnectMax, d.connect)
}

// call carries a request to the switch, where serve runs, and its answer back. Without an answer in
// time the session is over, whatever became of the request.
func (d *driver) call(serve func(done func()), answer func()) {
	c, life, term := d.control.cluster, d.swLife, d.term
	d.calls++
	id := d.calls
	back := d.during(func() {
		if d.calls == id {
			d.calls++
			answer()
		}
	})
	d.travel(controllerPlace, d.sw.place, func() {
		if d.sw.life == life && d.sw.primary == term {
			serve(func() { d.travel(d.sw.place, controllerPlace, back) })
		}
	})
	c.events.after(rpcPatience, d.during(func() {
		if d.calls == id {
			d.lost()
		}
	}))
}

// travel carries a message; it waits while the path is cut, and is forgotten with the session.
func (d *driver) travel(from, to place, do func()) {
	c, term := d.control.cluster, d.term
	var arrive func()
	arrive = func() {
		if c.management.cuts.open(from, to) {
			do()
		} else if d.connected && d.term == term {
			c.events.after(lookEvery/4, arrive)
		}
	}
	c.events.after(c.within(wireDelayMax), arrive)
}

// changed makes the switch follow what has changed.
func (d *driver) changed() {
	d.stale = true
	if d.connected && d.ready && !d.busy {
		d.sync()
	}
}

// sync writes the difference between what the switch holds and what it should hold.
func (d *driver) sync() {
	d.busy, d.stale = true, false
	view, fabric, c := d.control.view, d.control.fabric, d.control.cluster
	desired := d.desired(view)
	size := 1 + c.rand.IntN(8) // small batches, so that what lies between them is seen
	batches := reconcile.Plan(desired, d.installed, dataplane.Order, size)
	d.write(batches, func() {
		d.installed = desired.Over(d.installed)
		d.control.post(func() {
			d.control.brain.SwitchSynced(d.control.now(), d.sw.name, view.Revision)
		})
		d.control.holds(d, fabric)
		d.busy = false
		if d.stale {
			d.sync()
		}
	})
}

// write sends batches one after the other.
func (d *driver) write(batches []reconcile.Batch, done func()) {
	if len(batches) == 0 {
		done()
		return
	}
	d.call(func(answered func()) { d.execute(batches[0], answered) },
		func() { d.write(batches[1:], done) })
}

// execute carries out a batch at the switch: each update by itself, in any order.
func (d *driver) execute(batch reconcile.Batch, done func()) {
	c, life := d.control.cluster, d.sw.life
	order := c.rand.Perm(len(batch))
	var next func()
	next = func() {
		switch {
		case d.sw.life != life:
		case len(order) == 0:
			done()
		default:
			u := batch[order[0]]
			order = order[1:]
			if err := d.sw.write(u); err != nil {
				c.fail(err)
				return
			}
			c.events.after(c.within(updateMax), next)
		}
	}
	next()
}

// desired is what the switch must hold.
func (d *driver) desired(view directory.View) tables.State {
	k := d.control
	sw := dataplane.Switch{Name: d.sw.name, Services: []netip.Addr{serviceAddr.Addr()}, Fabric: k.fabric}
	if k.fabric == nil {
		sw.Local = []dataplane.Route{ownRoute}
	}
	sw.Hosts, sw.Silent = k.hosts.Routes(k.now())
	return dataplane.Desired(view, sw)
}

// poll reads the counters.
func (d *driver) poll() {
	d.control.cluster.events.after(pollEvery, d.during(d.poll))
	if !d.ready || d.busy {
		return
	}
	d.call(func(done func()) { done() }, d.count)
}

// count gives the controller what the switch has counted.
func (d *driver) count() {
	var out []balance.Count
	for _, s := range d.control.view.SubRanges() {
		if s.Created && d.sw.live != nil {
			out = append(out, balance.Count{SubRange: s.ID, Reads: d.sw.counter(p4src.ReadCounter, s.ID),
				Writes: d.sw.counter(p4src.WriteCounter, s.ID)})
		}
	}
	d.control.post(func() { d.control.brain.Counted(d.control.now(), d.sw.name, out) })
}

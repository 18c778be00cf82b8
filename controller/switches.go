package controller

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/controller/reconcile"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
)

// switchStatus is what the loop knows of one switch.
type switchStatus struct {
	primary  bool
	entries  int
	rows     dataplane.Rows // of the index
	hosts    int
	revision uint64 // that it holds
	updates  uint64
	pushes   uint64
	err      error
	drops    map[string]uint64
}

// switchDriver keeps one switch as the directory says.
type switchDriver struct {
	cfg    Config
	name   string
	loop   *loop
	link   *cpuLink             // nil: the controller has no address in the data network
	hosts  *hostTable           // of all switches
	learnt chan dataplane.Route // from the stream, to be learned

	// Of the session.
	installed tables.State
}

// learnQueue bounds the reports of hosts that wait. What finds no room is not confirmed, so the
// switch repeats it.
const learnQueue = 256

// How long a switch may take for one batch of updates or one read of counters, and for a read of all
// that it holds. One that takes longer is as good as gone: the session begins again.
const (
	rpcTimeout  = 10 * time.Second
	readTimeout = time.Minute
)

// readBack is how often a refused batch is followed by a look at what the switch holds and another
// attempt, before the session is given up and begun again.
const readBack = 3

func newSwitchDriver(cfg Config, name string, l *loop, link *cpuLink, hosts *hostTable) *switchDriver {
	return &switchDriver{
		cfg: cfg, name: name, loop: l, link: link, hosts: hosts,
		learnt: make(chan dataplane.Route, learnQueue),
	}
}

// client returns the P4Runtime client of the switch.
func (d *switchDriver) client(ctx context.Context, sw Switch, term uint64) (*p4rt.Client, error) {
	return p4rt.New(p4rt.Config{
		Target: sw.Target, DeviceID: sw.DeviceID, ElectionID: p4rt.ElectionID{Low: term},
		Pipeline: d.cfg.Pipeline, DialOptions: sw.DialOptions,
		PacketIn: d.packetIn,
		Digest:   d.digest,
		Events: p4rt.Events{
			Disconnected: func(err error) { d.lost(ctx, err) },
			Primary:      func(is bool) { d.elected(ctx, is) },
			PipelinePushed: func(uint64) {
				d.note(ctx, func(s *switchStatus) { s.pushes++ })
				d.tell(Event{Kind: PipelinePushed})
			},
			PortStatus: func(port uint32, up bool) {
				_ = d.loop.post(ctx, func() { // fails only when all ends
					d.loop.network.portChanged(d.name, port, up)
				})
			},
			StreamError: func(message string) {
				d.tell(Event{Kind: SwitchRefused, Severity: core.Warning, Err: errors.New(message)})
			},
			Undecodable: func(what string, err error) {
				d.tell(Event{Kind: SwitchRefused, Severity: core.Warning, Err: fmt.Errorf("%s: %w", what, err)})
			},
		},
	})
}

func (d *switchDriver) tell(e Event) {
	e.Switch = d.name
	d.loop.journal.tell(e)
}

// note changes what the loop knows of the switch.
func (d *switchDriver) note(ctx context.Context, f func(*switchStatus)) {
	_ = d.loop.post(ctx, func() { f(d.loop.switches[d.name]) }) // fails only when all ends
}

func (d *switchDriver) lost(ctx context.Context, why error) {
	_ = d.loop.post(ctx, func() { // fails only when all ends
		d.tell(Event{Kind: SwitchLost, Severity: core.Warning, Err: why})
		s := d.loop.switches[d.name]
		s.primary, s.revision, s.err = false, 0, why
		d.loop.core.SwitchLost(d.loop.now(), d.name)
	})
}

func (d *switchDriver) elected(ctx context.Context, primary bool) {
	kind := SwitchStandby
	if primary {
		kind = SwitchPrimary
	}
	d.note(ctx, func(s *switchStatus) {
		d.tell(Event{Kind: kind})
		s.primary = primary
		if !primary {
			s.revision = 0
			d.loop.core.SwitchLost(d.loop.now(), d.name)
		}
	})
}

// packetIn takes a frame from the stream. It must not wait: what finds no room is lost, as on any
// network.
func (d *switchDriver) packetIn(frame []byte, meta p4rt.Metadata) {
	if isLLDP(frame) {
		port, _ := meta[p4src.IngressPort].Uint64()
		at := topology.End{Name: d.name, Port: uint32(port)}
		select {
		case d.loop.work <- func() { d.loop.network.heard(at, frame) }:
		default:
		}
	} else if d.link != nil {
		d.link.deliver(frame)
	}
}

// digest takes reports of hosts from the stream. It must not wait.
func (d *switchDriver) digest(list p4rt.DigestList) (confirm bool) {
	if list.Name != p4src.LearnDigest {
		return true
	}
	for _, members := range list.Entries {
		r, ok := dataplane.RouteOfDigest(members)
		if !ok {
			continue
		}
		select {
		case d.learnt <- r:
		default:
			return false
		}
	}
	return true
}

// work is one term as primary: make the switch hold what the directory says, for as long as ctx
// lasts.
func (d *switchDriver) work(ctx context.Context, s *p4rt.Session) error {
	n := d.loop.network
	if err := d.loop.do(ctx, func() { n.attached(d.name, s) }); err != nil {
		return err
	}
	defer func() { // fails only when all ends
		_ = d.loop.post(context.WithoutCancel(ctx), func() { n.detached(d.name, s) })
	}()
	if err := d.read(ctx, s); err != nil {
		return err
	}
	d.adopt()
	poll := time.NewTicker(d.cfg.PollInterval)
	defer poll.Stop()
	for {
		view, how, newer := d.loop.wanted()
		if err := d.sync(ctx, s, view, how); err != nil {
			return err
		}
		for idle := true; idle; {
			select {
			case <-newer:
				idle = false
			case r := <-d.learnt:
				d.learn(r)
			case <-poll.C:
				if err := d.poll(ctx, s, view); err != nil {
					return err
				}
				if d.hosts.age(d.loop.now()) {
					d.loop.change(func() {})
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// adopt takes over the hosts that the switch holds.
func (d *switchDriver) adopt() {
	_, how, _ := d.loop.wanted()
	known := dataplane.KnownHosts(d.installed)
	d.hosts.adopt(d.loop.now(), d.name, d.installed, func(r dataplane.Route) bool {
		return !d.mayLearn(r) || !known[r.Addr] && how.fabric != nil && how.fabric.Names(r)
	})
}

// mayLearn reports whether a route can be one to a host: not those to nodes, to the controller, to the
// service, or to another switch.
func (d *switchDriver) mayLearn(r dataplane.Route) bool {
	view, how, _ := d.loop.wanted()
	_, node := view.Node(kv.NodeIDOf(r.Addr))
	return !node && r.Addr != d.cfg.Address.Addr().Unmap() && r.Addr != d.cfg.Service.Unmap() &&
		(how.fabric == nil || !how.fabric.Joins(d.name, r.Port))
}

// learn takes one report. If that changes what switches must hold, all look again, this one too.
func (d *switchDriver) learn(r dataplane.Route) {
	r.Switch = d.name
	if !d.mayLearn(r) {
		return
	}
	changed, full := d.hosts.learn(d.loop.now(), r)
	if full {
		d.tell(Event{Kind: HostsFull, Severity: core.Warning, Err: fmt.Errorf("no room for %v", r.Addr)})
	}
	if changed {
		d.loop.change(func() {})
	}
}

// read looks at what the switch holds.
func (d *switchDriver) read(ctx context.Context, s *p4rt.Session) (err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	d.installed, err = s.ReadState(ctx, dataplane.Tables, []string{p4src.LearnDigest})
	return err
}

// desired is what the switch must hold for a view.
func (d *switchDriver) desired(view directory.View, how joined) tables.State {
	sw := dataplane.Switch{Name: d.name, Services: []netip.Addr{d.cfg.Service}, Fabric: how.fabric}
	if how.fabric == nil && d.link != nil {
		sw.Local = []dataplane.Route{{
			Addr: d.cfg.Address.Addr().Unmap(), MAC: transport.MACOf(d.cfg.Address.Addr()),
			Port: p4src.CPUPort,
		}}
	}
	sw.Hosts, sw.Silent = d.hosts.routes(d.loop.now())
	return dataplane.Desired(view, sw)
}

// sync writes the differences. After a batch of which a part was refused it looks again.
func (d *switchDriver) sync(ctx context.Context, s *p4rt.Session, view directory.View, how joined,
) error {
	written := 0
	for attempt := 0; ; attempt++ {
		desired := d.desired(view, how)
		n, err := d.write(ctx, s, desired)
		written += n
		if err == nil {
			d.installed = desired.Over(d.installed)
			break
		}
		var batch *p4rt.BatchError
		if !errors.As(err, &batch) || attempt == readBack {
			return err
		}
		d.tell(Event{Kind: SwitchRefused, Severity: core.Warning, Err: err})
		if err := d.read(ctx, s); err != nil {
			return err
		}
	}
	if written > 0 {
		d.tell(Event{Kind: SwitchSynced, Count: written})
	}
	entries, rows, hosts := len(d.installed.Entries), dataplane.RowsIn(d.installed), d.hosts.count(d.name)
	return d.loop.post(ctx, func() {
		st := d.loop.switches[d.name]
		st.revision, st.err, st.entries, st.rows, st.hosts = view.Revision, nil, entries, rows, hosts
		st.updates += uint64(written)
		d.loop.network.holds(d.name, how.fabric)
		d.loop.core.SwitchSynced(d.loop.now(), d.name, view.Revision)
	})
}

// write executes the plan, and returns how many updates were sent.
func (d *switchDriver) write(ctx context.Context, s *p4rt.Session, desired tables.State,
) (written int, err error) {
	for _, batch := range reconcile.Plan(desired, d.installed, dataplane.Order, 0) {
		if err := writeBatch(ctx, s, batch); err != nil {
			return written, err
		}
		written += len(batch)
	}
	return written, nil
}

func writeBatch(ctx context.Context, s *p4rt.Session, batch reconcile.Batch) error {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	return s.Write(ctx, batch)
}

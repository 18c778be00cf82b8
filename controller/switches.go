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
	"github.com/turbokv/turbokv/transport"
)

// switchStatus is what the loop knows of one switch.
type switchStatus struct {
	primary  bool
	entries  int
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
	link   *cpuLink // nil if this switch does not carry the controller's own traffic
	hosts  *dataplane.Hosts
	aged   time.Duration        // when hosts were aged last
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

func newSwitchDriver(cfg Config, name string, l *loop, link *cpuLink) *switchDriver {
	return &switchDriver{
		cfg: cfg, name: name, loop: l, link: link,
		hosts:  dataplane.NewHosts(cfg.MaxHosts, cfg.HostAge),
		learnt: make(chan dataplane.Route, learnQueue),
	}
}

// client returns the P4Runtime client of the switch.
func (d *switchDriver) client(ctx context.Context, sw Switch, term uint64) (*p4rt.Client, error) {
	return p4rt.New(p4rt.Config{
		Target: sw.Target, DeviceID: sw.DeviceID, ElectionID: p4rt.ElectionID{Low: term},
		Pipeline: d.cfg.Pipeline, DialOptions: sw.DialOptions,
		PacketIn: func(payload []byte, _ p4rt.Metadata) {
			if d.link != nil {
				d.link.deliver(payload)
			}
		},
		Digest: d.digest,
		Events: p4rt.Events{
			Disconnected: func(err error) { d.lost(ctx, err) },
			Primary:      func(is bool) { d.elected(ctx, is) },
			PipelinePushed: func(uint64) {
				d.note(ctx, func(s *switchStatus) { s.pushes++ })
				d.tell(Event{Kind: PipelinePushed})
			},
			PortStatus: func(port uint32, up bool) {
				_ = d.loop.post(ctx, func() { // fails only when all ends
					d.loop.core.PortChanged(d.loop.now(), d.name, port, up)
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
	if d.link != nil {
		d.carry(ctx, s)
		defer d.carry(context.WithoutCancel(ctx), nil)
	}
	if err := d.read(ctx, s); err != nil {
		return err
	}
	view, _ := d.loop.current()
	notHost := d.notHosts(view)
	d.hosts.Adopt(d.loop.now(), d.name, d.installed, func(r dataplane.Route) bool { return notHost(r.Addr) })
	poll := time.NewTicker(d.cfg.PollInterval)
	defer poll.Stop()
	for {
		view, newer := d.loop.current()
		if err := d.sync(ctx, s, view); err != nil {
			return err
		}
		for idle := true; idle; {
			select {
			case <-newer:
				idle = false
			case r := <-d.learnt:
				idle = !d.learn(r)
			case <-poll.C:
				if err := d.poll(ctx, s, view); err != nil {
					return err
				}
				idle = !d.age()
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// carry makes the session carry the controller's own traffic; nil: none does.
func (d *switchDriver) carry(ctx context.Context, s *p4rt.Session) {
	d.link.attach(s)
	_ = d.loop.post(ctx, func() { // fails only when all ends
		d.loop.core.CanProbe(d.loop.now(), s != nil)
	})
}

// notHosts tells the addresses that are not to be learned.
func (d *switchDriver) notHosts(view directory.View) func(netip.Addr) bool {
	return func(a netip.Addr) bool {
		_, node := view.Node(kv.NodeIDOf(a))
		return node || a == d.cfg.Address.Addr().Unmap() || a == d.cfg.Service.Unmap()
	}
}

// learn takes one report and tells whether the switch must be told.
func (d *switchDriver) learn(r dataplane.Route) bool {
	view, _ := d.loop.current()
	if d.notHosts(view)(r.Addr) {
		return false
	}
	refused := d.hosts.Refused
	changed := d.hosts.Learn(d.loop.now(), r)
	if d.hosts.Refused > refused {
		d.tell(Event{Kind: HostsFull, Severity: core.Warning, Err: fmt.Errorf("no room for %v", r.Addr)})
	}
	return changed
}

func (d *switchDriver) age() bool {
	last := d.aged
	d.aged = d.loop.now()
	return d.hosts.Age(last, d.aged)
}

// read looks at what the switch holds.
func (d *switchDriver) read(ctx context.Context, s *p4rt.Session) (err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	d.installed, err = s.ReadState(ctx, dataplane.Tables, []string{p4src.LearnDigest})
	return err
}

// desired is what the switch must hold for a view.
func (d *switchDriver) desired(view directory.View) tables.State {
	sw := dataplane.Switch{Name: d.name, Services: []netip.Addr{d.cfg.Service}}
	if d.cfg.Address.IsValid() && d.link != nil {
		sw.Local = []dataplane.Route{{
			Addr: d.cfg.Address.Addr().Unmap(), MAC: transport.MACOf(d.cfg.Address.Addr()),
			Port: p4src.CPUPort,
		}}
	}
	sw.Hosts, sw.Silent = d.hosts.Routes(d.loop.now())
	return dataplane.Desired(view, sw)
}

// sync writes the differences. After a batch of which a part was refused it looks again.
func (d *switchDriver) sync(ctx context.Context, s *p4rt.Session, view directory.View) error {
	written := 0
	for attempt := 0; ; attempt++ {
		desired := d.desired(view)
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
	entries, hosts := len(d.installed.Entries), d.hosts.Len()
	return d.loop.post(ctx, func() {
		st := d.loop.switches[d.name]
		st.revision, st.err, st.entries, st.hosts = view.Revision, nil, entries, hosts
		st.updates += uint64(written)
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

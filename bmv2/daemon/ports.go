package daemon

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// portTable finds a port by its number.
type portTable [port.MaxNumber + 1]*livePort

// AddPort connects a port while the switch runs; the switch closes it.
func (d *Daemon) AddPort(number uint16, p port.Port) error {
	if number > port.MaxNumber {
		return fmt.Errorf("port %d: %w: valid are 0..%d", number, ErrNoPort, port.MaxNumber)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fmt.Errorf("port %d: %w", number, ErrClosed)
	}
	next := *d.table.Load()
	if next[number] != nil {
		return fmt.Errorf("port %d: %w", number, ErrPortInUse)
	}
	live := &livePort{number: number, port: p}
	next[number] = live
	if stated, ok := port.As[port.Stated](p); ok {
		live.setState(stated.Notify(func(s port.State) { d.portState(live, s) }))
	}
	d.table.Store(&next)
	for queue := range port.Queues(p) {
		l := newLoop(d, live, queue)
		live.loops.Add(1)
		d.loops.Go(l.run)
	}
	d.tellPort(number, live.up())
	return nil
}

// portState takes in what became of the cable of a port.
func (d *Daemon) portState(p *livePort, s port.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.table.Load()[p.number] != p {
		return
	}
	before := p.up()
	p.setState(s)
	if p.up() != before {
		d.tellPort(p.number, p.up())
	}
	if d.cfg.Events.PortState != nil {
		d.cfg.Events.PortState(p.number, s)
	}
}

// tellPort tells controllers and the choices that watch ports; d.mu is held.
func (d *Daemon) tellPort(number uint16, up bool) {
	if sw := d.sw.Load(); sw != nil {
		sw.SetPort(number, up)
	}
	d.server.PortStatus(uint32(number), up)
}

// tellSwitch tells a new pipeline which ports are down; d.mu is held.
func (d *Daemon) tellSwitch(sw *v1model.Switch) {
	for _, p := range d.table.Load() {
		if p != nil && !p.up() {
			sw.SetPort(p.number, false)
		}
	}
}

// RemovePort closes a port and waits until no frame of it is in the switch.
func (d *Daemon) RemovePort(number uint16) error {
	p := d.detach(number, nil)
	if p == nil {
		return fmt.Errorf("port %d: %w", number, ErrNoPort)
	}
	err := p.port.Close()
	p.loops.Wait()
	return err
}

// detach takes a port out of the table; it returns nil when the port is not there, or another
// than only.
func (d *Daemon) detach(number uint16, only *livePort) *livePort {
	d.mu.Lock()
	defer d.mu.Unlock()
	if number > port.MaxNumber {
		return nil
	}
	next := *d.table.Load()
	p := next[number]
	if p == nil || only != nil && p != only {
		return nil
	}
	next[number] = nil
	d.table.Store(&next)
	d.tellPort(number, false)
	return p
}

// hasPort reports whether a port is in service and its cable works.
func (d *Daemon) hasPort(number uint16) bool {
	if number > port.MaxNumber {
		return false
	}
	p := d.table.Load()[number]
	return p != nil && p.up()
}

// Ports returns the counters of all ports by ascending number, the CPU port included.
func (d *Daemon) Ports() []PortCounters {
	var all []PortCounters
	for _, p := range d.table.Load() {
		if p != nil {
			all = append(all, p.counters())
		}
	}
	return all
}

// backlog tells what waits at a port, in frames and microseconds. Only the queue of a shaped link is
// known, without the frames of the batch that is under way.
func (d *Daemon) backlog(number uint16) (frames, wait uint64) {
	if number > port.MaxNumber {
		return 0, 0
	}
	p := d.table.Load()[number]
	if p == nil {
		return 0, 0
	}
	q, ok := port.As[port.Queueing](p.port)
	if !ok {
		return 0, 0
	}
	n, t := q.Backlog()
	return uint64(n), uint64(t.Microseconds())
}

package daemon

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2/port"
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
	next[number] = &livePort{number: number, port: p, done: make(chan struct{})}
	d.table.Store(&next)
	l := newLoop(d, next[number])
	d.loops.Go(l.run)
	d.server.PortStatus(uint32(number), true)
	return nil
}

// RemovePort closes a port and waits until no frame of it is in the switch.
func (d *Daemon) RemovePort(number uint16) error {
	p := d.detach(number, nil)
	if p == nil {
		return fmt.Errorf("port %d: %w", number, ErrNoPort)
	}
	err := p.port.Close()
	<-p.done
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
	d.server.PortStatus(uint32(number), false)
	return p
}

// hasPort reports whether a port is in service.
func (d *Daemon) hasPort(number uint16) bool {
	return number <= port.MaxNumber && d.table.Load()[number] != nil
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

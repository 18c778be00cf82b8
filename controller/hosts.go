package controller

import (
	"sync"
	"time"

	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

// hostTable are the hosts that all switches have reported. It is safe for concurrent use.
type hostTable struct {
	mu    sync.Mutex
	hosts *dataplane.Hosts
	aged  time.Duration // when hosts were aged last
}

func newHostTable(cfg Config) *hostTable {
	return &hostTable{hosts: dataplane.NewHosts(cfg.MaxHosts, cfg.HostAge)}
}

// learn takes one report, and tells whether switches must be told and whether there was no room.
func (t *hostTable) learn(now time.Duration, r dataplane.Route) (changed, full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	refused := t.hosts.Refused
	changed = t.hosts.Learn(now, r)
	return changed, t.hosts.Refused > refused
}

func (t *hostTable) age(now time.Duration) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.aged
	t.aged = now
	return t.hosts.Age(last, now)
}

// adopt takes over what a switch has learned in an earlier run of the controller.
func (t *hostTable) adopt(now time.Duration, sw string, held tables.State, skip func(dataplane.Route) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hosts.Adopt(now, sw, held, skip)
}

func (t *hostTable) routes(now time.Duration) (known, silent []dataplane.Route) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hosts.Routes(now)
}

// count returns the number of hosts at one switch.
func (t *hostTable) count(sw string) (n int) {
	known, silent := t.routes(0)
	for _, r := range append(known, silent...) {
		if r.Switch == sw {
			n++
		}
	}
	return n
}

package dataplane

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// DefaultMaxHosts leaves half of ipv4_table to nodes and uplinks.
const DefaultMaxHosts = 2048

// DefaultHostAge is how long a host may be silent before it may be forgotten. ARP caches of hosts
// last minutes; a host that comes back later costs one digest.
const DefaultHostAge = 10 * time.Minute

// Hosts are the hosts that switches have reported, in bounded number. Pure: time comes in. A host is
// where it was reported last.
//
// A switch reports only unknown hosts, so silence does not tell a dead host from a busy one. When a
// host grows old, only its row in learn_table is taken away, and its route stays: if it is alive,
// its next packet is reported and makes it young again; if nothing comes for as long once more, the
// route goes too. Traffic of a living host is never disturbed.
type Hosts struct {
	max     int
	age     time.Duration
	hosts   map[netip.Addr]*host
	Refused uint64 // reports for which there was no room
}

type host struct {
	Route
	seen time.Duration // last report
}

// NewHosts returns an empty set. Zero values stand for the defaults.
func NewHosts(limit int, age time.Duration) *Hosts {
	return &Hosts{max: cmp.Or(limit, DefaultMaxHosts), age: cmp.Or(age, DefaultHostAge),
		hosts: make(map[netip.Addr]*host)}
}

// Learn takes one report at the given time and tells whether what the switch must hold changed. A
// full set makes room by forgetting a host that has been silent, and refuses if there is none: so a
// flood of invented addresses cannot push out living hosts.
func (h *Hosts) Learn(now time.Duration, r Route) (changed bool) {
	if old, ok := h.hosts[r.Addr]; ok {
		changed = old.Route != r || h.silent(now, old)
		old.Route, old.seen = r, now
		return changed
	}
	if len(h.hosts) >= h.max && !h.forgetSilent(now) {
		h.Refused++
		return false
	}
	h.hosts[r.Addr] = &host{Route: r, seen: now}
	return true
}

func (h *Hosts) silent(now time.Duration, x *host) bool { return now-x.seen >= h.age }

// forgetSilent removes the host that has been silent for longest.
func (h *Hosts) forgetSilent(now time.Duration) bool {
	var oldest *host
	for _, x := range h.hosts {
		if h.silent(now, x) && (oldest == nil || x.seen < oldest.seen ||
			x.seen == oldest.seen && x.Addr.Less(oldest.Addr)) {
			oldest = x
		}
	}
	if oldest == nil {
		return false
	}
	delete(h.hosts, oldest.Addr)
	return true
}

// Age forgets the hosts that stayed silent after their rows in learn_table were taken away, and
// tells whether what the switch must hold changed since the last call, which was at last.
func (h *Hosts) Age(last, now time.Duration) (changed bool) {
	for addr, x := range h.hosts {
		if now-x.seen >= 2*h.age {
			delete(h.hosts, addr)
			changed = true
		} else if h.silent(now, x) && !h.silent(last, x) {
			changed = true
		}
	}
	return changed
}

// Adopt takes over the hosts that a switch already holds: those of an earlier run of the
// controller. They count as seen now. What is known already stays as it is, and routes that do not
// lead to a host of that switch are skipped.
func (h *Hosts) Adopt(now time.Duration, sw string, s tables.State, skip func(Route) bool) {
	for _, e := range s.Entries {
		r, ok := routeOf(e)
		r.Switch = sw
		if !ok || h.hosts[r.Addr] != nil || len(h.hosts) >= h.max || skip(r) {
			continue
		}
		h.hosts[r.Addr] = &host{Route: r, seen: now}
	}
}

func routeOf(e tables.Entry) (r Route, ok bool) {
	dst, _ := e.Field(p4src.DstAddr)
	if e.Table != p4src.IPv4Table || e.Action != p4src.Forward || dst.Prefix != 32 {
		return Route{}, false
	}
	var addr [4]byte
	port, small := e.Param(p4src.Port).Uint64()
	ok = dst.Value.Fill(addr[:]) && e.Param(p4src.DstMAC).Fill(r.MAC[:]) && small &&
		port != p4src.CPUPort
	r.Addr, r.Port = netip.AddrFrom4(addr), Port(port)
	return r, ok
}

// Routes returns the hosts by address: those to be silenced in learn_table, and those that have
// been silent and are routed only.
func (h *Hosts) Routes(now time.Duration) (known, silent []Route) {
	for _, addr := range slices.SortedFunc(maps.Keys(h.hosts), netip.Addr.Compare) {
		if x := h.hosts[addr]; h.silent(now, x) {
			silent = append(silent, x.Route)
		} else {
			known = append(known, x.Route)
		}
	}
	return known, silent
}

// Len returns the number of hosts.
func (h *Hosts) Len() int { return len(h.hosts) }

// RouteOfDigest decodes one report of the switch: address, MAC, port. Addresses that cannot be a
// host's give ok false.
func RouteOfDigest(members []tables.Value) (r Route, ok bool) {
	if len(members) != 3 {
		return Route{}, false
	}
	var addr [4]byte
	var mac wire.MAC
	port, small := members[2].Uint64()
	if !small || port == 0 || port >= p4src.CPUPort || !members[0].Fill(addr[:]) ||
		!members[1].Fill(mac[:]) {
		return Route{}, false
	}
	r = Route{Addr: netip.AddrFrom4(addr), MAC: mac, Port: Port(port)}
	return r, mac[0]&1 == 0 && mac != wire.MAC{} && addr[0] != 0 && addr[0] != 127 && addr[0] < 224
}

// KnownHosts returns the addresses that the learn table of a switch silences.
func KnownHosts(s tables.State) map[netip.Addr]bool {
	out := make(map[netip.Addr]bool)
	for _, e := range s.Entries {
		var addr [4]byte
		src, _ := e.Field(p4src.SrcAddr)
		if e.Table == p4src.LearnTable && src.Value.Fill(addr[:]) {
			out[netip.AddrFrom4(addr)] = true
		}
	}
	return out
}

package dataplane

import (
	"net/netip"
	"slices"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/transport"
)

// entries returns all rows of one switch but its services. A switch that the topology does not know has
// none.
func (f *Fabric) entries(v directory.View, sw Switch) []tables.Entry {
	at, ok := f.number[sw.Name]
	if !ok {
		return nil
	}
	g := &groups{level: f.net.Switches[at].Level}
	out := f.index(v, at).entries(g)
	out = append(out, f.routes(v, sw, at, g)...)
	return slices.Concat(out, g.entries, f.portEntries(at))
}

// portEntries tell what hangs on the ports towards other switches. On all other ports are hosts.
func (f *Fabric) portEntries(at int) (out []tables.Entry) {
	for _, x := range f.ports[at] {
		action := p4src.FromBelow
		if x.step > 0 {
			action = p4src.FromAbove
		}
		out = append(out, tables.Entry{
			Table: p4src.PortTable, Action: action,
			Match: []tables.Match{{Field: p4src.IngressPort, Kind: tables.Exact,
				Value: tables.Uint(uint64(x.number))}},
		})
	}
	return out
}

// router makes the routes of one switch.
type router struct {
	*Fabric
	at    int
	g     *groups
	taken map[netip.Addr]bool
	out   []tables.Entry
}

// routes prefers what is surely known: the controller, what nodes have said, what was learned, what the
// topology says. One row leads to a subnet that lies in another rack as a whole.
func (f *Fabric) routes(v directory.View, sw Switch, at int, g *groups) []tables.Entry {
	r := &router{Fabric: f, at: at, g: g, taken: make(map[netip.Addr]bool)}
	r.controller()
	for _, n := range v.Nodes() {
		r.host(routeOfNode(n), true)
	}
	for _, h := range sw.Hosts {
		r.host(h, true)
	}
	for _, h := range sw.Silent {
		r.host(h, false)
	}
	for _, h := range f.net.Hosts {
		r.host(f.host(h), false)
	}
	for _, subnet := range r.subnetsInOrder() {
		if to := f.rackOf[subnet]; to != at {
			r.remote(subnet, to)
		}
	}
	return r.out
}

// controller leads to the switch that carries the controller, and there to its CPU port.
func (r *router) controller() {
	own := r.cfg.Controller
	carrier, ok := r.number[r.cfg.Carrier]
	if !own.Addr.IsValid() || !ok {
		return
	}
	r.taken[own.Addr] = true
	if carrier != r.at {
		r.remote(netip.PrefixFrom(own.Addr, 32), carrier)
		return
	}
	own.Port = p4src.CPUPort
	r.out = append(r.out, routeEntry(own))
}

// host leads to one host, unless a row of its subnet does.
func (r *router) host(h Route, known bool) {
	if r.taken[h.Addr] {
		return
	}
	to, here := r.at, h.Switch == "" || h.Switch == r.net.Switches[r.at].Name
	if !here {
		if to = r.rack(h.Switch); to < 0 {
			return
		}
	}
	r.taken[h.Addr] = true
	switch {
	case here:
		r.out = append(r.out, routeEntry(h))
		if known {
			r.out = append(r.out, knownEntry(h))
		}
	case !r.covered(h.Addr, to):
		r.remote(netip.PrefixFrom(h.Addr, 32), to)
	}
}

// covered reports whether the longest subnet with an address lies in a rack.
func (r *router) covered(a netip.Addr, rack int) bool {
	best, in := -1, -1
	for subnet, of := range r.rackOf {
		if subnet.Contains(a) && subnet.Bits() > best {
			best, in = subnet.Bits(), of
		}
	}
	return in == rack
}

func (r *router) subnetsInOrder() (out []netip.Prefix) {
	for subnet := range r.rackOf {
		out = append(out, subnet)
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return out
}

// remote leads to another switch: over one port, or over a group of them.
func (r *router) remote(dst netip.Prefix, to int) {
	m := r.toward(r.at, to)
	switch {
	case len(m.used) == 0: // no cable ever led there
	case len(m.used) == 1:
		r.out = append(r.out, routeTo(dst, p4src.Forward, portParams(m.used[0], transport.GatewayMAC[:])))
	default:
		id := r.g.id(r.groupRoute(to), m)
		r.out = append(r.out, routeTo(dst, p4src.ToGroup, groupParams(id)))
	}
}

func groupParams(id uint16) []tables.Param {
	return []tables.Param{{Name: p4src.Group, Value: tables.Uint(uint64(id))}}
}

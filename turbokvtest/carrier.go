package turbokvtest

import (
	"net/netip"
	"slices"

	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/transport"
)

// carrierLeft chooses who carries the controller's own packets: the present carrier for as long as
// its session lasts, then the highest switch that has one. It is called when a session has begun,
// and with the driver whose session is over.
func (k *control) carrierLeft(gone *driver) {
	if k.carrier != nil && k.carrier != gone {
		return
	}
	old := k.carrier
	k.carrier = nil
	for _, d := range k.drivers {
		if d.connected && (k.carrier == nil || d.sw.level > k.carrier.sw.level) {
			k.carrier = d
		}
	}
	if k.carrier == old {
		return
	}
	can := k.carrier != nil
	k.post(func() { k.brain.CanProbe(k.now(), can) })
	for _, d := range k.drivers {
		d.changed()
	}
}

// routes tells where a switch sends what is for hosts of other racks and for the controller.
func (k *control) routes(sw *fabric) (out []dataplane.Route) {
	add := func(a netip.Addr, to *fabric) {
		if port, ok := k.towards(sw, to); ok {
			out = append(out, dataplane.Route{Addr: a, MAC: transport.GatewayMAC,
				Port: dataplane.Port(port)})
		}
	}
	if k.carrier != nil && k.carrier.sw == sw {
		out = append(out, dataplane.Route{Addr: controllerAddr.Addr(),
			MAC: transport.MACOf(controllerAddr.Addr()), Port: p4src.CPUPort})
	} else if k.carrier != nil {
		add(controllerAddr.Addr(), k.carrier.sw)
	}
	for _, h := range k.cluster.hosts {
		if h.sw != sw {
			add(h.addr.Addr(), h.sw)
		}
	}
	return out
}

// towards returns the port of the first link on a shortest path.
func (k *control) towards(from, to *fabric) (uint16, bool) {
	distance := map[*fabric]int{to: 0}
	for queue := []*fabric{to}; len(queue) > 0; queue = queue[1:] {
		for _, l := range k.linksOf(queue[0]) {
			next := l.ends[1-l.from(queue[0])].sw
			if _, seen := distance[next]; !seen {
				distance[next] = distance[queue[0]] + 1
				queue = append(queue, next)
			}
		}
	}
	for _, l := range k.linksOf(from) {
		at := l.from(from)
		d, ok := distance[l.ends[1-at].sw]
		if ok && d == distance[from]-1 {
			return l.ends[at].port, true
		}
	}
	return 0, false
}

// linksOf returns the links of a switch that are not known to be down, by port.
func (k *control) linksOf(sw *fabric) []*link {
	return slices.DeleteFunc(slices.Clone(k.cluster.links), func(l *link) bool {
		return k.down[l.index] || l.ends[0].sw != sw && l.ends[1].sw != sw
	})
}

// linkChanged is the news of a switch about one of its cables.
func (k *control) linkChanged(l *link, up bool) {
	if !k.up || k.down[l.index] == !up {
		return
	}
	k.down[l.index] = !up
	for _, d := range k.drivers {
		d.changed()
	}
}

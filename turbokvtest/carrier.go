package turbokvtest

import (
	"maps"
	"slices"

	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/transport"
)

// chooseCarrier has the switch carry the controller's own packets from which requests get to most racks,
// of those that have a session; the highest of these, and among equals the present one.
func (k *control) chooseCarrier() {
	var best *driver
	rank := -1
	for _, d := range k.drivers {
		if r := k.rank(d); d.connected && r > rank {
			best, rank = d, r
		}
	}
	if best == k.carrier {
		return
	}
	k.carrier = best
	k.post(func() { k.brain.CanProbe(k.now(), best != nil) })
	k.rewoven()
}

func (k *control) rank(d *driver) (r int) {
	if k.fabric != nil {
		r = 100*k.fabric.Reach(d.sw.name) + 2*d.sw.level
	}
	if d == k.carrier {
		r++
	}
	return r
}

// weave works out anew which ways lead where. One switch needs no fabric.
func (k *control) weave() {
	if k.cluster.listed == nil {
		return
	}
	cfg := dataplane.FabricConfig{
		Network: k.cluster.listed, Controller: ownRoute,
		Down: slices.Sorted(maps.Keys(k.down)),
	}
	if k.carrier != nil {
		cfg.Carrier = k.carrier.sw.name
	}
	k.fabric = dataplane.NewFabric(cfg)
}

// ownRoute leads to the controller at the switch that carries it.
var ownRoute = dataplane.Route{Addr: controllerAddr.Addr(), MAC: transport.MACOf(controllerAddr.Addr()),
	Port: p4src.CPUPort}

// rewoven lets all switches follow what has changed about the network.
func (k *control) rewoven() {
	k.weave()
	k.everySwitch()
}

func (k *control) everySwitch() {
	for _, d := range k.drivers {
		d.changed()
	}
}

// linkChanged is the news of a switch about one of its cables.
func (k *control) linkChanged(l *link, up bool) {
	if !k.up || k.down[l.listed] == !up {
		return
	}
	if up {
		delete(k.down, l.listed)
	} else {
		k.down[l.listed] = true
	}
	k.rewoven()
	k.chooseCarrier()
}

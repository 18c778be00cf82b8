package turbokvtest

import (
	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/transport"
)

// chooseCarrier has another switch carry the controller's own packets, if that is better.
func (k *control) chooseCarrier() { k.carry(k.carrier.Choose(k.now(), k.candidates())) }

// holds says that a switch holds all that a fabric asks for. Probes begin when the carrier does.
func (k *control) holds(d *driver, f *dataplane.Fabric) {
	if !d.complete {
		d.complete = true
		k.chooseCarrier()
	}
	if d == k.carriedBy && f == k.fabric {
		k.post(func() { k.brain.CanProbe(k.now(), true) })
	}
}

func (k *control) candidates() (out []dataplane.Candidate) {
	for _, d := range k.drivers {
		c := dataplane.Candidate{Name: d.sw.name, Level: d.sw.level, Near: d.connected,
			Complete: d.connected && d.complete}
		if k.fabric != nil {
			c.Reach = k.fabric.Reach(d.sw.name)
		}
		out = append(out, c)
	}
	return out
}

// carry has the session with the carrier carry the controller's packets, now or when there is one.
func (k *control) carry(moved bool) {
	var by *driver
	for _, d := range k.drivers {
		if d.sw.name == k.carrier.At() && d.connected {
			by = d
		}
	}
	if !moved && by == k.carriedBy {
		return
	}
	k.carriedBy = by
	k.post(func() { k.brain.CanProbe(k.now(), false) })
	if moved {
		k.cluster.log("controller: its packets go through %s", k.carrier.At())
		k.rewoven()
	}
}

// weave works out anew which ways lead where. One switch needs no fabric.
func (k *control) weave() {
	if k.cluster.listed == nil {
		return
	}
	cfg := dataplane.FabricConfig{
		Network: k.cluster.listed, Controller: ownRoute,
		Down: k.links.Down(),
	}
	if k.carrier != nil {
		cfg.Carrier = k.carrier.At()
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

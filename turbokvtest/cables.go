package turbokvtest

import (
	"encoding/binary"
	"time"

	"github.com/turbokv/turbokv/controller/links"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/topology"
)

// watchLinks begins to find out which links between switches work.
func (k *control) watchLinks() (err error) {
	k.links = nil
	if k.cluster.listed == nil {
		return nil
	}
	if k.links, err = links.New(links.Config{}, k.cluster.listed); err == nil {
		k.tickLinks()
	}
	return err
}

// watch gives the watcher of links news, and lets the switches follow what that changes.
func (k *control) watch(news func(l *links.Links, now time.Duration)) {
	if k.links == nil {
		return
	}
	news(k.links, k.now())
	changed := false
	for _, e := range k.links.Take() {
		k.cluster.log("controller: %v", e)
		changed = changed || e.Kind != links.Miswired
	}
	if changed {
		k.rewoven()
		k.chooseCarrier()
	}
}

// tickLinks sends the frames that are due.
func (k *control) tickLinks() {
	var frames []links.Frame
	k.watch(func(l *links.Links, now time.Duration) { frames = l.Tick(now) })
	for _, d := range k.drivers {
		var mine []links.Frame
		for _, f := range frames {
			if f.Switch == d.sw.name {
				mine = append(mine, f)
			}
		}
		if len(mine) > 0 && d.connected {
			d.travel(controllerPlace, d.sw.place, d.atSwitch(func() {
				for _, f := range mine {
					d.sw.sendBy(f.Port, f.Data)
				}
			}))
		}
	}
	k.cluster.events.after(k.links.NextTick()-k.now(), k.in(k.tickLinks))
}

func isLLDP(frame []byte) bool {
	return len(frame) > 14 && binary.BigEndian.Uint16(frame[12:]) == p4src.EtherTypeLLDP
}

// heard takes a frame with which one switch tells another who it is.
func (k *control) heard(at topology.End, frame []byte) {
	k.watch(func(l *links.Links, now time.Duration) { l.Received(now, at, frame) })
}

// linkTold brings the news that both switches of a cable have to the controller, if it can hear it.
func (k *control) linkTold(cable *link, up bool) {
	for _, d := range k.drivers {
		for _, e := range cable.ends {
			if e.sw == d.sw {
				at := topology.End{Name: e.sw.name, Port: uint32(e.port)}
				d.travel(d.sw.place, controllerPlace, d.during(func() {
					k.watch(func(l *links.Links, now time.Duration) { l.PortStatus(now, at, up) })
				}))
			}
		}
	}
}

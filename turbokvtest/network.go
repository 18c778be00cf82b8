package turbokvtest

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// Faults are what a cable does to frames, as probabilities from 0 to 1.
type Faults struct {
	Loss    float64 // a frame disappears
	Repeat  float64 // a frame arrives twice
	Reorder float64 // a frame is held back so that later ones overtake it
	Corrupt float64 // a bit of a frame is flipped
}

// cableDelay bounds the time that a frame takes over one cable; heldBack is added for a reordered
// one.
const (
	cableDelayMin = 5 * time.Microsecond
	cableDelayMax = 40 * time.Microsecond
	heldBack      = 2 * time.Millisecond
)

// lateFrames are frames that some queue holds back for long: they arrive when the world has changed.
type lateFrames struct {
	share float64 // of all frames
	most  time.Duration
}

// place is a machine that partitions may separate from others.
type place int

// cuts are the directed paths that nothing passes at the moment, and how many partitions say so.
type cuts map[[2]place]int

func (c cuts) open(from, to place) bool { return len(c) == 0 || c[[2]place{from, to}] == 0 }

func (c cuts) cut(from, to place) { c[[2]place{from, to}]++ }

func (c cuts) mend(from, to place) {
	key := [2]place{from, to}
	if c[key]--; c[key] <= 0 {
		delete(c, key)
	}
}

// host is anything with an address on a port of a switch.
type host struct {
	place   place
	addr    netip.AddrPort
	sw      *fabric
	port    uint16
	late    lateFrames                                // on its cable, in both directions
	receive func(from netip.AddrPort, payload []byte) // nil while it is down
}

// network is the data network: switches, a cable to each host, and cables between the switches.
type network struct {
	events *events
	rand   *rand.Rand
	faults Faults
	cuts   cuts
	hosts  map[netip.Addr]*host
	frames uint64 // carried so far
	fail   func(error)
}

// send puts a datagram of h on its cable to the switch.
func (n *network) send(h *host, to netip.AddrPort, payload []byte) {
	frame := wire.AppendFrame(nil, wire.Flow{
		SrcMAC: transport.MACOf(h.addr.Addr()), DstMAC: transport.GatewayMAC, Src: h.addr, Dst: to,
	}, payload)
	n.carry(frame, h.late, func(frame []byte) { h.sw.receive(h.port, frame) })
}

// leave puts a frame that a switch sends on the cable of a host.
func (n *network) leave(h *host, frame []byte) {
	n.carry(slices.Clone(frame), h.late, func(frame []byte) { n.arrive(h, frame) })
}

func (n *network) arrive(h *host, frame []byte) {
	flow, payload, ok := wire.ParseFrame(frame)
	if !ok || flow.Dst != h.addr || h.receive == nil {
		return
	}
	if from := n.hosts[flow.Src.Addr()]; from != nil && !n.cuts.open(from.place, h.place) {
		return
	}
	h.receive(flow.Src, payload)
}

// carry moves a frame over one cable with its faults.
func (n *network) carry(frame []byte, late lateFrames, arrive func([]byte)) {
	n.frames++
	if n.chance(n.faults.Loss) {
		return
	}
	if n.chance(n.faults.Corrupt) {
		bit := n.rand.IntN(8 * len(frame))
		frame[bit/8] ^= 1 << (bit % 8)
	}
	n.events.after(n.delay(late), func() { arrive(frame) })
	if n.chance(n.faults.Repeat) {
		again := slices.Clone(frame)
		n.events.after(n.delay(late), func() { arrive(again) })
	}
}

func (n *network) delay(late lateFrames) time.Duration {
	d := cableDelayMin + time.Duration(n.rand.Int64N(int64(cableDelayMax-cableDelayMin)))
	if n.chance(n.faults.Reorder) {
		d += time.Duration(n.rand.Int64N(int64(heldBack)))
	}
	if n.chance(late.share) {
		d += time.Duration(n.rand.Int64N(int64(late.most)))
	}
	return d
}

func (n *network) chance(p float64) bool { return p > 0 && n.rand.Float64() < p }

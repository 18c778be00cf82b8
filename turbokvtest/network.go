package turbokvtest

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// Faults are what a link does to frames, as probabilities from 0 to 1.
type Faults struct {
	Loss    float64 // a frame disappears
	Repeat  float64 // a frame arrives twice
	Reorder float64 // a frame is held back so that later ones overtake it
	Corrupt float64 // a bit of a frame is flipped
}

// linkDelay bounds the time that a frame takes over one link; heldBack is added for a reordered one.
const (
	linkDelayMin = 5 * time.Microsecond
	linkDelayMax = 40 * time.Microsecond
	heldBack     = 2 * time.Millisecond
)

// host is anything with an address on a port of the switch.
type host struct {
	addr    netip.AddrPort
	port    uint16
	receive func(from netip.AddrPort, payload []byte) // nil while it is down
}

// network is one switch with a cable to each host.
type network struct {
	events *events
	rand   *rand.Rand
	faults Faults
	// process is the switch: a frame that arrives on a port, and what comes out of it.
	process func(port uint16, frame []byte, out func(port uint16, frame []byte))
	hosts   map[uint16]*host
	frames  uint64 // carried so far
}

// send puts a datagram of h on its cable to the switch.
func (n *network) send(h *host, to netip.AddrPort, payload []byte) {
	frame := wire.AppendFrame(nil, wire.Flow{
		SrcMAC: transport.MACOf(h.addr.Addr()), DstMAC: transport.GatewayMAC, Src: h.addr, Dst: to,
	}, payload)
	n.carry(frame, func(frame []byte) { n.process(h.port, frame, n.leave) })
}

// leave puts a frame that the switch sends on the cable of a host.
func (n *network) leave(port uint16, frame []byte) {
	h := n.hosts[port]
	if h == nil {
		return
	}
	n.carry(slices.Clone(frame), func(frame []byte) { n.arrive(h, frame) })
}

func (n *network) arrive(h *host, frame []byte) {
	flow, payload, ok := wire.ParseFrame(frame)
	if ok && flow.Dst == h.addr && h.receive != nil {
		h.receive(flow.Src, payload)
	}
}

// carry moves a frame over one cable with its faults.
func (n *network) carry(frame []byte, arrive func([]byte)) {
	n.frames++
	if n.chance(n.faults.Loss) {
		return
	}
	if n.chance(n.faults.Corrupt) {
		bit := n.rand.IntN(8 * len(frame))
		frame[bit/8] ^= 1 << (bit % 8)
	}
	n.events.after(n.delay(), func() { arrive(frame) })
	if n.chance(n.faults.Repeat) {
		again := slices.Clone(frame)
		n.events.after(n.delay(), func() { arrive(again) })
	}
}

func (n *network) delay() time.Duration {
	d := linkDelayMin + time.Duration(n.rand.Int64N(int64(linkDelayMax-linkDelayMin)))
	if n.chance(n.faults.Reorder) {
		d += time.Duration(n.rand.Int64N(int64(heldBack)))
	}
	return d
}

func (n *network) chance(p float64) bool { return p > 0 && n.rand.Float64() < p }

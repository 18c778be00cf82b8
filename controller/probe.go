package controller

import (
	"math/rand/v2"
	"net/netip"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// prober asks nodes for a sign of life through the switch, on the path that requests take. A probe
// is a GET of sub-range 0, which no node has: it is refused by whoever lives, at the cost of a
// request that is not served.
type prober struct {
	link   *cpuLink
	flow   wire.Flow // from the controller; the destination differs per node
	client kv.ClientID
	alive  func(kv.NodeID) // called for every answer; must not wait
}

// newProber returns a prober that sends over link from own, and sees what the link receives.
func newProber(link *cpuLink, own netip.AddrPort, alive func(kv.NodeID)) *prober {
	own = netip.AddrPortFrom(own.Addr().Unmap(), own.Port())
	p := &prober{
		link: link, alive: alive, client: kv.ClientID(rand.Uint64() | 1), // never 0, which is nobody
		flow: wire.Flow{SrcMAC: transport.MACOf(own.Addr()), DstMAC: transport.GatewayMAC, Src: own},
	}
	link.watch = p.answered
	return p
}

// probe sends one probe to each node. What finds no room is lost, as on any network.
func (p *prober) probe(nodes []kv.NodeID) {
	frames := make([][]byte, len(nodes))
	for i, n := range nodes {
		frames[i] = p.frame(n)
	}
	_, _ = p.link.WriteBatch(frames) // an error: the controller ends
}

func (p *prober) frame(n kv.NodeID) []byte {
	packet := wire.Packet(wire.Append(nil, wire.OpGet))
	packet.SetRequest(p.client, 1, 1)
	packet.SetClientAddr(p.flow.Src)
	packet = wire.AppendKeyed(packet, []byte{0}, nil)
	packet.Seal()
	flow := p.flow
	flow.Dst = netip.AddrPortFrom(n.Addr(), wire.Port)
	return wire.AppendFrame(nil, flow, packet)
}

// answered looks at a frame from the switch, and reports whether it was the answer to a probe.
func (p *prober) answered(frame []byte) bool {
	flow, payload, ok := wire.ParseFrame(frame)
	if !ok || flow.Dst != p.flow.Src {
		return false
	}
	packet, err := wire.Parse(payload)
	if err != nil || packet.Flags()&wire.FlagReply == 0 || packet.Client() != p.client {
		return false
	}
	if packet.Flags()&wire.FlagFromSwitch == 0 {
		p.alive(kv.NodeIDOf(flow.Src.Addr()))
	}
	return true
}

// alive takes the answer to a probe. It does not wait: another answer will come.
func (l *loop) alive(n kv.NodeID) {
	select {
	case l.work <- func() { l.core.Alive(l.now(), n) }:
	default:
	}
}

// Package gateway connects a client process to the switch of a cluster on this machine, without
// privileges: over a free slot of its gateway, which is a UDP tunnel into a switch port.
package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/transport"
)

// ErrFull says that every slot is taken.
var ErrFull = errors.New("all gateway slots are taken")

// Dial takes the first free slot: most likely one that was used before, whose route the controller
// has learned. Late replies to its last user do no harm, since sessions have random numbers. Where
// there is no gateway, this machine has an interface in the data network.
func Dial(g clusterfile.Gateway) (transport.Conn, error) {
	if g == (clusterfile.Gateway{}) {
		return transport.ListenUDP(netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
	}
	for i := range g.Slots {
		conn, err := dialSlot(g, i)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return conn, err
		}
	}
	return nil, fmt.Errorf("%w: %d clients are connected through %v", ErrFull, g.Slots, g.Switch)
}

func dialSlot(g clusterfile.Gateway, slot int) (transport.Conn, error) {
	link, err := port.DialTunnel(plus(g.Client, slot).String(), plus(g.Switch, slot).String())
	if err != nil {
		return nil, fmt.Errorf("gateway slot %d: %w", slot, err)
	}
	host := g.Host.Addr().As4()
	host[3] += byte(slot)
	addr := netip.AddrPortFrom(netip.AddrFrom4(host), g.Host.Port())
	return transport.NewHost(link, transport.HostConfig{Addr: addr})
}

// plus moves the port of a by n.
func plus(a netip.AddrPort, n int) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr(), a.Port()+uint16(n))
}

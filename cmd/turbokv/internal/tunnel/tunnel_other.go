//go:build !linux

package tunnel

import (
	"net/netip"

	"github.com/turbokv/turbokv/transport"
)

// Link is one end of a tunnel.
type Link = transport.Tunnel

// Open opens one end of a tunnel; local must be free.
func Open(local, peer netip.AddrPort) (*Link, error) { return transport.DialTunnel(local, peer) }

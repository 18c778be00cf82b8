//go:build !linux

package port

import (
	"errors"
	"fmt"
)

// ErrNoPacketSockets is reported where the operating system has no AF_PACKET sockets.
var ErrNoPacketSockets = errors.New(
	"interfaces can be opened on Linux only; use udp:LOCAL[,REMOTE]")

// Packet is a raw socket on a network interface; Linux only.
type Packet struct{ Port }

// OpenPacket reports ErrNoPacketSockets.
func OpenPacket(name string) (*Packet, error) {
	return nil, fmt.Errorf("interface %q: %w", name, ErrNoPacketSockets)
}

// OpenInterface reports ErrNoPacketSockets.
func OpenInterface(cfg InterfaceConfig) (*Interface, error) {
	return nil, fmt.Errorf("interface %q: %w", cfg.Name, ErrNoPacketSockets)
}

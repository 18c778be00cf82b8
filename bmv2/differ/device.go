package differ

import (
	"context"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// Device ids and ports that both switches use.
const (
	deviceID = 1
	cpuPort  = 510
)

// Frame is an Ethernet frame at a port.
type Frame struct {
	Port  uint16
	Bytes []byte
}

// device is a switch that can be programmed and fed.
type device interface {
	// client returns a client of its P4Runtime service.
	client() p4v1.P4RuntimeClient
	// inject sends frames and returns, for each, what left the switch because of it, in the order in
	// which it left. Packet-ins are not part of it.
	inject(ctx context.Context, frames []Frame) ([][]Frame, error)
	// stop ends it.
	stop()
}

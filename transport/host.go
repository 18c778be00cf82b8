package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/turbokv/turbokv/wire"
)

// GatewayMAC is the Ethernet address to which hosts send by default. Switches route by IPv4 and
// look at no destination MAC, so any unicast address will do.
var GatewayMAC = wire.MAC{0x02, 0x54, 0x4b, 0, 0, 0xff}

// HostConfig is the identity of a host on a Link.
type HostConfig struct {
	// Addr is the host's IPv4 address and the UDP port of its one socket.
	Addr netip.AddrPort
	// MAC is the host's Ethernet address; the zero value stands for one derived from Addr.
	MAC wire.MAC
	// Gateway is where frames go; the zero value stands for GatewayMAC.
	Gateway wire.MAC
}

// MACOf derives a locally administered Ethernet address from an IPv4 address.
func MACOf(a netip.Addr) wire.MAC {
	b := a.Unmap().As4()
	return wire.MAC{0x02, 0x54, b[0], b[1], b[2], b[3]}
}

// Host is a Conn over a Link: the part of an IP stack that TurboKV needs, in user space.
type Host struct {
	link Link
	flow wire.Flow // source and gateway; the destination differs per message

	rx [][]byte // frames of the last ReadBatch

	mu sync.Mutex // guards tx
	tx [][]byte

	foreign atomic.Uint64
	lost    atomic.Uint64
}

// NewHost returns a Conn that sends and receives over link as cfg.Addr.
func NewHost(link Link, cfg HostConfig) (*Host, error) {
	if !cfg.Addr.Addr().Unmap().Is4() || cfg.Addr.Port() == 0 {
		return nil, fmt.Errorf("host address %v: must be IPv4 with a port", cfg.Addr)
	}
	if cfg.MAC == (wire.MAC{}) {
		cfg.MAC = MACOf(cfg.Addr.Addr())
	}
	if cfg.Gateway == (wire.MAC{}) {
		cfg.Gateway = GatewayMAC
	}
	return &Host{
		link: link,
		flow: wire.Flow{SrcMAC: cfg.MAC, DstMAC: cfg.Gateway, Src: cfg.Addr},
		rx:   buffers(BatchSize),
		tx:   buffers(BatchSize),
	}, nil
}

// ReadBatch implements Conn. Frames for other addresses are skipped and counted.
func (h *Host) ReadBatch(msgs []Message) (int, error) {
	for {
		frames, err := h.link.ReadBatch(h.rx[:min(len(msgs), len(h.rx))])
		if err != nil {
			return 0, err
		}
		if n := h.accept(msgs, h.rx[:frames]); n > 0 {
			return n, nil
		}
	}
}

func (h *Host) accept(msgs []Message, frames [][]byte) (n int) {
	for _, frame := range frames {
		flow, payload, ok := wire.ParseFrame(frame)
		if !ok || flow.Dst != h.flow.Src {
			h.foreign.Add(1)
			continue
		}
		msgs[n] = Message{Addr: flow.Src, Payload: payload}
		n++
	}
	return n
}

// WriteBatch implements Conn.
func (h *Host) WriteBatch(msgs []Message) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs error
	for len(msgs) > 0 {
		n := min(len(msgs), len(h.tx))
		errs = errors.Join(errs, h.write(msgs[:n]))
		msgs = msgs[n:]
	}
	return errs
}

func (h *Host) write(msgs []Message) error {
	flow := h.flow
	for i, m := range msgs {
		flow.Dst = m.Addr
		h.tx[i] = wire.AppendFrame(h.tx[i][:0], flow, m.Payload)
	}
	sent, err := h.link.WriteBatch(h.tx[:len(msgs)])
	h.lost.Add(uint64(len(msgs) - sent))
	return err
}

// LocalAddr implements Conn.
func (h *Host) LocalAddr() netip.AddrPort { return h.flow.Src }

// MAC returns the host's Ethernet address.
func (h *Host) MAC() wire.MAC { return h.flow.SrcMAC }

// Lost returns how many datagrams the link had no room for.
func (h *Host) Lost() uint64 { return h.lost.Load() }

// Foreign returns how many frames were for another address or no UDP datagrams.
func (h *Host) Foreign() uint64 { return h.foreign.Load() }

// Close implements Conn; it closes the link.
func (h *Host) Close() error { return h.link.Close() }

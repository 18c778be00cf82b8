//go:build !linux

package port

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
)

// datagrams moves frames one by one, where there is no system call for batches.
type datagrams struct {
	truncated atomic.Uint64 // datagrams longer than their buffer; not seen here
	conn      *net.UDPConn
}

func (d *datagrams) init(conn *net.UDPConn) error {
	d.conn = conn
	return nil
}

// read fills the first buffer and returns the sender.
func (d *datagrams) read(bufs [][]byte) (int, netip.AddrPort, error) {
	n, from, err := d.conn.ReadFromUDPAddrPort(bufs[0][:cap(bufs[0])])
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	bufs[0] = bufs[0][:n]
	return 1, from, nil
}

// write sends the frames to one address, or to the connected peer when to is not valid.
func (d *datagrams) write(frames [][]byte, to netip.AddrPort) (int, error) {
	sent := 0
	for _, f := range frames {
		if len(f) > MaxFrame {
			continue
		}
		var err error
		if to.IsValid() {
			_, err = d.conn.WriteToUDPAddrPort(f, to)
		} else {
			_, err = d.conn.Write(f)
		}
		if errors.Is(err, net.ErrClosed) {
			return sent, err
		}
		if err == nil {
			sent++
		}
	}
	return sent, nil
}

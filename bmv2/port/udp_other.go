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
	tooLong atomic.Uint64 // datagrams longer than MaxFrame
	conn    *net.UDPConn
	buf     [MaxFrame + 1]byte
}

func (d *datagrams) init(conn *net.UDPConn) error {
	d.conn = conn
	return nil
}

// read copies a frame into the first buffer and returns the sender. It may return no frame.
func (d *datagrams) read(bufs [][]byte) (n int, sender netip.AddrPort, err error) {
	size, sender, err := d.conn.ReadFromUDPAddrPort(d.buf[:])
	if err != nil || size == 0 {
		return 0, sender, err
	}
	if size > MaxFrame {
		d.tooLong.Add(1)
		return 0, sender, nil
	}
	bufs[0] = append(bufs[0][:0], d.buf[:size]...)
	return 1, sender, nil
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

package port

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
)

// udpBuffer is the socket buffer asked for in bytes; the kernel may grant less. It holds a burst of
// some thousand frames, many times the egress queue of a slower switch.
const udpBuffer = 4 << 20

// UDPConfig describes a tunnel that carries one frame per UDP datagram.
type UDPConfig struct {
	// Local is the address to listen on, as host:port. Empty means any address and port.
	Local string
	// Remote is the only peer, as host:port. When empty, the port answers to whoever sent last.
	Remote string
}

// UDP is one end of a tunnel. An empty datagram carries no frame; it only tells who the peer is.
type UDP struct {
	counters
	conn    *net.UDPConn
	fixed   bool // the socket is connected, so the kernel drops what others send
	learned atomic.Pointer[netip.AddrPort]

	reading sync.Mutex
	writing sync.Mutex
	batch   datagrams
}

// ListenUDP opens the switch's end of a tunnel.
func ListenUDP(cfg UDPConfig) (*UDP, error) {
	local, err := resolve(cfg.Local)
	if err != nil {
		return nil, fmt.Errorf("udp port: local address: %w", err)
	}
	remote, err := resolve(cfg.Remote)
	if err != nil {
		return nil, fmt.Errorf("udp port: remote address: %w", err)
	}
	conn, err := openUDP(local, remote)
	if err != nil {
		return nil, fmt.Errorf("udp port: %w", err)
	}
	u := &UDP{conn: conn, fixed: remote != nil}
	if err := u.batch.init(conn); err != nil {
		return nil, fmt.Errorf("udp port: %w", errors.Join(err, conn.Close()))
	}
	return u, nil
}

// DialTunnel opens the host's end of a tunnel and makes itself known to the switch. local may be
// empty.
func DialTunnel(local, remote string) (*UDP, error) {
	if remote == "" {
		return nil, errors.New("udp port: a tunnel needs the switch's address, as host:port")
	}
	u, err := ListenUDP(UDPConfig{Local: local, Remote: remote})
	if err != nil {
		return nil, err
	}
	// A lost greeting is harmless: the first frame does the same.
	_, _ = u.conn.Write(nil)
	return u, nil
}

func resolve(address string) (*net.UDPAddr, error) {
	if address == "" {
		return nil, nil
	}
	return net.ResolveUDPAddr("udp", address)
}

func openUDP(local, remote *net.UDPAddr) (*net.UDPConn, error) {
	open := func() (*net.UDPConn, error) { return net.ListenUDP("udp", local) }
	if remote != nil {
		open = func() (*net.UDPConn, error) { return net.DialUDP("udp", local, remote) }
	}
	conn, err := open()
	if err != nil {
		return nil, err
	}
	// A smaller buffer than wished for costs frames in bursts, nothing else.
	_ = conn.SetReadBuffer(udpBuffer)
	_ = conn.SetWriteBuffer(udpBuffer)
	return conn, nil
}

// LocalAddr returns the address that the port listens on.
func (u *UDP) LocalAddr() netip.AddrPort {
	return u.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Peer returns the address that frames are sent to; it is not valid while none is known.
func (u *UDP) Peer() netip.AddrPort {
	if u.fixed {
		return u.conn.RemoteAddr().(*net.UDPAddr).AddrPort()
	}
	if p := u.learned.Load(); p != nil {
		return *p
	}
	return netip.AddrPort{}
}

// ReadBatch implements [Port].
func (u *UDP) ReadBatch(bufs [][]byte) (int, error) {
	u.reading.Lock()
	defer u.reading.Unlock()
	for {
		n, from, err := u.batch.read(bufs)
		switch {
		case errors.Is(err, net.ErrClosed):
			return 0, net.ErrClosed
		case err != nil && !unreachable(err):
			return 0, fmt.Errorf("udp port %v: %w", u.LocalAddr(), err)
		case err != nil:
			continue
		}
		u.learn(from)
		if n > 0 {
			return n, nil
		}
	}
}

// unreachable tells errors of this end from reports that an earlier frame found no listener,
// which the kernel hands to the next call on a connected socket; the peer may come back.
func unreachable(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) ||
		errors.Is(err, syscall.ENETUNREACH)
}

// learn remembers the sender; it allocates only when the sender changed.
func (u *UDP) learn(from netip.AddrPort) {
	if u.fixed || !from.IsValid() {
		return
	}
	if known := u.learned.Load(); known == nil || *known != from {
		sender := from // only this copy moves to the heap
		u.learned.Store(&sender)
	}
}

// WriteBatch implements [Port]. Frames are dropped until a peer is known.
func (u *UDP) WriteBatch(frames [][]byte) (int, error) {
	u.writing.Lock()
	defer u.writing.Unlock()
	var to netip.AddrPort
	if !u.fixed {
		known := u.learned.Load()
		if known == nil {
			u.txDrops.Add(uint64(len(frames)))
			return 0, nil
		}
		to = *known
	}
	sent := 0
	for rest := frames; len(rest) > 0; {
		now := rest[:min(len(rest), maxBatch)]
		rest = rest[len(now):]
		n, err := u.batch.write(now, to)
		sent += n
		if err != nil {
			return sent, net.ErrClosed
		}
	}
	u.txDrops.Add(uint64(len(frames) - sent))
	return sent, nil
}

// Counters implements [Counting].
func (u *UDP) Counters() Counters {
	c := u.counters.Counters()
	c.RxDrops += u.batch.tooLong.Load()
	return c
}

// Close implements [Port].
func (u *UDP) Close() error {
	if err := u.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("udp port: %w", err)
	}
	return nil
}

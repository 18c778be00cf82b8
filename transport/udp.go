package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/net/ipv4"
)

// socketBuffer asks the kernel for room for a few thousand packets per direction, in bytes: a
// burst of a whole window must not be lost before the reader wakes up.
const socketBuffer = 4 << 20

// UDPConn is a Conn over a UDP socket of the kernel, reading and writing whole batches per system
// call where the kernel can (recvmmsg, sendmmsg).
type UDPConn struct {
	sock   *net.UDPConn
	packet *ipv4.PacketConn
	local  netip.AddrPort

	rx []ipv4.Message

	mu sync.Mutex // guards tx
	tx []ipv4.Message

	lost atomic.Uint64
}

// ListenUDP opens a socket on the local IPv4 address. A zero port stands for any free one.
func ListenUDP(local netip.AddrPort) (*UDPConn, error) {
	sock, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(local))
	if err != nil {
		return nil, fmt.Errorf("udp socket on %v: %w", local, err)
	}
	// A smaller buffer than asked for only means earlier loss, which the protocol expects.
	_ = sock.SetReadBuffer(socketBuffer)
	_ = sock.SetWriteBuffer(socketBuffer)
	return &UDPConn{
		sock:   sock,
		packet: ipv4.NewPacketConn(sock),
		local:  sock.LocalAddr().(*net.UDPAddr).AddrPort(),
		rx:     newMessages(BatchSize, buffers(BatchSize)),
		tx:     newMessages(BatchSize, nil),
	}, nil
}

// newMessages returns n reusable kernel messages, over bufs if there are any.
func newMessages(n int, bufs [][]byte) []ipv4.Message {
	out := make([]ipv4.Message, n)
	for i := range out {
		out[i].Buffers = make([][]byte, 1)
		if bufs != nil {
			out[i].Buffers[0] = bufs[i][:bufferSize]
		} else {
			out[i].Addr = &net.UDPAddr{IP: make(net.IP, net.IPv4len)}
		}
	}
	return out
}

// ReadBatch implements Conn.
func (c *UDPConn) ReadBatch(msgs []Message) (int, error) {
	n, err := c.packet.ReadBatch(c.rx[:min(len(msgs), len(c.rx))], 0)
	if err != nil {
		if errors.Is(err, net.ErrClosed) {
			return 0, net.ErrClosed
		}
		return 0, fmt.Errorf("udp socket %v: %w", c.local, err)
	}
	for i, m := range c.rx[:n] {
		msgs[i] = Message{Addr: addrPortOf(m.Addr), Payload: m.Buffers[0][:m.N]}
	}
	return n, nil
}

func addrPortOf(a net.Addr) netip.AddrPort {
	u := a.(*net.UDPAddr)
	ip, _ := netip.AddrFromSlice(u.IP)
	return netip.AddrPortFrom(ip.Unmap(), uint16(u.Port))
}

// WriteBatch implements Conn. Datagrams that the kernel refuses are lost and counted: the peer of
// a UDP socket may be away, and that is no error of ours.
func (c *UDPConn) WriteBatch(msgs []Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(msgs) > 0 {
		n := min(len(msgs), len(c.tx))
		c.fill(msgs[:n])
		if err := c.write(c.tx[:n]); err != nil {
			return err
		}
		msgs = msgs[n:]
	}
	return nil
}

func (c *UDPConn) fill(msgs []Message) {
	for i, m := range msgs {
		c.tx[i].Buffers[0] = m.Payload
		to, ip := c.tx[i].Addr.(*net.UDPAddr), m.Addr.Addr().Unmap().As4()
		copy(to.IP, ip[:])
		to.Port = int(m.Addr.Port())
	}
}

func (c *UDPConn) write(tx []ipv4.Message) error {
	for len(tx) > 0 {
		n, err := c.packet.WriteBatch(tx, 0)
		if errors.Is(err, net.ErrClosed) {
			return net.ErrClosed
		}
		if err != nil || n == 0 {
			c.lost.Add(1)
			n = max(n, 0) + 1 // skip the one that was refused
		}
		tx = tx[min(n, len(tx)):]
	}
	return nil
}

// LocalAddr implements Conn.
func (c *UDPConn) LocalAddr() netip.AddrPort { return c.local }

// Lost returns how many datagrams the kernel refused.
func (c *UDPConn) Lost() uint64 { return c.lost.Load() }

// Close implements Conn.
func (c *UDPConn) Close() error { return c.sock.Close() }

// Tunnel is a Link that carries each Ethernet frame in one UDP datagram to a fixed peer, usually
// a port of the built-in switch: a cable that needs no privileges.
type Tunnel struct {
	conn *UDPConn
	peer netip.AddrPort
	rx   []Message

	mu sync.Mutex // guards tx
	tx []Message
}

// DialTunnel opens a tunnel from the local UDP address, any free port if it is zero, to the peer.
func DialTunnel(local, peer netip.AddrPort) (*Tunnel, error) {
	conn, err := ListenUDP(local)
	if err != nil {
		return nil, fmt.Errorf("tunnel to %v: %w", peer, err)
	}
	return &Tunnel{
		conn: conn, peer: peer,
		rx: make([]Message, BatchSize), tx: make([]Message, 0, BatchSize),
	}, nil
}

// ReadBatch implements Link. Datagrams from any other address than the peer's are skipped.
func (t *Tunnel) ReadBatch(bufs [][]byte) (int, error) {
	for {
		got, err := t.conn.ReadBatch(t.rx[:min(len(bufs), len(t.rx))])
		if err != nil {
			return 0, err
		}
		n := 0
		for _, m := range t.rx[:got] {
			if m.Addr == t.peer {
				bufs[n] = append(bufs[n][:0], m.Payload...)
				n++
			}
		}
		if n > 0 {
			return n, nil
		}
	}
}

// WriteBatch implements Link.
func (t *Tunnel) WriteBatch(frames [][]byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tx = t.tx[:0]
	for _, f := range frames {
		t.tx = append(t.tx, Message{Addr: t.peer, Payload: f})
	}
	before := t.conn.Lost()
	err := t.conn.WriteBatch(t.tx)
	return len(frames) - int(t.conn.Lost()-before), err
}

// LocalAddr returns the tunnel's own UDP address.
func (t *Tunnel) LocalAddr() netip.AddrPort { return t.conn.LocalAddr() }

// Close implements Link.
func (t *Tunnel) Close() error { return t.conn.Close() }

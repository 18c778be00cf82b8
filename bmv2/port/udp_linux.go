package port

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// datagrams moves batches through a UDP socket. Reading and writing may overlap, two reads may not,
// nor may two writes.
type datagrams struct {
	truncated atomic.Uint64 // datagrams longer than their buffer
	rd, wr    mmsg
	from      [maxBatch]unix.RawSockaddrAny
	to        unix.RawSockaddrAny
	ipv4      bool
}

func (d *datagrams) init(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	d.rd.init(raw)
	d.wr.init(raw)
	return raw.Control(func(fd uintptr) {
		domain, derr := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		d.ipv4 = domain == unix.AF_INET
		err = derr
	})
}

// read fills bufs and returns the sender of the last datagram. A truncated datagram becomes empty.
func (d *datagrams) read(bufs [][]byte) (int, netip.AddrPort, error) {
	for i, b := range bufs {
		d.rd.setIov(i, b[:cap(b)], nil)
		d.rd.setName(i, unsafe.Pointer(&d.from[i]), unix.SizeofSockaddrAny)
	}
	n, err := d.rd.recv(len(bufs))
	if err != nil || n == 0 {
		return 0, netip.AddrPort{}, err
	}
	for i := range n {
		h := &d.rd.hdrs[i]
		if h.hdr.Flags&unix.MSG_TRUNC != 0 {
			h.len = 0
			d.truncated.Add(1)
		}
		bufs[i] = bufs[i][:h.len]
	}
	return n, addrPort(&d.from[n-1]), nil
}

// write sends the frames to one address, or to the connected peer when to is not valid. The frames
// must not exceed maxBatch.
func (d *datagrams) write(frames [][]byte, to netip.AddrPort) (int, error) {
	length := d.setDestination(to)
	n := 0
	for _, f := range frames {
		if len(f) > MaxFrame {
			continue
		}
		d.wr.setIov(n, f, nil)
		d.wr.setName(n, nil, 0)
		if length > 0 {
			d.wr.setName(n, unsafe.Pointer(&d.to), length)
		}
		n++
	}
	return d.wr.send(n)
}

// setDestination encodes the address for the kernel and returns its length in bytes.
func (d *datagrams) setDestination(to netip.AddrPort) uintptr {
	if !to.IsValid() {
		return 0
	}
	if d.ipv4 {
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&d.to))
		sa.Family, sa.Addr = unix.AF_INET, to.Addr().Unmap().As4()
		setPort(&sa.Port, to.Port())
		return unix.SizeofSockaddrInet4
	}
	sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(&d.to))
	sa.Family, sa.Addr = unix.AF_INET6, to.Addr().As16()
	setPort(&sa.Port, to.Port())
	return unix.SizeofSockaddrInet6
}

// addrPort decodes an address as the kernel wrote it. Zones are dropped.
func addrPort(sa *unix.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case unix.AF_INET:
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), getPort(&v4.Port))
	case unix.AF_INET6:
		v6 := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom16(v6.Addr), getPort(&v6.Port))
	}
	return netip.AddrPort{}
}

// The kernel keeps ports in network byte order.
func setPort(field *uint16, port uint16) {
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(field))[:], port)
}

func getPort(field *uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(field))[:])
}

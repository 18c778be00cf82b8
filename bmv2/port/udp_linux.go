package port

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Limits of moving runs of datagrams as one: UDP_SEGMENT lets the kernel cut a large message into
// datagrams of one size as late as possible, UDP_GRO hands such a run to the receiver uncut, see
// udp(7). On the loopback interface a run passes the whole stack as one packet, which makes a frame
// several times cheaper.
const (
	maxRunBytes  = 65000 // below the 65,507 bytes that one IPv4 datagram carries
	runBuffer    = 1<<16 + 64
	runsAtATime  = 32
	controlWords = 4 // room for one control message with one number
)

// datagrams moves batches through a UDP socket. Reading and writing may overlap, two reads may not,
// nor may two writes.
type datagrams struct {
	tooLong atomic.Uint64 // datagrams longer than MaxFrame

	rd          mmsg
	from        [runsAtATime]unix.RawSockaddrAny
	runControls [runsAtATime][controlWords]uint64
	runs        [runsAtATime][]byte
	have, at    int    // messages received, and the one being handed out
	rest        []byte // what is left of it
	size        int    // bytes of each datagram in it

	wr       mmsg
	to       unix.RawSockaddrAny
	ipv4     bool
	whole    bool // the kernel refused a run: send datagrams one by one
	iovs     [maxBatch]unix.Iovec
	counts   [maxBatch]int // frames in each message
	starts   [maxBatch]int // the first of them
	controls [maxBatch][controlWords]uint64
}

func (d *datagrams) init(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	d.rd.init(raw)
	d.wr.init(raw)
	for i := range d.runs {
		d.runs[i] = make([]byte, runBuffer)
	}
	return raw.Control(func(fd uintptr) {
		domain, derr := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		d.ipv4 = domain == unix.AF_INET
		err = derr
		// Kernels before 5.0 do without.
		_ = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1)
	})
}

// read copies the frames that came into bufs, waiting for some if there are none left over. It
// returns the sender of the latest datagram when it received any. It may return no frame.
func (d *datagrams) read(bufs [][]byte) (n int, sender netip.AddrPort, err error) {
	if d.at == d.have {
		if sender, err = d.receive(); err != nil {
			return 0, sender, err
		}
	}
	for n < len(bufs) && d.at < d.have {
		if len(d.rest) == 0 {
			d.at++
			d.open()
			continue
		}
		frame := d.rest[:min(d.size, len(d.rest))]
		d.rest = d.rest[len(frame):]
		if len(frame) > MaxFrame {
			d.tooLong.Add(1)
			continue
		}
		bufs[n] = append(bufs[n][:0], frame...)
		n++
	}
	return n, sender, nil
}

// receive waits for messages, each of which is a run of datagrams.
func (d *datagrams) receive() (netip.AddrPort, error) {
	for i, b := range d.runs {
		d.rd.setIov(i, b)
		d.rd.setName(i, unsafe.Pointer(&d.from[i]), unix.SizeofSockaddrAny)
		control := &d.runControls[i]
		d.rd.setControl(i, (*byte)(unsafe.Pointer(control)), int(unsafe.Sizeof(*control)))
	}
	n, err := d.rd.recv(len(d.runs))
	if err != nil || n == 0 {
		return netip.AddrPort{}, err
	}
	d.have, d.at = n, 0
	d.open()
	return addrPort(&d.from[n-1]), nil
}

// open turns to the message at d.at.
func (d *datagrams) open() {
	if d.at == d.have {
		return
	}
	h := &d.rd.hdrs[d.at]
	d.rest = d.runs[d.at][:h.len]
	d.size = len(d.rest)
	if uintptr(h.hdr.Controllen) < uintptr(unix.CmsgLen(4)) {
		return
	}
	c := (*unix.Cmsghdr)(unsafe.Pointer(h.hdr.Control))
	if c.Level == unix.SOL_UDP && c.Type == unix.UDP_GRO {
		size := *(*int32)(unsafe.Add(unsafe.Pointer(c), unix.CmsgLen(0)))
		d.size = max(1, int(size))
	}
}

// write sends the frames to one address, or to the connected peer when to is not valid, and returns
// how many went out. There must not be more than maxBatch.
func (d *datagrams) write(frames [][]byte, to netip.AddrPort) (sent int, err error) {
	length := d.setDestination(to)
	for len(frames) > 0 {
		messages, taken := d.pack(frames, length)
		for next := 0; next < messages; {
			first := next
			var reason syscall.Errno
			next, reason, err = d.wr.send(first, messages)
			for _, n := range d.counts[first:next] {
				sent += n
			}
			if err != nil || reason == unix.EAGAIN {
				return sent, err
			}
			if reason != 0 && d.counts[next] > 1 && refusesRuns(reason) {
				d.whole = true
				taken = d.starts[next]
				break
			}
			if reason != 0 {
				next++ // one that cannot be sent must not stall the others
			}
		}
		frames = frames[taken:]
	}
	return sent, nil
}

// refusesRuns tells whether the datagrams of a run might pass one by one: the path's MTU or the
// interface does not allow the run.
func refusesRuns(reason syscall.Errno) bool {
	switch reason {
	case unix.EINVAL, unix.EIO, unix.EMSGSIZE, unix.EOPNOTSUPP, unix.ENOPROTOOPT:
		return true
	}
	return false
}

// pack fills messages with frames; it returns the number of messages, and of frames looked at.
func (d *datagrams) pack(frames [][]byte, nameLength uintptr) (messages, taken int) {
	iov := 0
	for taken < len(frames) {
		if len(frames[taken]) > MaxFrame {
			taken++
			continue
		}
		n := 1
		if !d.whole {
			n = runLength(frames[taken:])
		}
		for i, f := range frames[taken : taken+n] {
			d.iovs[iov+i].Base = unsafe.SliceData(f)
			d.iovs[iov+i].SetLen(len(f))
		}
		h := &d.wr.hdrs[messages].hdr
		h.Iov = &d.iovs[iov]
		h.SetIovlen(n)
		d.address(messages, nameLength)
		d.segment(messages, n, len(frames[taken]))
		d.counts[messages], d.starts[messages] = n, taken
		messages++
		iov += n
		taken += n
	}
	return messages, taken
}

// runLength returns how many frames may go as one message: all of the size of the first, except
// that the last may be shorter.
func runLength(frames [][]byte) int {
	size := len(frames[0])
	bytes := size
	for n, f := range frames[1:] {
		if bytes += len(f); len(f) > size || len(f) == 0 || size == 0 || bytes > maxRunBytes {
			return n + 1
		}
		if len(f) < size {
			return n + 2
		}
	}
	return len(frames)
}

// address puts the destination on a message; connected sockets have none.
func (d *datagrams) address(message int, length uintptr) {
	if length == 0 {
		d.wr.setName(message, nil, 0)
		return
	}
	d.wr.setName(message, unsafe.Pointer(&d.to), length)
}

// segment tells the kernel to cut a message of n frames into datagrams of the given size.
func (d *datagrams) segment(message, n, size int) {
	if n == 1 {
		d.wr.setControl(message, nil, 0)
		return
	}
	c := (*unix.Cmsghdr)(unsafe.Pointer(&d.controls[message]))
	c.Level, c.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	c.SetLen(unix.CmsgLen(2))
	*(*uint16)(unsafe.Add(unsafe.Pointer(c), unix.CmsgLen(0))) = uint16(size)
	d.wr.setControl(message, (*byte)(unsafe.Pointer(c)), unix.CmsgSpace(2))
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

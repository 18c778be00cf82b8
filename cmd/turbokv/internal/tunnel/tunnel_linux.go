package tunnel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/turbokv/turbokv/bmv2/port"
)

const (
	// batch bounds the frames of one send and rxBuffers the datagrams of one receive.
	batch     = 64
	rxBuffers = 8
	// rxSize holds the largest datagram that the kernel puts together, in bytes.
	rxSize = 1 << 16
	// socketBuffer asks for room for some thousand frames; the kernel may grant less.
	socketBuffer = 4 << 20
)

// Link is one end of a tunnel. One goroutine may read while any number write.
type Link struct {
	conn *net.UDPConn
	raw  syscall.RawConn

	rx      receiver
	reading sync.Mutex

	tx      sender
	writing sync.Mutex

	rxDrops, txDrops atomic.Uint64
}

// Open opens one end of a tunnel; local must be free.
func Open(local, peer netip.AddrPort) (*Link, error) {
	conn, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(local), net.UDPAddrFromAddrPort(peer))
	if err != nil {
		return nil, fmt.Errorf("tunnel from %v to %v: %w", local, peer, err)
	}
	// A smaller buffer than wished for costs frames in bursts, nothing else.
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	raw, err := conn.SyscallConn()
	if err == nil {
		err = acceptRuns(raw)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tunnel from %v to %v: %w", local, peer, err), conn.Close())
	}
	l := &Link{conn: conn, raw: raw}
	l.rx.init()
	l.tx.init()
	return l, nil
}

// acceptRuns makes the kernel deliver a run of frames as one datagram.
func acceptRuns(raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	})
	return errors.Join(err, failed)
}

// ReadBatch waits for frames and copies those at hand into bufs.
func (l *Link) ReadBatch(bufs [][]byte) (int, error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	for {
		if n := l.deliver(bufs); n > 0 {
			return n, nil
		}
		err := l.rx.receive(l.raw)
		switch {
		case errors.Is(err, net.ErrClosed):
			return 0, net.ErrClosed
		case err != nil && !errors.Is(err, syscall.ECONNREFUSED):
			return 0, fmt.Errorf("tunnel %v: %w", l.conn.LocalAddr(), err)
		}
	}
}

// deliver copies out frames that have been received.
func (l *Link) deliver(bufs [][]byte) (n int) {
	for n < len(bufs) {
		frame := l.rx.next()
		if frame == nil {
			return n
		}
		if len(frame) > port.MaxFrame {
			l.rxDrops.Add(1)
			continue
		}
		if len(frame) > 0 {
			bufs[n] = append(bufs[n][:0], frame...)
			n++
		}
	}
	return n
}

// WriteBatch sends frames and returns how many went out. What finds no room, or no peer, is lost
// and counted.
func (l *Link) WriteBatch(frames [][]byte) (int, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	sent := 0
	for len(frames) > 0 {
		now := frames[:min(len(frames), batch)]
		frames = frames[len(now):]
		n, err := l.tx.send(l.raw, now)
		sent += n
		l.txDrops.Add(uint64(len(now) - n))
		if err != nil {
			return sent, net.ErrClosed
		}
	}
	return sent, nil
}

// Counters returns the frames that were lost.
func (l *Link) Counters() port.Counters {
	return port.Counters{RxDrops: l.rxDrops.Load(), TxDrops: l.txDrops.Load()}
}

// Close unblocks ReadBatch.
func (l *Link) Close() error { return l.conn.Close() }

// mmsghdr is the kernel's struct mmsghdr, see recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// control has room for one control message that holds up to 8 bytes.
type control [24]byte

// receiver owns the buffers of received datagrams and hands out the frames in them.
type receiver struct {
	hdrs     [rxBuffers]mmsghdr
	iovs     [rxBuffers]unix.Iovec
	controls [rxBuffers]control
	slab     []byte

	got, at int // datagrams of the last receive, and the next to open
	open    segments

	call  func(fd uintptr) bool // kept, or every call would allocate a closure
	errno syscall.Errno
}

func (r *receiver) init() {
	r.slab = make([]byte, rxBuffers*rxSize)
	r.call = r.recvmmsg
	for i := range r.hdrs {
		r.iovs[i].Base = &r.slab[i*rxSize]
		r.iovs[i].SetLen(rxSize)
		r.hdrs[i].hdr.Iov = &r.iovs[i]
		r.hdrs[i].hdr.SetIovlen(1)
	}
}

// receive waits for datagrams.
func (r *receiver) receive(raw syscall.RawConn) error {
	for i := range r.hdrs {
		r.hdrs[i].hdr.Control = &r.controls[i][0]
		r.hdrs[i].hdr.SetControllen(len(control{}))
	}
	r.got, r.at, r.errno = 0, 0, 0
	if err := raw.Read(r.call); err != nil {
		return err
	}
	if r.errno != 0 {
		return r.errno
	}
	return nil
}

// recvmmsg reports whether the call is over; false makes the runtime wait for the socket.
func (r *receiver) recvmmsg(fd uintptr) bool {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdrs[0])),
			rxBuffers, 0, 0, 0)
		switch errno {
		case 0:
			r.got = int(n)
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			r.errno = errno
			return true
		}
	}
}

// next returns the next frame that was received, or nil.
func (r *receiver) next() []byte {
	for len(r.open.rest) == 0 {
		if r.at == r.got {
			return nil
		}
		i := r.at
		r.at++
		n := int(r.hdrs[i].len)
		r.open = segments{r.slab[i*rxSize : i*rxSize+n], r.segmentSize(i)}
	}
	return r.open.next()
}

// segmentSize is what the kernel says of a datagram that it put together, else 0.
func (r *receiver) segmentSize(i int) int {
	if r.hdrs[i].hdr.Controllen < unix.SizeofCmsghdr {
		return 0
	}
	c := (*unix.Cmsghdr)(unsafe.Pointer(&r.controls[i][0]))
	if c.Level != unix.IPPROTO_UDP || c.Type != unix.UDP_GRO {
		return 0
	}
	return int(*(*int32)(unsafe.Pointer(&r.controls[i][unix.SizeofCmsghdr])))
}

// sender sends a batch of frames as few datagrams in one system call.
type sender struct {
	hdrs     [batch]mmsghdr
	iovs     [2 * batch]unix.Iovec // a frame and its padding
	used     int
	controls [batch]control
	counts   [batch]int // frames of each datagram

	first, end int // datagrams of the call
	call       func(fd uintptr) bool
	sent       int // frames
}

func (s *sender) init() { s.call = s.sendmmsg }

func (s *sender) send(raw syscall.RawConn, frames [][]byte) (sent int, err error) {
	s.first, s.end, s.sent, s.used = 0, 0, 0, 0
	size := padding(frames)
	for len(frames) > 0 {
		n := min(len(frames), perRun(size))
		if size == 0 {
			n = run(frames)
		}
		s.add(frames[:n], max(size, len(frames[0])))
		frames = frames[n:]
	}
	err = raw.Write(s.call)
	clear(s.iovs[:s.used]) // the frames belong to the caller again
	return s.sent, err
}

// zeros is what frames are padded with. A longer frame is never sent.
var zeros [maxBytes]byte

// add makes one datagram of frames that are padded to size, but the last.
func (s *sender) add(frames [][]byte, size int) {
	h := &s.hdrs[s.end].hdr
	h.Iov = &s.iovs[s.used]
	first := s.used
	for i, f := range frames {
		s.part(f)
		if i < len(frames)-1 && len(f) < size {
			s.part(zeros[:size-len(f)])
		}
	}
	h.SetIovlen(s.used - first)
	h.Control = nil
	h.SetControllen(0)
	if len(frames) > 1 {
		c := &s.controls[s.end]
		m := (*unix.Cmsghdr)(unsafe.Pointer(&c[0]))
		m.Level, m.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		m.SetLen(unix.CmsgLen(2))
		*(*uint16)(unsafe.Pointer(&c[unix.SizeofCmsghdr])) = uint16(size)
		h.Control = &c[0]
		h.SetControllen(unix.CmsgSpace(2))
	}
	s.counts[s.end] = len(frames)
	s.end++
}

// part adds bytes to the datagram.
func (s *sender) part(b []byte) {
	s.iovs[s.used].Base = unsafe.SliceData(b)
	s.iovs[s.used].SetLen(len(b))
	s.used++
}

// sendmmsg sends all datagrams. The kernel reports a refusal for the first datagram of a call only;
// that one is left out.
func (s *sender) sendmmsg(fd uintptr) bool {
	for s.first < s.end {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd,
			uintptr(unsafe.Pointer(&s.hdrs[s.first])), uintptr(s.end-s.first), 0, 0, 0)
		switch errno {
		case 0:
			for _, frames := range s.counts[s.first : s.first+int(n)] {
				s.sent += frames
			}
			s.first += int(n)
		case unix.EINTR:
		default:
			s.first++
		}
	}
	return true
}

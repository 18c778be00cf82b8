package generator

import (
	"errors"
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is the kernel's struct mmsghdr, see sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// sender is a raw socket that only sends.
type sender struct {
	fd     int
	frames [][]byte
	next   int // the frame that is sent next
	hdrs   []mmsghdr
	iovs   []unix.Iovec
}

// openPacket opens a raw socket that is bound to an interface; protocol 0 receives nothing.
func openPacket(name string, protocol uint16) (fd int, err error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return -1, fmt.Errorf("interface %s: %w", name, err)
	}
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("interface %s: raw socket: %w", name, err)
	}
	address := unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: iface.Index}
	if err := unix.Bind(fd, &address); err != nil {
		return -1, errors.Join(fmt.Errorf("interface %s: bind: %w", name, err), unix.Close(fd))
	}
	return fd, nil
}

func openSender(name string) (*sender, error) {
	fd, err := openPacket(name, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		return nil, errors.Join(fmt.Errorf("interface %s: PACKET_QDISC_BYPASS: %w", name, err), unix.Close(fd))
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20) // the default will do
	return &sender{fd: fd}, nil
}

// load takes the frames to send, in turn. They are the sender's until the next call.
func (s *sender) load(frames [][]byte) {
	s.frames, s.next = frames, 0
	// Twice the batch at the end repeats the beginning, so that every batch is contiguous.
	n := len(frames) + batch
	s.hdrs, s.iovs = make([]mmsghdr, n), make([]unix.Iovec, n)
	for i := range n {
		f := frames[i%len(frames)]
		s.iovs[i].Base = unsafe.SliceData(f)
		s.iovs[i].SetLen(len(f))
		s.hdrs[i].hdr.Iov = &s.iovs[i]
		s.hdrs[i].hdr.SetIovlen(1)
	}
}

// frame returns the i-th frame from the next one on.
func (s *sender) frame(i int) []byte { return s.frames[(s.next+i)%len(s.frames)] }

// send sends up to n frames, at most a batch, and returns how many the interface took.
func (s *sender) send(n int) (int, error) {
	sent, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd),
		uintptr(unsafe.Pointer(&s.hdrs[s.next])), uintptr(min(n, batch)), 0, 0, 0)
	switch errno {
	case 0:
		s.next = (s.next + int(sent)) % len(s.frames)
		return int(sent), nil
	case unix.EAGAIN, unix.ENOBUFS, unix.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("sendmmsg: %w", errno)
}

func (s *sender) close() error { return unix.Close(s.fd) }

package port

import (
	"fmt"
	"net"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// transmitter sends frames out of an interface by an AF_PACKET socket of its own. Nobody waits for that
// socket, so the kernel has nobody to wake whenever it is done with a frame, as it would for one that is
// also received from; and frames go without the header that describes work left to hardware.
type transmitter struct {
	mu   sync.Mutex
	fd   int // negative: closed
	hdrs [maxBatch]mmsghdr
	iovs [maxBatch]unix.Iovec
}

// newTransmitter opens a socket on the interface with the given index. Its protocol, 0, receives nothing.
func newTransmitter(index int) (*transmitter, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("raw socket (needs root or CAP_NET_RAW): %w", err)
	}
	t := &transmitter{fd: fd}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, packetBuffer)
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
		t.close()
		return nil, fmt.Errorf("bind: %w", err)
	}
	for i := range t.hdrs {
		t.hdrs[i].hdr.Iov = &t.iovs[i]
		t.hdrs[i].hdr.SetIovlen(1)
	}
	return t, nil
}

// write sends frames and returns how many went out; t.mu is held. The error says that it is closed.
func (t *transmitter) write(frames [][]byte) (sent int, err error) {
	if t.fd < 0 {
		return 0, net.ErrClosed
	}
	for len(frames) > 0 {
		n := 0
		for n < maxBatch && len(frames) > 0 {
			if f := frames[0]; len(f) > 0 && len(f) <= MaxFrame {
				t.iovs[n].Base = unsafe.SliceData(f)
				t.iovs[n].SetLen(len(f))
				n++
			}
			frames = frames[1:]
		}
		sent += t.send(n)
	}
	return sent, nil
}

// send transmits the first n messages and returns how many went out. One that the kernel refuses, which
// it tells only of the first of a call, is passed over, so that it does not stall the others.
func (t *transmitter) send(n int) (sent int) {
	for first := 0; first < n; {
		done, errno := t.sendmmsg(first, n)
		first, sent = first+done, sent+done
		switch errno {
		case 0, unix.EINTR:
		case unix.EAGAIN: // no room, and we do not wait
			return sent
		default:
			first++
		}
	}
	return sent
}

// sendmmsg sends messages from first up to, not including, end. It never waits, so the scheduler need not
// hear of it.
func (t *transmitter) sendmmsg(first, end int) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(t.fd),
		uintptr(unsafe.Pointer(&t.hdrs[first])), uintptr(end-first), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func (t *transmitter) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fd >= 0 {
		_ = unix.Close(t.fd) // nothing is buffered, so nothing can get lost
		t.fd = -1
	}
}

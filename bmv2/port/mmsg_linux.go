package port

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is the kernel's struct mmsghdr, see recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// mmsg is one direction of a socket that moves up to maxBatch messages per system call. All that
// the kernel reads and writes lives here, so a call allocates nothing. It is filled by its owner,
// who also keeps two calls from overlapping.
type mmsg struct {
	raw  syscall.RawConn
	hdrs [maxBatch]mmsghdr
	iovs [maxBatch][3]unix.Iovec

	// Arguments and results of the call under way: a closure would be allocated anew for each call.
	want, done int
	errno      syscall.Errno
	receive    func(fd uintptr) bool
	transmit   func(fd uintptr) bool
}

func (m *mmsg) init(raw syscall.RawConn) {
	m.raw = raw
	m.receive, m.transmit = m.recvmmsg, m.sendmmsg
}

// recv waits for messages and receives at most n of them.
func (m *mmsg) recv(n int) (int, error) {
	m.want, m.done, m.errno = n, 0, 0
	if err := m.raw.Read(m.receive); err != nil {
		return 0, err
	}
	if m.errno != 0 {
		return 0, m.errno
	}
	return m.done, nil
}

// send transmits messages from first up to, not including, end. It returns the first message that
// did not go out, or end, and the kernel's reason. It never waits: what finds no room (EAGAIN) is
// for the caller to drop, as on a cable.
func (m *mmsg) send(first, end int) (next int, reason syscall.Errno, err error) {
	m.done, m.want, m.errno = first, end, 0
	if err := m.raw.Write(m.transmit); err != nil {
		return first, 0, err
	}
	return m.done, m.errno, nil
}

// recvmmsg reports whether the call is over; false makes the runtime wait until the socket is
// readable.
func (m *mmsg) recvmmsg(fd uintptr) bool {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd,
			uintptr(unsafe.Pointer(&m.hdrs[0])), uintptr(m.want), 0, 0, 0)
		switch errno {
		case 0:
			m.done = int(n)
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			m.errno = errno
			return true
		}
	}
}

// sendmmsg sends until all is sent or the kernel refuses a message. The kernel reports a refusal
// only for the first message of a call.
func (m *mmsg) sendmmsg(fd uintptr) bool {
	for m.done < m.want && m.errno == 0 {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd,
			uintptr(unsafe.Pointer(&m.hdrs[m.done])), uintptr(m.want-m.done), 0, 0, 0)
		switch errno {
		case 0:
			m.done += int(n)
		case unix.EINTR:
		default:
			m.errno = errno
		}
	}
	return true
}

// setIov points message i at its parts, of which there are at most three.
func (m *mmsg) setIov(i int, parts ...[]byte) {
	iov := &m.iovs[i]
	for k, p := range parts {
		iov[k].Base = unsafe.SliceData(p)
		iov[k].SetLen(len(p))
	}
	m.hdrs[i].hdr.Iov = &iov[0]
	m.hdrs[i].hdr.SetIovlen(len(parts))
}

// setControl gives message i room for, or the bytes of, a control message.
func (m *mmsg) setControl(i int, control *byte, length int) {
	m.hdrs[i].hdr.Control = control
	m.hdrs[i].hdr.SetControllen(length)
}

// setName gives message i room for, or the value of, a socket address.
func (m *mmsg) setName(i int, name unsafe.Pointer, length uintptr) {
	m.hdrs[i].hdr.Name = (*byte)(name)
	m.hdrs[i].hdr.Namelen = uint32(length)
}

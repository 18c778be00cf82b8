package port

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// XDP is a network interface all of whose frames go to AF_XDP sockets, one for each receive queue of
// the interface: the kernel's own protocols do not see them, nor does tcpdump on the interface.
type XDP struct {
	counters
	name    string
	program *xdpProgram
	queues  []*xdpQueue
	closed  atomic.Bool
}

// xdpQueue is one receive queue of an interface.
type xdpQueue struct {
	*xsk
	file *os.File
	raw  syscall.RawConn

	reading sync.Mutex
	bufs    [][]byte // argument and results of the reception under way
	got     int
	tooLong uint64
	poll    func(fd uintptr) bool

	writing  sync.Mutex
	errno    syscall.Errno // result of the transmission under way
	transmit func(fd uintptr) bool

	lost uint64 // what the kernel has dropped, as of the latest look; guarded by writing
}

// OpenXDP opens the interface with the given name. It needs root, a driver with XDP of its own and
// Linux 6.8. While it is open, hosts on the other end of a veth pair must cut their frames
// themselves, which the kernel sees to.
func OpenXDP(name string) (*XDP, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %q: %w", name, err)
	}
	x := &XDP{name: name}
	if err := x.open(iface); err != nil {
		return nil, fmt.Errorf("interface %q: %w", name, errors.Join(err, x.Close()))
	}
	return x, nil
}

// xdpHeader is what a frame has besides the MTU in bytes: Ethernet and two VLAN tags.
const xdpHeader = 14 + 2*4

// fits reports whether frames of an interface with the given MTU find room.
func (x *XDP) fits(mtu int) bool { return chunkFor(mtu+xdpHeader) <= x.queues[0].chunk }

func (x *XDP) open(iface *net.Interface) (err error) {
	queues, err := receiveQueues(iface.Name)
	if err != nil {
		return err
	}
	if x.program, err = attachXDP(iface.Index, queues); err != nil {
		return err
	}
	for i := range queues {
		q, err := openXDPQueue(iface.Index, i, iface.MTU+xdpHeader)
		if err != nil {
			return err
		}
		x.queues = append(x.queues, q)
		if err := x.program.add(i, q.fd); err != nil {
			return err
		}
	}
	return nil
}

// receiveQueues asks the driver, see ethtool -l; one that has no answer has one queue.
func receiveQueues(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	// struct ethtool_channels and struct ifreq of the kernel.
	channels := struct{ cmd, maxRx, maxTx, maxOther, maxCombined, rx, tx, other, combined uint32 }{
		cmd: unix.ETHTOOL_GCHANNELS}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&channels)}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL,
		uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return 1, nil
	}
	return max(1, int(channels.rx+channels.combined)), nil
}

func openXDPQueue(index, queue, longest int) (*xdpQueue, error) {
	socket, err := openXSK(index, queue, longest)
	if err != nil {
		return nil, err
	}
	q := &xdpQueue{xsk: socket, file: os.NewFile(uintptr(socket.fd), "xdp")}
	if q.raw, err = q.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, q.close())
	}
	q.poll, q.transmit = q.pollOnce, q.transmitOnce
	return q, nil
}

// pollOnce reports whether something came; false makes the runtime wait until the socket is readable.
func (q *xdpQueue) pollOnce(uintptr) bool {
	n, tooLong := q.receive(q.bufs)
	q.got, q.tooLong = n, q.tooLong+tooLong
	return n > 0
}

func (q *xdpQueue) transmitOnce(fd uintptr) bool {
	q.errno = q.kick(fd)
	return true
}

// Queues implements [Queued].
func (x *XDP) Queues() int { return len(x.queues) }

// ZeroCopy reports whether the driver puts frames into the memory of the sockets itself.
func (x *XDP) ZeroCopy() bool { return x.queues[0].direct }

// ReadBatch implements [Port]; it reads the first queue.
func (x *XDP) ReadBatch(bufs [][]byte) (int, error) { return x.ReadQueue(0, bufs) }

// ReadQueue implements [Queued].
func (x *XDP) ReadQueue(queue int, bufs [][]byte) (int, error) {
	q := x.queues[queue]
	q.reading.Lock()
	defer q.reading.Unlock()
	if x.closed.Load() {
		return 0, net.ErrClosed
	}
	q.bufs, q.got = bufs, 0
	err := q.raw.Read(q.poll)
	if q.tooLong > 0 {
		x.rxDrops.Add(q.tooLong)
		q.tooLong = 0
	}
	if x.closed.Load() {
		return 0, net.ErrClosed
	}
	if err != nil {
		return 0, fmt.Errorf("interface %q: %w", x.name, err)
	}
	for _, f := range bufs[:q.got] {
		completePartial(f)
	}
	return q.got, nil
}

// WriteBatch implements [Port].
func (x *XDP) WriteBatch(frames [][]byte) (sent int, err error) {
	q := x.sender()
	defer q.writing.Unlock()
	if x.closed.Load() {
		return 0, net.ErrClosed
	}
	for rest := frames; len(rest) > 0; {
		now := rest[:min(len(rest), maxBatch)]
		rest = rest[len(now):]
		q.reclaim()
		if q.sending.pending() > 0 && q.errno != 0 {
			// The interface was down and may be so still: what waits would be late already.
			if err := q.raw.Write(q.transmit); err != nil {
				return sent, net.ErrClosed
			}
			if q.errno != 0 {
				continue
			}
		}
		sent += q.queue(now)
		if err := q.raw.Write(q.transmit); err != nil {
			return sent, net.ErrClosed
		}
	}
	x.txDrops.Add(uint64(len(frames) - sent))
	return sent, nil
}

// sender locks a queue that nobody else sends by, if there is one, as Packet does.
func (x *XDP) sender() *xdpQueue {
	for _, q := range x.queues {
		if q.writing.TryLock() {
			return q
		}
	}
	x.queues[0].writing.Lock()
	return x.queues[0]
}

// Counters implements [Counting]; it includes what the kernel dropped for want of room.
func (x *XDP) Counters() Counters {
	for _, q := range x.queues {
		q.writing.Lock()
		_ = q.raw.Control(func(fd uintptr) {
			if now, ok := q.overruns(fd); ok {
				x.rxDrops.Add(now - q.lost)
				q.lost = now
			}
		})
		q.writing.Unlock()
	}
	return x.counters.Counters()
}

// Close implements [Port].
func (x *XDP) Close() error {
	if x.closed.Swap(true) {
		return nil
	}
	var errs []error
	if x.program != nil {
		errs = append(errs, x.program.Close())
	}
	for _, q := range x.queues {
		errs = append(errs, q.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("interface %q: %w", x.name, err)
	}
	return nil
}

// close ends the socket, which wakes its reader, and then gives back the memory that it uses.
func (q *xdpQueue) close() error {
	err := q.file.Close()
	q.reading.Lock()
	defer q.reading.Unlock()
	q.writing.Lock()
	defer q.writing.Unlock()
	return errors.Join(err, q.unmap())
}

package port

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes of an AF_XDP socket in frames; powers of two. What finds no room is dropped.
const (
	xskReceive  = 2048
	xskTransmit = 1024
)

// xsk is an AF_XDP socket: memory that is shared with the kernel, cut into chunks of one frame, and
// four rings through which chunks change hands. The first xskReceive chunks are for reception and
// belong to the kernel (fill), then to us (received). The others are for transmission: ours (free),
// then the kernel's (sending) and ours again (completed). See Documentation/networking/af_xdp.rst.
type xsk struct {
	fd     int
	memory []byte
	chunk  int  // bytes
	direct bool // the driver moves frames without a copy

	fill, completed, received, sending xskRing

	free []uint64 // chunks for transmission that are ours
}

// xskRing is one ring: producer and consumer count entries and wrap around at 2^32.
type xskRing struct {
	mapped             []byte
	producer, consumer *uint32
	flags              *uint32
	entries            unsafe.Pointer
	mask               uint32
	at                 uint32 // our own count
}

// chunkFor returns the bytes of a chunk; the kernel takes powers of two only.
func chunkFor(longest int) int {
	const small, large = 2048, 4096
	if longest+unix.XDP_PACKET_HEADROOM > small {
		return large
	}
	return small
}

// openXSK makes a socket for one queue of an interface with the given longest frame in bytes.
func openXSK(index, queue, longest int) (_ *xsk, err error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("xdp socket: %w", err)
	}
	x := &xsk{fd: fd, chunk: chunkFor(longest)}
	defer func() {
		if err != nil {
			err = errors.Join(err, x.unmap(), unix.Close(fd))
		}
	}()
	if err := x.register(); err != nil {
		return nil, err
	}
	if err := x.mapRings(); err != nil {
		return nil, err
	}
	for i := range uint64(xskReceive) {
		*x.fill.address(uint32(i)) = i * uint64(x.chunk)
	}
	x.fill.at = xskReceive
	x.fill.publish()
	for i := range uint64(xskTransmit) {
		x.free = append(x.free, (xskReceive+i)*uint64(x.chunk))
	}
	if err := x.bind(index, queue); err != nil {
		return nil, fmt.Errorf("xdp socket: bind to queue %d: %w", queue, err)
	}
	x.direct = x.zeroCopy()
	return x, nil
}

// bind gives the socket its queue. A socket that was closed just now keeps it until the kernel gets
// round to release it, of which nobody is told.
func (x *xsk) bind(index, queue int) error {
	const patience, pause = time.Second, 2 * time.Millisecond
	// Without a flag for copies or none, the driver gives the best that it has.
	address := unix.SockaddrXDP{Flags: unix.XDP_USE_NEED_WAKEUP, Ifindex: uint32(index),
		QueueID: uint32(queue)}
	for begin := time.Now(); ; time.Sleep(pause) {
		err := unix.Bind(x.fd, &address)
		if !errors.Is(err, unix.EBUSY) || time.Since(begin) > patience {
			return err
		}
	}
}

// register shares the memory.
func (x *xsk) register() (err error) {
	const frames = xskReceive + xskTransmit
	x.memory, err = unix.Mmap(-1, 0, frames*x.chunk, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("xdp socket: memory: %w", err)
	}
	area := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&x.memory[0]))),
		Len: uint64(len(x.memory)), Size: uint32(x.chunk)}
	if err := setsockopt(x.fd, unix.SOL_XDP, unix.XDP_UMEM_REG, unsafe.Pointer(&area),
		unsafe.Sizeof(area)); err != nil {
		return fmt.Errorf("xdp socket: memory of %d bytes (needs CAP_IPC_LOCK or room to lock): %w",
			len(x.memory), err)
	}
	// More than 32 frames for each system call, since Linux 6.17.
	_ = unix.SetsockoptInt(x.fd, unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, xskTransmit/2)
	_ = unix.SetsockoptInt(x.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, packetBuffer)
	return nil
}

func (x *xsk) mapRings() error {
	var offsets unix.XDPMmapOffsets
	for _, r := range []struct {
		name         string
		option, size int
	}{
		{"fill", unix.XDP_UMEM_FILL_RING, xskReceive},
		{"completion", unix.XDP_UMEM_COMPLETION_RING, xskTransmit},
		{"rx", unix.XDP_RX_RING, xskReceive},
		{"tx", unix.XDP_TX_RING, xskTransmit},
	} {
		if err := unix.SetsockoptInt(x.fd, unix.SOL_XDP, r.option, r.size); err != nil {
			return fmt.Errorf("xdp socket: %s ring: %w", r.name, err)
		}
	}
	if err := getsockopt(x.fd, unix.SOL_XDP, unix.XDP_MMAP_OFFSETS, unsafe.Pointer(&offsets),
		unsafe.Sizeof(offsets)); err != nil {
		return fmt.Errorf("xdp socket: offsets: %w", err)
	}
	const address, descriptor = unsafe.Sizeof(uint64(0)), unsafe.Sizeof(unix.XDPDesc{})
	return errors.Join(
		x.fill.init(x.fd, unix.XDP_UMEM_PGOFF_FILL_RING, offsets.Fr, xskReceive, address),
		x.completed.init(x.fd, unix.XDP_UMEM_PGOFF_COMPLETION_RING, offsets.Cr, xskTransmit, address),
		x.received.init(x.fd, unix.XDP_PGOFF_RX_RING, offsets.Rx, xskReceive, descriptor),
		x.sending.init(x.fd, unix.XDP_PGOFF_TX_RING, offsets.Tx, xskTransmit, descriptor))
}

func (r *xskRing) init(fd int, page int64, o unix.XDPRingOffset, entries int, size uintptr) error {
	var err error
	r.mapped, err = unix.Mmap(fd, page, int(o.Desc)+entries*int(size), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("xdp socket: ring: %w", err)
	}
	r.producer = (*uint32)(unsafe.Pointer(&r.mapped[o.Producer]))
	r.consumer = (*uint32)(unsafe.Pointer(&r.mapped[o.Consumer]))
	r.flags = (*uint32)(unsafe.Pointer(&r.mapped[o.Flags]))
	r.entries, r.mask = unsafe.Pointer(&r.mapped[o.Desc]), uint32(entries-1)
	return nil
}

// address is an entry of a ring of chunks.
func (r *xskRing) address(i uint32) *uint64 {
	return (*uint64)(unsafe.Add(r.entries, uintptr(i&r.mask)*unsafe.Sizeof(uint64(0))))
}

// frame is an entry of a ring of frames.
func (r *xskRing) frame(i uint32) *unix.XDPDesc {
	return (*unix.XDPDesc)(unsafe.Add(r.entries, uintptr(i&r.mask)*unsafe.Sizeof(unix.XDPDesc{})))
}

// available counts the entries that the kernel has put into a ring which we empty.
func (r *xskRing) available() uint32 { return atomic.LoadUint32(r.producer) - r.at }

// pending counts the entries that the kernel has not taken yet from a ring which we fill.
func (r *xskRing) pending() uint32 { return r.at - atomic.LoadUint32(r.consumer) }

// publish gives the kernel what we have put into a ring that we fill.
func (r *xskRing) publish() { atomic.StoreUint32(r.producer, r.at) }

// release gives the kernel the room of what we have taken from a ring that we empty.
func (r *xskRing) release() { atomic.StoreUint32(r.consumer, r.at) }

// receive copies frames out and gives their chunks back to the kernel.
func (x *xsk) receive(bufs [][]byte) (n int, tooLong uint64) {
	for range min(x.received.available(), uint32(len(bufs))) {
		d := x.received.frame(x.received.at)
		x.received.at++
		if d.Len <= MaxFrame {
			bufs[n] = append(bufs[n][:0], x.memory[d.Addr:d.Addr+uint64(d.Len)]...)
			n++
		} else {
			tooLong++
		}
		*x.fill.address(x.fill.at) = d.Addr &^ uint64(x.chunk-1)
		x.fill.at++
	}
	x.received.release()
	x.fill.publish()
	return n, tooLong
}

// reclaim takes back the chunks of frames that were sent.
func (x *xsk) reclaim() {
	for range x.completed.available() {
		x.free = append(x.free, *x.completed.address(x.completed.at))
		x.completed.at++
	}
	x.completed.release()
}

// queue puts frames on the ring to the kernel, as long as there is room.
func (x *xsk) queue(frames [][]byte) (n int) {
	for _, f := range frames {
		if len(f) == 0 || len(f) > MaxFrame {
			continue
		}
		if len(x.free) == 0 {
			break
		}
		at := x.free[len(x.free)-1]
		x.free = x.free[:len(x.free)-1]
		*x.sending.frame(x.sending.at) = unix.XDPDesc{Addr: at, Len: uint32(copy(x.memory[at:], f))}
		x.sending.at++
		n++
	}
	x.sending.publish()
	return n
}

// kick has the kernel send what is queued, if it does not do so by itself.
func (x *xsk) kick(fd uintptr) (errno syscall.Errno) {
	for range xskTransmit {
		if x.sending.pending() == 0 ||
			atomic.LoadUint32(x.sending.flags)&unix.XDP_RING_NEED_WAKEUP == 0 {
			return 0
		}
		_, _, errno = unix.Syscall6(unix.SYS_SENDTO, fd, 0, 0, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0, unix.EINTR:
		case unix.EAGAIN: // it has sent as many as it does at a time, or there is no memory
			if x.reclaim(); x.sending.pending() == 0 {
				return 0
			}
		default:
			return errno
		}
	}
	return errno
}

// overruns counts what the kernel has dropped for want of room.
func (x *xsk) overruns(fd uintptr) (uint64, bool) {
	var s unix.XDPStatistics
	err := getsockopt(int(fd), unix.SOL_XDP, unix.XDP_STATISTICS, unsafe.Pointer(&s), unsafe.Sizeof(s))
	return s.Rx_dropped + s.Rx_ring_full + s.Rx_fill_ring_empty_descs, err == nil
}

func (x *xsk) zeroCopy() bool {
	var options uint32
	err := getsockopt(x.fd, unix.SOL_XDP, unix.XDP_OPTIONS, unsafe.Pointer(&options),
		unsafe.Sizeof(options))
	return err == nil && options&unix.XDP_OPTIONS_ZEROCOPY != 0
}

// unmap gives the memory back; the socket's descriptor must not be used for anything but Close.
func (x *xsk) unmap() error {
	var errs []error
	for _, m := range []*[]byte{&x.fill.mapped, &x.completed.mapped, &x.received.mapped,
		&x.sending.mapped, &x.memory} {
		if *m != nil {
			errs = append(errs, unix.Munmap(*m))
			*m = nil
		}
	}
	return errors.Join(errs...)
}

func setsockopt(fd, level, option int, value unsafe.Pointer, size uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(value), size, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func getsockopt(fd, level, option int, value unsafe.Pointer, size uintptr) error {
	length := uint32(size)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(value), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

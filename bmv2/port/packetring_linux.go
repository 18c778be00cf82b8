package port

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes of a ring in bytes. A slot holds a frame of MaxFrame bytes behind the kernel's headers; a
// size that is no power of two spreads the slots over a cache. Slots do not cross blocks.
const (
	ringSlot  = 2176
	ringBlock = 128 << 10
	perBlock  = ringBlock / ringSlot
	// The rings of an interface have so many blocks together, 8 MiB, but no ring fewer than the least.
	ringBlocks      = 64
	leastRingBlocks = 8
)

// packetRing is reception of an AF_PACKET socket in memory that is shared with the kernel
// (TPACKET_V2): no system call moves frames. Version 3 of the same fills blocks of many frames, which
// are ours when they are full or a timer of at least a millisecond has run out; that is too late
// for a switch. A frame that is larger than a slot comes as a message, and the ring says when.
type packetRing struct {
	memory []byte
	slots  int
	at     int // the next slot

	raw   syscall.RawConn
	errno syscall.Errno // result of poll
	poll  func(fd uintptr) bool

	large   [vnetHeaderLen + MaxFrame + overflow]byte // a message
	restore restorer
	drops   *atomic.Uint64
}

// newPacketRing sets a socket up before it is bound, one of so many of its interface.
func newPacketRing(fd int, raw syscall.RawConn, sockets int, drops *atomic.Uint64) (*packetRing, error) {
	blocks := max(ringBlocks/sockets, leastRingBlocks)
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return nil, fmt.Errorf("PACKET_VERSION: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_COPY_THRESH, ringSlot); err != nil {
		return nil, fmt.Errorf("PACKET_COPY_THRESH: %w", err)
	}
	request := unix.TpacketReq{Block_size: ringBlock, Block_nr: uint32(blocks), Frame_size: ringSlot,
		Frame_nr: uint32(blocks * perBlock)}
	if err := setsockopt(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, unsafe.Pointer(&request),
		unsafe.Sizeof(request)); err != nil {
		return nil, fmt.Errorf("PACKET_RX_RING of %d bytes: %w", ringBlock*blocks, err)
	}
	memory, err := unix.Mmap(fd, 0, ringBlock*blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("ring of %d bytes: %w", ringBlock*blocks, err)
	}
	r := &packetRing{memory: memory, slots: blocks * perBlock, raw: raw, drops: drops}
	r.poll = r.ready
	return r, nil
}

// slot returns the memory of the next slot.
func (r *packetRing) slot() unsafe.Pointer {
	return unsafe.Pointer(&r.memory[r.at/perBlock*ringBlock+r.at%perBlock*ringSlot])
}

// ready reports whether the next slot is ours, or the socket has an error; false makes the runtime
// wait until the socket is readable.
func (r *packetRing) ready(fd uintptr) bool {
	if atomic.LoadUint32(&(*unix.Tpacket2Hdr)(r.slot()).Status)&unix.TP_STATUS_USER != 0 {
		return true
	}
	// An error that nobody takes would cost the next frame that is sent.
	number, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	r.errno = syscall.Errno(number)
	return err == nil && number != 0
}

// receive implements [receiver].
func (r *packetRing) receive(bufs [][]byte) (kept int, err error) {
	if !r.restore.waiting.empty() {
		return r.restore.waiting.take(bufs), nil
	}
	r.errno = 0
	if err := r.raw.Read(r.poll); err != nil {
		return 0, err
	}
	if r.errno != 0 {
		return 0, r.errno
	}
	for kept < len(bufs) && r.restore.waiting.empty() {
		f, ok := r.next()
		if !ok {
			break
		}
		frame, ok := r.finish(f, bufs[kept])
		if ok {
			bufs[kept] = frame
			kept++
		}
		r.done()
	}
	return kept + r.restore.waiting.take(bufs[kept:]), nil
}

// finish brings what a slot holds into the form that it has on a cable. It reports false when that
// is no frame, or several, which wait.
func (r *packetRing) finish(f ringFrame, buf []byte) (_ []byte, ok bool) {
	if f.message {
		f.vnet, f.frame, f.whole = r.readMessage()
	}
	switch {
	case f.outgoing:
		return nil, false
	case !f.whole || len(f.frame) > MaxFrame && !segmented(f.vnet):
	case segmented(f.vnet):
		if r.restore.cut(f.vnet, f.tag, f.frame) {
			return nil, false
		}
	default:
		frame, ok := r.restore.frame(append(buf[:0], f.frame...), f.vnet, f.tag)
		if ok {
			return frame, true
		}
	}
	r.drops.Add(1)
	return nil, false
}

// next returns what the next slot holds, or false; it is ours until done.
func (r *packetRing) next() (f ringFrame, ok bool) {
	header := (*unix.Tpacket2Hdr)(r.slot())
	status := atomic.LoadUint32(&header.Status)
	if status&unix.TP_STATUS_USER == 0 {
		return f, false
	}
	base := r.slot()
	f.whole = header.Len == header.Snaplen
	f.message = status&unix.TP_STATUS_COPY != 0
	f.frame = unsafe.Slice((*byte)(unsafe.Add(base, header.Mac)), header.Snaplen)
	f.vnet = unsafe.Slice((*byte)(unsafe.Add(base, header.Mac-vnetHeaderLen)), vnetHeaderLen)
	if status&unix.TP_STATUS_VLAN_VALID != 0 {
		f.tag = vlanTag{unix.ETH_P_8021Q, header.Vlan_tci, true}
		if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			f.tag.protocol = header.Vlan_tpid
		}
	}
	const address = unsafe.Sizeof(unix.Tpacket2Hdr{})
	f.outgoing = (*unix.RawSockaddrLinklayer)(unsafe.Add(base, address)).Pkttype == unix.PACKET_OUTGOING
	return f, true
}

// done gives the slot back to the kernel.
func (r *packetRing) done() {
	atomic.StoreUint32(&(*unix.Tpacket2Hdr)(r.slot()).Status, unix.TP_STATUS_KERNEL)
	if r.at++; r.at == r.slots {
		r.at = 0
	}
}

// ringFrame is what a slot holds.
type ringFrame struct {
	frame, vnet []byte
	tag         vlanTag
	whole       bool // the slot holds all of it
	message     bool // it waits as a message, because it is larger than a slot
	outgoing    bool
}

// readMessage receives the frame that a slot announces.
func (r *packetRing) readMessage() (vnet, frame []byte, whole bool) {
	var n uintptr
	var errno syscall.Errno
	_ = r.raw.Control(func(fd uintptr) {
		n, _, errno = unix.Syscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&r.large[0])),
			uintptr(len(r.large)), unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0)
	})
	if errno != 0 || n < vnetHeaderLen || n > uintptr(len(r.large)) {
		return nil, nil, false
	}
	return r.large[:vnetHeaderLen], r.large[vnetHeaderLen:n], true
}

// release implements [receiver].
func (r *packetRing) release() error { return unix.Munmap(r.memory) }

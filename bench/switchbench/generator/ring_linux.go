package generator

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ring: slots of two kilobytes hold one frame each, with the kernel's header in front.
const (
	slotSize  = 2048
	slotCount = 1 << 14
	blockSize = 1 << 16
)

// ring receives frames without system calls (TPACKET_V2, packet_mmap in the kernel's documentation):
// the kernel writes a frame into the next slot and then hands the slot over.
type ring struct {
	fd   int
	mem  []byte
	next int
}

func openRing(name string) (*ring, error) {
	fd, err := openPacket(name, unix.ETH_P_ALL)
	if err != nil {
		return nil, err
	}
	r := &ring{fd: fd}
	if r.mem, err = mapRing(fd); err != nil {
		return nil, errors.Join(fmt.Errorf("interface %s: receive ring: %w", name, err), unix.Close(fd))
	}
	return r, nil
}

func mapRing(fd int) ([]byte, error) {
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return nil, err
	}
	request := unix.TpacketReq{
		Block_size: blockSize, Block_nr: slotCount * slotSize / blockSize,
		Frame_size: slotSize, Frame_nr: slotCount,
	}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return nil, err
	}
	return unix.Mmap(fd, 0, slotCount*slotSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// poll calls f with every frame that has arrived.
func (r *ring) poll(f func(frame []byte)) {
	for {
		slot := r.mem[r.next*slotSize:][:slotSize]
		h := (*unix.Tpacket2Hdr)(unsafe.Pointer(&slot[0]))
		if atomic.LoadUint32(&h.Status)&unix.TP_STATUS_USER == 0 {
			return
		}
		f(slot[h.Mac:][:h.Snaplen])
		atomic.StoreUint32(&h.Status, unix.TP_STATUS_KERNEL)
		r.next = (r.next + 1) % slotCount
	}
}

func (r *ring) close() error { return errors.Join(unix.Munmap(r.mem), unix.Close(r.fd)) }

package port

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// auxdataLen is the room in bytes for the control message that carries a VLAN tag.
const auxdataLen = 64

// overflow is the room in bytes for what a frame to be cut has beyond MaxFrame; no IP packet is longer.
const overflow = 1 << 16

// messages is reception of an AF_PACKET socket by recvmmsg(2).
type messages struct {
	rd      mmsg
	vnet    [maxBatch][vnetHeaderLen]byte
	aux     [maxBatch][auxdataLen / 8]uint64 // aligned as control messages must be
	from    [maxBatch]unix.RawSockaddrLinklayer
	beyond  []byte // the ends of frames longer than MaxFrame, overflow bytes for each
	restore restorer
	drops   *atomic.Uint64
}

func newMessages(raw syscall.RawConn, drops *atomic.Uint64) *messages {
	m := &messages{beyond: make([]byte, maxBatch*overflow), drops: drops}
	m.rd.init(raw)
	return m
}

// receive implements [receiver].
func (m *messages) receive(bufs [][]byte) (int, error) {
	if !m.restore.waiting.empty() {
		return m.restore.waiting.take(bufs), nil
	}
	bufs = bufs[:min(len(bufs), maxBatch)]
	for i, b := range bufs {
		m.rd.setIov(i, m.vnet[i][:], b[:MaxFrame], m.beyond[i*overflow:(i+1)*overflow])
		m.rd.setName(i, unsafe.Pointer(&m.from[i]), unix.SizeofSockaddrLinklayer)
		m.rd.setControl(i, (*byte)(unsafe.Pointer(&m.aux[i])), auxdataLen)
	}
	n, err := m.rd.recv(len(bufs))
	if err != nil {
		return 0, err
	}
	kept := 0
	for i := range n {
		if m.from[i].Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if segmented(m.vnet[i][:]) {
			m.cut(i, bufs[i])
			continue
		}
		frame, ok := m.finish(i, bufs[i])
		switch {
		case !ok:
			m.drops.Add(1)
		case !m.restore.waiting.empty(): // not before the segments of an earlier frame
			m.restore.waiting.add(frame, nil)
		default:
			bufs[i] = bufs[kept]
			bufs[kept] = frame
			kept++
		}
	}
	return kept + m.restore.waiting.take(bufs[kept:]), nil
}

// finish brings message i into the form that it has on a cable, or reports that it has none.
func (m *messages) finish(i int, buf []byte) ([]byte, bool) {
	h := &m.rd.hdrs[i]
	length := int(h.len) - vnetHeaderLen
	if h.hdr.Flags&unix.MSG_TRUNC != 0 || length < 0 || length > MaxFrame {
		return nil, false
	}
	return m.restore.frame(buf[:length], m.vnet[i][:], m.tag(i))
}

// cut appends the frames that message i stands for to those that wait.
func (m *messages) cut(i int, buf []byte) {
	h := &m.rd.hdrs[i]
	length := int(h.len) - vnetHeaderLen
	if h.hdr.Flags&unix.MSG_TRUNC != 0 || length < 0 ||
		!m.restore.cut(m.vnet[i][:], m.tag(i), buf[:min(length, MaxFrame)],
			m.beyond[i*overflow:][:max(length-MaxFrame, 0)]) {
		m.drops.Add(1)
	}
}

// release implements [receiver].
func (m *messages) release() error { return nil }

// tag returns the VLAN tag that the kernel took out of message i.
func (m *messages) tag(i int) (t vlanTag) {
	aux := auxdata(&m.rd.hdrs[i].hdr)
	if aux == nil || aux.Status&unix.TP_STATUS_VLAN_VALID == 0 {
		return t
	}
	t = vlanTag{unix.ETH_P_8021Q, aux.Vlan_tci, true}
	if aux.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		t.protocol = aux.Vlan_tpid
	}
	return t
}

// auxdata finds the packet's auxiliary data, which is the only control message that we asked for.
func auxdata(h *unix.Msghdr) *unix.TpacketAuxdata {
	offset := uintptr(unix.CmsgLen(0))
	if uintptr(h.Controllen) < offset+unsafe.Sizeof(unix.TpacketAuxdata{}) {
		return nil
	}
	c := (*unix.Cmsghdr)(unsafe.Pointer(h.Control))
	if c.Level != unix.SOL_PACKET || c.Type != unix.PACKET_AUXDATA {
		return nil
	}
	return (*unix.TpacketAuxdata)(unsafe.Add(unsafe.Pointer(h.Control), offset))
}

package port

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// auxdataLen is the room in bytes for the control message that carries a VLAN tag.
const auxdataLen = 64

// overflow is the room in bytes for what a frame to be cut has beyond MaxFrame; no IP packet is longer.
const overflow = 1 << 16

// packetBuffer is the socket buffer asked for in bytes, as for UDP.
const packetBuffer = 4 << 20

// Packet is a raw socket on a network interface. It sees all frames that arrive on the interface,
// whoever they are for, and none that leave it. The kernel sees those frames too: an interface of a
// switch should have no IP address.
type Packet struct {
	counters
	name   string
	file   *os.File
	closed atomic.Bool

	reading sync.Mutex
	rd      mmsg
	vnet    [maxBatch][vnetHeaderLen]byte
	aux     [maxBatch][auxdataLen / 8]uint64 // aligned as control messages must be
	from    [maxBatch]unix.RawSockaddrLinklayer
	beyond  []byte // the ends of frames longer than MaxFrame, overflow bytes for each
	large   []byte // the frame being cut
	waiting backlog

	writing sync.Mutex
	wr      mmsg
	plain   [vnetHeaderLen]byte // all zero: nothing left to hardware
}

// OpenPacket opens the interface with the given name. It needs CAP_NET_RAW in the interface's
// network namespace.
func OpenPacket(name string) (*Packet, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %q: %w", name, err)
	}
	// Protocol zero receives nothing until the socket is bound to its interface.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("interface %q: raw socket (needs root or CAP_NET_RAW): %w", name,
			err)
	}
	if err := bindPacket(fd, iface.Index); err != nil {
		return nil, fmt.Errorf("interface %q: %w", name, errors.Join(err, unix.Close(fd)))
	}
	p := &Packet{name: name, file: os.NewFile(uintptr(fd), "packet:"+name),
		beyond: make([]byte, maxBatch*overflow)}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("interface %q: %w", name, errors.Join(err, p.file.Close()))
	}
	p.rd.init(raw)
	p.wr.init(raw)
	return p, nil
}

// bindPacket sets the options that the port relies on and starts reception.
func bindPacket(fd, index int) error {
	required := []struct {
		name   string
		option int
	}{
		{"PACKET_VNET_HDR", unix.PACKET_VNET_HDR},
		{"PACKET_AUXDATA", unix.PACKET_AUXDATA},
	}
	for _, o := range required {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, o.option, 1); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	// Saves copies since Linux 4.20; before that, ReadBatch sorts our own frames out.
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, packetBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, packetBuffer)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, packetBuffer)
	membership := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
		&membership); err != nil {
		return fmt.Errorf("promiscuous mode: %w", err)
	}
	address := unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: index}
	if err := unix.Bind(fd, &address); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

// networkOrder swaps the bytes where the machine is little endian.
func networkOrder(v uint16) (field uint16) {
	setPort(&field, v)
	return field
}

// ReadBatch implements [Port].
func (p *Packet) ReadBatch(bufs [][]byte) (int, error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	for {
		n, err := p.receive(bufs[:min(len(bufs), maxBatch)])
		if p.closed.Load() {
			return 0, net.ErrClosed // whatever the runtime calls it
		}
		if errors.Is(err, unix.ENETDOWN) {
			continue // reported once when the interface goes down; it may come up again
		}
		if err != nil {
			return 0, fmt.Errorf("interface %q: %w", p.name, err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// receive fills bufs once. It may end with no frame when all that came was our own or broken.
func (p *Packet) receive(bufs [][]byte) (int, error) {
	if !p.waiting.empty() {
		return p.waiting.take(bufs), nil
	}
	for i, b := range bufs {
		p.rd.setIov(i, p.vnet[i][:], b[:MaxFrame], p.beyond[i*overflow:(i+1)*overflow])
		p.rd.setName(i, unsafe.Pointer(&p.from[i]), unix.SizeofSockaddrLinklayer)
		p.rd.setControl(i, (*byte)(unsafe.Pointer(&p.aux[i])), auxdataLen)
	}
	n, err := p.rd.recv(len(bufs))
	if err != nil {
		return 0, err
	}
	kept := 0
	for i := range n {
		if p.from[i].Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if segmented(p.vnet[i][:]) {
			p.cut(i, bufs[i])
			continue
		}
		frame, ok := p.finish(i, bufs[i])
		switch {
		case !ok:
			p.rxDrops.Add(1)
		case !p.waiting.empty(): // not before the segments of an earlier frame
			p.waiting.add(frame, nil)
		default:
			bufs[i] = bufs[kept]
			bufs[kept] = frame
			kept++
		}
	}
	return kept + p.waiting.take(bufs[kept:]), nil
}

// finish brings message i into the form that it has on a cable, or reports that it has none.
func (p *Packet) finish(i int, buf []byte) ([]byte, bool) {
	h := &p.rd.hdrs[i]
	length := int(h.len) - vnetHeaderLen
	if h.hdr.Flags&unix.MSG_TRUNC != 0 || length < 0 || length > MaxFrame {
		return nil, false
	}
	frame := buf[:length]
	if completeChecksum(p.vnet[i][:], frame) != nil {
		return nil, false
	}
	if protocol, control, tagged := p.tag(i); tagged {
		return insertTag(frame, protocol, control)
	}
	return frame, true
}

// cut appends the frames that message i stands for to those that wait.
func (p *Packet) cut(i int, buf []byte) {
	h := &p.rd.hdrs[i]
	length := int(h.len) - vnetHeaderLen
	if h.hdr.Flags&unix.MSG_TRUNC != 0 || length < 0 {
		p.rxDrops.Add(1)
		return
	}
	p.large = append(p.large[:0], buf[:min(length, MaxFrame)]...)
	p.large = append(p.large, p.beyond[i*overflow:][:max(length-MaxFrame, 0)]...)
	shift, ok := 0, true
	if protocol, control, tagged := p.tag(i); tagged {
		shift = 4
		p.large, ok = insertTag(slices.Grow(p.large, shift), protocol, control)
	}
	f, err := parseLarge(p.vnet[i][:], p.large, shift)
	if err != nil || !ok {
		p.rxDrops.Add(1)
		return
	}
	f.cut(&p.waiting)
}

// tag returns the VLAN tag that the kernel took out of message i.
func (p *Packet) tag(i int) (protocol, control uint16, tagged bool) {
	aux := auxdata(&p.rd.hdrs[i].hdr)
	if aux == nil || aux.Status&unix.TP_STATUS_VLAN_VALID == 0 {
		return 0, 0, false
	}
	protocol = unix.ETH_P_8021Q
	if aux.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		protocol = aux.Vlan_tpid
	}
	return protocol, aux.Vlan_tci, true
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

// WriteBatch implements [Port].
func (p *Packet) WriteBatch(frames [][]byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	sent := 0
	for rest := frames; len(rest) > 0; {
		now := rest[:min(len(rest), maxBatch)]
		rest = rest[len(now):]
		n := 0
		for _, f := range now {
			if len(f) > 0 && len(f) <= MaxFrame {
				p.wr.setIov(n, p.plain[:], f)
				n++
			}
		}
		done, err := p.send(n)
		sent += done
		if err != nil {
			return sent, net.ErrClosed
		}
	}
	p.txDrops.Add(uint64(len(frames) - sent))
	return sent, nil
}

// send transmits the first n messages and returns how many went out. One that the kernel refuses is
// passed over, so that it does not stall the others.
func (p *Packet) send(n int) (sent int, err error) {
	for first := 0; first < n; {
		next, reason, err := p.wr.send(first, n)
		sent += next - first
		if err != nil || reason == unix.EAGAIN {
			return sent, err
		}
		first = next
		if reason != 0 {
			first++
		}
	}
	return sent, nil
}

// Counters implements [Counting]; it includes what the kernel dropped for want of buffer.
func (p *Packet) Counters() Counters {
	raw, err := p.file.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) {
			// The kernel starts anew with every reading.
			s, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
			if err == nil {
				p.rxDrops.Add(uint64(s.Drops))
			}
		})
	}
	return p.counters.Counters()
}

// Close implements [Port].
func (p *Packet) Close() error {
	p.closed.Store(true)
	if err := p.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("interface %q: %w", p.name, err)
	}
	return nil
}

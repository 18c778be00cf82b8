package port

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// packetBuffer is the socket buffer asked for in bytes, as for UDP.
const packetBuffer = 4 << 20

// Packet is a network interface behind raw sockets (AF_PACKET), one for each queue. It sees all
// frames that arrive on the interface, whoever they are for, and none that leave it. The kernel sees
// those frames too: an interface of a switch should have no IP address.
type Packet struct {
	counters
	name    string
	ring    bool
	sockets []*packetSocket
	closed  atomic.Bool
}

// packetSocket is one socket, and the one that sends for it.
type packetSocket struct {
	file *os.File
	raw  syscall.RawConn

	reading  sync.Mutex
	receiver receiver

	out *transmitter
}

// receiver is the receiving side of a socket.
type receiver interface {
	// receive waits for frames and copies them out. It may return none.
	receive(bufs [][]byte) (int, error)
	// release gives memory back; nobody receives any more.
	release() error
}

// OpenPacket opens the interface with the given name with one socket that moves frames as messages.
// It needs CAP_NET_RAW in the interface's network namespace.
func OpenPacket(name string) (*Packet, error) {
	return openPackets(name, 1, false)
}

// OpenRing is like OpenPacket, but the kernel puts received frames into memory that both share.
func OpenRing(name string) (*Packet, error) {
	return openPackets(name, 1, true)
}

// openPackets spreads reception over several queues, by flow.
func openPackets(name string, queues int, ring bool) (*Packet, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %q: %w", name, err)
	}
	p := &Packet{name: name, ring: ring}
	for range queues {
		s, err := p.openSocket(iface.Index, queues)
		if err != nil {
			return nil, fmt.Errorf("interface %q: %w", name, errors.Join(err, p.Close()))
		}
		p.sockets = append(p.sockets, s)
	}
	if queues > 1 {
		if err := p.fanOut(); err != nil {
			return nil, fmt.Errorf("interface %q: %w", name, errors.Join(err, p.Close()))
		}
	}
	return p, nil
}

// openSocket makes one of so many sockets. It receives at once if it is the only one.
func (p *Packet) openSocket(index, sockets int) (_ *packetSocket, err error) {
	// Protocol zero receives nothing until the socket is bound to its interface.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("raw socket (needs root or CAP_NET_RAW): %w", err)
	}
	s := &packetSocket{file: os.NewFile(uintptr(fd), "packet:"+p.name)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.raw, err = s.file.SyscallConn(); err != nil {
		return nil, err
	}
	if s.out, err = newTransmitter(index); err != nil {
		return nil, err
	}
	if err := preparePacket(fd); err != nil {
		return nil, err
	}
	if !p.ring {
		s.receiver = newMessages(s.raw, &p.rxDrops)
	} else if s.receiver, err = newPacketRing(fd, s.raw, sockets, &p.rxDrops); err != nil {
		return nil, err
	}
	if sockets > 1 {
		if err := mute(fd); err != nil {
			return nil, err
		}
	}
	return s, bindPacket(fd, index)
}

// preparePacket sets the options that the port relies on, before there is a ring.
func preparePacket(fd int) error {
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
	// Saves copies since Linux 4.20; before that, receivers sort our own frames out.
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, packetBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, packetBuffer)
	}
	return nil
}

// bindPacket starts reception.
func bindPacket(fd, index int) error {
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

// mute keeps frames from a socket, and unmute lets them in.
func mute(fd int) error {
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	program := unix.SockFprog{Len: uint16(len(nothing)), Filter: &nothing[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&program); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	return nil
}

func unmute(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	return nil
}

// fanOut spreads frames over the sockets by a hash over the addresses of IP, and the ports of TCP
// and UDP. Sockets can join only while they receive; so that none receives what belongs to another,
// they are mute until all have joined.
func (p *Packet) fanOut() error {
	group := unix.PACKET_FANOUT_HASH<<16 | unix.PACKET_FANOUT_FLAG_UNIQUEID<<16
	for i, s := range p.sockets {
		err := s.control(func(fd int) error {
			if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, group); err != nil {
				return fmt.Errorf("PACKET_FANOUT: %w", err)
			}
			if i > 0 {
				return nil
			}
			chosen, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
			group = unix.PACKET_FANOUT_HASH<<16 | chosen&0xffff
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, s := range p.sockets {
		if err := s.control(unmute); err != nil {
			return err
		}
	}
	return nil
}

func (s *packetSocket) control(f func(fd int) error) (err error) {
	return errors.Join(s.raw.Control(func(fd uintptr) { err = f(int(fd)) }), err)
}

// Queues implements [Queued].
func (p *Packet) Queues() int { return len(p.sockets) }

// ReadBatch implements [Port]; it reads the first queue.
func (p *Packet) ReadBatch(bufs [][]byte) (int, error) { return p.ReadQueue(0, bufs) }

// ReadQueue implements [Queued].
func (p *Packet) ReadQueue(queue int, bufs [][]byte) (int, error) {
	s := p.sockets[queue]
	s.reading.Lock()
	defer s.reading.Unlock()
	for {
		if p.closed.Load() {
			return 0, net.ErrClosed
		}
		n, err := s.receiver.receive(bufs)
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

// WriteBatch implements [Port].
func (p *Packet) WriteBatch(frames [][]byte) (int, error) {
	t := p.transmitter()
	defer t.mu.Unlock()
	sent, err := t.write(frames)
	if err == nil {
		p.txDrops.Add(uint64(len(frames) - sent))
	}
	return sent, err
}

// transmitter locks one that nobody else sends by, if there is one. What a writer sent before has left
// its socket by then, so its frames stay in order.
func (p *Packet) transmitter() *transmitter {
	for _, s := range p.sockets {
		if s.out.mu.TryLock() {
			return s.out
		}
	}
	p.sockets[0].out.mu.Lock()
	return p.sockets[0].out
}

// Counters implements [Counting]; it includes what the kernel dropped for want of buffer.
func (p *Packet) Counters() Counters {
	for _, s := range p.sockets {
		_ = s.control(func(fd int) error {
			// The kernel starts anew with every reading.
			stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
			if err == nil {
				p.rxDrops.Add(uint64(stats.Drops))
			}
			return err
		})
	}
	return p.counters.Counters()
}

// Close implements [Port].
func (p *Packet) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	var errs []error
	for _, s := range p.sockets {
		errs = append(errs, s.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("interface %q: %w", p.name, err)
	}
	return nil
}

// close ends the socket, which wakes its reader, and then gives back the memory that it reads.
func (s *packetSocket) close() error {
	err := s.file.Close()
	if s.out != nil {
		s.out.close()
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.receiver != nil {
		err = errors.Join(err, s.receiver.release())
	}
	return err
}

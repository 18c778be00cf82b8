package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/turbokv/turbokv/bmv2/port"
)

// reflectWord makes this program a reflector, a process like the switches.
const reflectWord = "reflect"

func reflecting() bool { return len(os.Args) > 1 && os.Args[1] == reflectWord }

// Sizes of the reflector.
const (
	reflectBatch  = 64
	reflectFrame  = 2048
	reflectStride = reflectFrame + 64 // from one to the next, so that they do not share sets of a cache
	reflectBuffer = 4 << 20           // bytes of the socket, as in the switch
)

// mmsghdr is the kernel's struct mmsghdr, see recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// reflect sends what arrives on the first interface out of the second, and does nothing else.
func reflect(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%s needs two interfaces and a way, which may be empty", reflectWord)
	}
	if args[2] == "" {
		return reflectMessages(args[0], args[1])
	}
	way, err := port.ParseIO(args[2])
	if err != nil {
		return err
	}
	return reflectPorts(args[0], args[1], way)
}

// reflectPorts moves frames as the built-in switch does.
func reflectPorts(first, second string, way port.IO) error {
	from, err := port.OpenInterface(port.InterfaceConfig{Name: first, IO: way})
	if err != nil {
		return err
	}
	to, err := port.OpenInterface(port.InterfaceConfig{Name: second, IO: way})
	if err != nil {
		return err
	}
	bufs, memory := make([][]byte, reflectBatch), make([]byte, reflectBatch*reflectStride)
	for i := range bufs {
		bufs[i] = memory[i*reflectStride:][:reflectFrame:reflectFrame]
	}
	for {
		n, err := from.ReadBatch(bufs)
		if err == nil {
			_, err = to.WriteBatch(bufs[:n])
		}
		if err != nil {
			return err
		}
	}
}

// reflectMessages moves frames with recvmmsg and sendmmsg, out of the memory that they were received in.
func reflectMessages(first, second string) error {
	from, err := openRaw(first, unix.ETH_P_ALL)
	if err != nil {
		return err
	}
	to, err := openRaw(second, 0)
	if err != nil {
		return err
	}
	var hdrs [reflectBatch]mmsghdr
	var iovs [reflectBatch]unix.Iovec
	memory := make([]byte, reflectBatch*reflectStride)
	for i := range hdrs {
		iovs[i].Base = &memory[i*reflectStride]
		hdrs[i].hdr.Iov = &iovs[i]
		hdrs[i].hdr.SetIovlen(1)
	}
	for {
		for i := range iovs {
			iovs[i].SetLen(reflectFrame)
		}
		n, err := mmsg(unix.SYS_RECVMMSG, from, hdrs[:], unix.MSG_WAITFORONE)
		if err != nil {
			return fmt.Errorf("recvmmsg: %w", err)
		}
		for i := range n {
			iovs[i].SetLen(int(hdrs[i].len))
		}
		for done := 0; done < n; {
			sent, err := mmsg(unix.SYS_SENDMMSG, to, hdrs[done:n], 0)
			if err != nil {
				sent = 1 // as on a cable: it is lost
			}
			done += sent
		}
	}
}

func mmsg(call uintptr, fd int, hdrs []mmsghdr, flags uintptr) (int, error) {
	for {
		n, _, errno := unix.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&hdrs[0])),
			uintptr(len(hdrs)), flags, 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// openRaw opens a blocking raw socket.
func openRaw(name string, protocol uint16) (fd int, err error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return -1, fmt.Errorf("interface %s: %w", name, err)
	}
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("interface %s: raw socket: %w", name, err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, reflectBuffer)
	membership := unix.PacketMreq{Ifindex: int32(iface.Index), Type: unix.PACKET_MR_PROMISC}
	address := unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: iface.Index}
	err = errors.Join(unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &membership),
		unix.Bind(fd, &address))
	if err != nil {
		return -1, errors.Join(fmt.Errorf("interface %s: %w", name, err), unix.Close(fd))
	}
	return fd, nil
}

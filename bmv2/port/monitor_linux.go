package port

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// monitor follows the interfaces of one network namespace (rtnetlink(7)).
type monitor struct {
	file *os.File
	raw  syscall.RawConn
	done chan struct{} // closed when the goroutine has ended

	mu       sync.Mutex
	links    map[int32]namedLink
	watchers map[*watcher]struct{}
	seen     map[int32]bool // while a dump is under way
	again    bool           // another dump is needed
}

type namedLink struct {
	name  string
	state linkState
}

type watcher struct {
	name  string
	state linkState
	tell  func(linkState)
}

// newMonitor knows all interfaces of the calling thread's namespace when it returns.
func newMonitor() (*monitor, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC,
		unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	m := &monitor{file: os.NewFile(uintptr(fd), "netlink"), done: make(chan struct{}),
		links: make(map[int32]namedLink), watchers: make(map[*watcher]struct{})}
	if err := m.start(fd); err != nil {
		return nil, fmt.Errorf("netlink socket: %w", errors.Join(err, m.file.Close()))
	}
	go func() {
		defer close(m.done)
		buf := make([]byte, netlinkBuffer)
		for m.step(buf) == nil {
		}
	}()
	return m, nil
}

// netlinkBuffer takes any message of the kernel, in bytes.
const netlinkBuffer = 64 << 10

func (m *monitor) start(fd int) (err error) {
	if m.raw, err = m.file.SyscallConn(); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{
		Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK,
	}); err != nil {
		return err
	}
	m.mu.Lock()
	m.dump()
	m.mu.Unlock()
	buf := make([]byte, netlinkBuffer)
	for m.seen != nil || m.again {
		if err := m.step(buf); err != nil {
			return err
		}
	}
	return nil
}

// dump asks for all interfaces; m.mu is held.
func (m *monitor) dump() {
	if m.seen != nil {
		m.again = true
		return
	}
	m.seen, m.again = make(map[int32]bool), false
	request := struct {
		header unix.NlMsghdr
		info   unix.IfInfomsg
	}{header: unix.NlMsghdr{Type: unix.RTM_GETLINK, Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP}}
	request.header.Len = uint32(unsafe.Sizeof(request))
	_ = m.raw.Control(func(fd uintptr) {
		data := unsafe.Slice((*byte)(unsafe.Pointer(&request)), unsafe.Sizeof(request))
		if unix.Sendto(int(fd), data, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
			m.seen = nil
		}
	})
}

// step receives once and tells the watchers what has changed. It fails when the monitor is closed.
func (m *monitor) step(buf []byte) error {
	var n int
	var received error
	if err := m.raw.Read(func(fd uintptr) bool {
		n, _, received = unix.Recvfrom(int(fd), buf, 0)
		return !errors.Is(received, unix.EAGAIN) && !errors.Is(received, unix.EINTR)
	}); err != nil {
		return err
	}
	m.mu.Lock()
	if received != nil { // more came than the socket holds: begin anew
		m.dump()
	} else {
		m.handle(buf[:n])
	}
	changed := m.changes()
	m.mu.Unlock()
	for _, w := range changed {
		w.tell(w.state)
	}
	return nil
}

// handle takes in one datagram; m.mu is held.
func (m *monitor) handle(data []byte) {
	for len(data) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(data))
		if length < unix.SizeofNlMsghdr || length > len(data) {
			return
		}
		kind, flags := binary.NativeEndian.Uint16(data[4:]), binary.NativeEndian.Uint16(data[6:])
		body := data[unix.SizeofNlMsghdr:length]
		data = data[min((length+3)&^3, len(data)):]
		m.again = m.again || flags&unix.NLM_F_DUMP_INTR != 0
		switch kind {
		case unix.RTM_NEWLINK:
			if index, l, ok := parseLink(body); ok {
				m.links[index] = l
				if m.seen != nil {
					m.seen[index] = true
				}
			}
		case unix.RTM_DELLINK:
			if index, _, ok := parseLink(body); ok {
				delete(m.links, index)
			}
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			m.dumped(kind == unix.NLMSG_DONE)
		}
	}
}

// dumped ends a dump; what it did not tell is gone.
func (m *monitor) dumped(complete bool) {
	if m.seen == nil {
		return
	}
	for index := range m.links {
		if complete && !m.again && !m.seen[index] {
			delete(m.links, index)
		}
	}
	m.seen = nil
	if m.again {
		m.dump()
	}
}

// parseLink reads what follows the header of a message about an interface. Messages of bridges about
// their ports are something else.
func parseLink(body []byte) (index int32, l namedLink, ok bool) {
	const header = 4 // length and kind of an attribute
	if len(body) < unix.SizeofIfInfomsg || body[0] != unix.AF_UNSPEC {
		return 0, l, false
	}
	index = int32(binary.NativeEndian.Uint32(body[4:]))
	flags := binary.NativeEndian.Uint32(body[8:])
	l.state.index = int(index)
	l.state.up = flags&unix.IFF_UP != 0 && flags&unix.IFF_RUNNING != 0
	for rest := body[unix.SizeofIfInfomsg:]; len(rest) >= header; {
		length := int(binary.NativeEndian.Uint16(rest))
		if length < header || length > len(rest) {
			break
		}
		switch value := rest[header:length]; binary.NativeEndian.Uint16(rest[2:]) {
		case unix.IFLA_IFNAME:
			l.name = unix.ByteSliceToString(value)
		case unix.IFLA_MTU:
			if len(value) == 4 {
				l.state.mtu = int(binary.NativeEndian.Uint32(value))
			}
		}
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return index, l, index > 0 && l.name != ""
}

// find returns the state of an interface; the zero value when there is none of that name.
func (m *monitor) find(name string) linkState {
	for _, l := range m.links {
		if l.name == name {
			return l.state
		}
	}
	return linkState{}
}

// changes brings the watchers up to date and returns those that have to be told, with what.
func (m *monitor) changes() (out []watcher) {
	if m.seen != nil {
		return nil // half a dump tells nothing
	}
	for w := range m.watchers {
		if now := m.find(w.name); now != w.state {
			w.state = now
			out = append(out, *w)
		}
	}
	return out
}

// watch returns the present state of an interface, and tells all later ones until stop is called.
func (m *monitor) watch(name string, tell func(linkState)) (now linkState, stop func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &watcher{name: name, state: m.find(name), tell: tell}
	m.watchers[w] = struct{}{}
	return w.state, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watchers, w)
	}
}

// close ends the monitor, and waits until no watcher is being told anything.
func (m *monitor) close() error {
	if err := m.file.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("netlink socket: %w", err)
	}
	<-m.done
	return nil
}

package controller

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"

	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/p4src"
)

// cpuLink is a transport.Link through a switch: frames go out as packet-out, to be treated as if
// received from a host, and come in as packet-in. It outlives the sessions with the switch; between
// two of them it loses what is written, as a network does.
type cpuLink struct {
	frames  chan []byte
	session atomic.Pointer[p4rt.Session]
	closed  chan struct{}
	once    sync.Once
	lost    atomic.Uint64 // frames without room, in either direction

	// watch takes frames that are for nobody who reads the link. Set before the first session.
	watch func(frame []byte) (taken bool)
}

// linkQueue bounds the frames that wait to be read. The controller has one request in flight at a
// time; all else is noise.
const linkQueue = 256

func newCPULink() *cpuLink {
	return &cpuLink{frames: make(chan []byte, linkQueue), closed: make(chan struct{})}
}

// attach makes frames go out through a session, or nowhere.
func (l *cpuLink) attach(s *p4rt.Session) { l.session.Store(s) }

// carries reports whether frames go out through a session.
func (l *cpuLink) carries(s *p4rt.Session) bool { return l.session.Load() == s }

// deliver takes a frame from the switch. It must not wait: a full queue drops.
func (l *cpuLink) deliver(frame []byte) {
	if l.watch != nil && l.watch(frame) {
		return
	}
	select {
	case l.frames <- frame:
	default:
		l.lost.Add(1)
	}
}

// ReadBatch implements transport.Link.
func (l *cpuLink) ReadBatch(bufs [][]byte) (int, error) {
	select {
	case frame := <-l.frames:
		bufs[0] = append(bufs[0][:0], frame...)
	case <-l.closed:
		return 0, net.ErrClosed
	}
	for n := 1; n < len(bufs); n++ {
		select {
		case frame := <-l.frames:
			bufs[n] = append(bufs[n][:0], frame...)
		default:
			return n, nil
		}
	}
	return len(bufs), nil
}

// submit asks the switch to treat a packet-out as if it had been received.
var submit = p4rt.Metadata{p4src.Submit: tables.Uint(1)}

// WriteBatch implements transport.Link.
func (l *cpuLink) WriteBatch(frames [][]byte) (int, error) {
	select {
	case <-l.closed:
		return 0, net.ErrClosed
	default:
	}
	s := l.session.Load()
	if s == nil {
		l.lost.Add(uint64(len(frames)))
		return 0, nil
	}
	for n, frame := range frames {
		if s.SendPacket(frame, submit) != nil { // full, or the session has just ended
			l.lost.Add(uint64(len(frames) - n))
			return n, nil
		}
	}
	return len(frames), nil
}

// Close implements transport.Link.
func (l *cpuLink) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// isLLDP reports whether a frame is one by which switches learn who is next to them.
func isLLDP(frame []byte) bool {
	return len(frame) >= 14 && binary.BigEndian.Uint16(frame[12:]) == uint16(p4src.EtherTypeLLDP)
}

package port

import (
	"errors"
	"fmt"
)

// IO is a way to move the frames of a network interface.
type IO uint8

// The ways. See doc.go for what they differ in.
const (
	IOAuto   IO = iota // a ring, or a socket where there are no rings
	IOSocket           // AF_PACKET, frames as messages
	IORing             // AF_PACKET, frames in shared memory
	IOXDP              // AF_XDP, before the kernel's own protocols
)

var ioNames = [...]string{IOAuto: "auto", IOSocket: "socket", IORing: "ring", IOXDP: "xdp"}

// String returns the form that ParseIO understands.
func (io IO) String() string {
	if int(io) < len(ioNames) {
		return ioNames[io]
	}
	return fmt.Sprintf("IO(%d)", uint8(io))
}

// ErrIO is reported for a way that does not exist.
var ErrIO = errors.New("valid are auto, socket, ring and xdp")

// ParseIO understands the name of a way.
func ParseIO(name string) (IO, error) {
	for io, n := range ioNames {
		if n == name {
			return IO(io), nil
		}
	}
	return 0, fmt.Errorf("io %q: %w", name, ErrIO)
}

// MaxWorkers bounds the workers of an interface.
const MaxWorkers = 64

// State is what became of the cable of a port.
type State uint8

// The states of a port. One without a state is Up.
const (
	Up     State = iota
	Down         // the interface is switched off, or has no carrier
	Absent       // there is no such interface, or it cannot be opened
)

// String returns the name of the state.
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	case Absent:
		return "absent"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// A Stated port knows what became of its cable.
type Stated interface {
	// Notify returns the present state and has f told every later one, in order. f may be told while
	// Notify returns; it must not wait, and not call the port.
	Notify(f func(State)) State
}

// Info is what a list of ports tells of an interface.
type Info struct {
	Interface string
	IO        IO   // the way in use; IOAuto while there is none
	ZeroCopy  bool // frames move without a copy in the kernel
	Queues    int  // readers
	State     State
	// Problem tells why the way in use is not the best one, or why the interface cannot be opened.
	// Nil: all is well.
	Problem error
}

// An Informed port can be listed.
type Informed interface {
	Info() Info
}

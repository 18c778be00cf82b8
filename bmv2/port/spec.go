package port

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxNumber is the highest port number that the 9 bits of v1model's port fields hold, less the drop
// port 511.
const MaxNumber = 510

// ErrSpec is reported for a port that cannot be understood.
var ErrSpec = errors.New("valid forms are PORT@INTERFACE and PORT@udp:LOCAL[,REMOTE]")

// Spec is a port as the command line names it.
type Spec struct {
	Number    uint16    // the number of the port in the P4 program
	Interface string    // network interface; empty for a tunnel
	UDP       UDPConfig // tunnel; used when Interface is empty
}

// ParseSpec understands
//
//	1@veth0                                    network interface veth0 as port 1
//	2@udp:127.0.0.1:5002                       tunnel to whoever sends to that address
//	3@udp:127.0.0.1:5003,127.0.0.1:6003        tunnel to that peer only
func ParseSpec(text string) (Spec, error) {
	number, place, ok := strings.Cut(text, "@")
	if !ok || place == "" {
		return Spec{}, fmt.Errorf("port %q: %w", text, ErrSpec)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n > MaxNumber {
		return Spec{}, fmt.Errorf("port %q: number %q is not in 0..%d: %w",
			text, number, MaxNumber, ErrSpec)
	}
	s := Spec{Number: uint16(n)}
	addresses, isUDP := strings.CutPrefix(place, "udp:")
	if !isUDP {
		s.Interface = place
		return s, nil
	}
	s.UDP.Local, s.UDP.Remote, _ = strings.Cut(addresses, ",")
	if s.UDP.Local == "" {
		return Spec{}, fmt.Errorf("port %q: no local address: %w", text, ErrSpec)
	}
	return s, nil
}

// String returns the form that ParseSpec understands.
func (s Spec) String() string {
	switch {
	case s.Interface != "":
		return fmt.Sprintf("%d@%s", s.Number, s.Interface)
	case s.UDP.Remote != "":
		return fmt.Sprintf("%d@udp:%s,%s", s.Number, s.UDP.Local, s.UDP.Remote)
	}
	return fmt.Sprintf("%d@udp:%s", s.Number, s.UDP.Local)
}

// Open opens the port.
func (s Spec) Open() (Port, error) {
	if s.Interface != "" {
		return OpenPacket(s.Interface)
	}
	return ListenUDP(s.UDP)
}

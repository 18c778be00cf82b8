package port

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/turbokv/turbokv/bmv2/link"
)

// MaxNumber is the highest port number that the 9 bits of v1model's port fields hold, less the drop
// port 511.
const MaxNumber = 510

// ErrSpec is reported for a port that cannot be understood.
var ErrSpec = errors.New("valid forms are PORT@INTERFACE and PORT@udp:LOCAL[,REMOTE], " +
	"and io=, workers= or link properties after a comma")

// Spec is a port as the command line names it.
type Spec struct {
	Number    uint16    // the number of the port in the P4 program
	Interface string    // network interface; empty for a tunnel
	IO        IO        // how the frames of the interface move
	Workers   int       // that share them, up to MaxWorkers; see InterfaceConfig
	UDP       UDPConfig // tunnel; used when Interface is empty
	Link      link.Spec // of the cable; the zero value is a perfect one
}

// ParseSpec understands
//
//	1@veth0                                    network interface veth0 as port 1
//	2@udp:127.0.0.1:5002                       tunnel to whoever sends to that address
//	3@udp:127.0.0.1:5003,127.0.0.1:6003        tunnel to that peer only
//	1@veth0,io=xdp                             in another way than the usual one, see [IO]
//	1@veth0,workers=4                          the frames are shared by 4 readers
//	1@veth0,delay=2ms,rate=10Mbit              a slow cable, see [link.Spec]
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
	parts := strings.Split(place, ",")
	local, isUDP := strings.CutPrefix(parts[0], "udp:")
	switch {
	case parts[0] == "" || isUDP && local == "":
		return Spec{}, fmt.Errorf("port %q: no interface or local address: %w", text, ErrSpec)
	case !isUDP:
		s.Interface = local
	default:
		s.UDP.Local = local
		if len(parts) > 1 && isAddress(parts[1]) {
			s.UDP.Remote, parts = parts[1], parts[1:]
		}
	}
	for _, option := range parts[1:] {
		if err := s.set(option); err != nil {
			return Spec{}, fmt.Errorf("port %q: %w", text, err)
		}
	}
	return s, nil
}

// set takes one property.
func (s *Spec) set(option string) (err error) {
	name, value, _ := strings.Cut(option, "=")
	if name != "io" && name != "workers" {
		return s.Link.Set(option)
	}
	if s.Interface == "" {
		return fmt.Errorf("property %q is one of interfaces: %w", option, ErrSpec)
	}
	if name == "io" {
		s.IO, err = ParseIO(value)
		return err
	}
	if s.Workers, err = strconv.Atoi(value); err != nil || s.Workers < 1 || s.Workers > MaxWorkers {
		return fmt.Errorf("property %q: valid are 1 to %d workers", option, MaxWorkers)
	}
	return nil
}

// isAddress tells an address, which ends with a port, from a link property.
func isAddress(text string) bool {
	return strings.Contains(text, ":") && !strings.Contains(text, "=")
}

// String returns the form that ParseSpec understands.
func (s Spec) String() string { return fmt.Sprintf("%d@%s", s.Number, s.Place()) }

// Place returns where the port leads: what stands after the @.
func (s Spec) Place() string {
	out := s.Interface
	if s.Interface == "" {
		out = "udp:" + s.UDP.Local
		if s.UDP.Remote != "" {
			out += "," + s.UDP.Remote
		}
	}
	if s.IO != IOAuto {
		out += ",io=" + s.IO.String()
	}
	if s.Workers != 0 {
		out += fmt.Sprintf(",workers=%d", s.Workers)
	}
	if properties := s.Link.String(); properties != "" {
		out += "," + properties
	}
	return out
}

// Open opens the port and gives its link the properties.
func (s Spec) Open() (Port, error) { return Opener{}.Open(s) }

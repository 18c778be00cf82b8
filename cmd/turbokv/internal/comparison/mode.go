package comparison

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/coordinate/coordinator"
	"github.com/turbokv/turbokv/transport"
)

// Mode is a way to coordinate.
type Mode string

// The ways to coordinate, as the slides call them.
const (
	Switch Mode = "switch" // the switch resolves
	Client Mode = "client" // the client resolves: the ideal of the slides, as its map is always there
	Server Mode = "server" // any node resolves and forwards; the tail replies to the client
	Master Mode = "master" // the client asks a master before each request
	// ServerThrough is Server, but the reply comes back through the node that was asked.
	ServerThrough Mode = "server-through"
)

var allModes = []Mode{Switch, Client, Server, ServerThrough, Master}

// ParseModes reads names of ways, which must be distinct.
func ParseModes(names []string) (modes []Mode, err error) {
	for _, name := range names {
		m := Mode(name)
		if !slices.Contains(allModes, m) || slices.Contains(modes, m) {
			return nil, fmt.Errorf("way to coordinate %q: must be one of %s, each once", name, ModeNames())
		}
		modes = append(modes, m)
	}
	return modes, nil
}

// ModeNames lists the ways for people.
func ModeNames() string {
	var names []string
	for _, m := range allModes {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}

// Places say where a client finds those that coordinate.
type Places struct {
	Service, Master netip.AddrPort
	Map             *coordinator.Cache // of the client
}

// Wrap returns a socket over which a client coordinates in this way.
func (m Mode) Wrap(conn transport.Conn, p Places) (transport.Conn, error) {
	switch m {
	case Client:
		return coordinator.NewClient(conn, p.Service, p.Map)
	case Server, ServerThrough:
		return coordinator.NewSpray(conn, p.Service, p.Map,
			coordinator.SprayConfig{ReplyThrough: m == ServerThrough})
	case Master:
		return coordinator.NewAsker(conn, p.Service, p.Master)
	}
	return conn, nil
}

package topology

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turbokv/turbokv/wire"
)

// The form of a file. What p4lang/tutorials has and we do not need is read and left alone.
type file struct {
	Hosts    map[string]fileHost   `json:"hosts"`
	Switches map[string]fileSwitch `json:"switches"`
	Links    []fileLink            `json:"links"`
}

type fileHost struct {
	IP       string   `json:"ip"`
	MAC      string   `json:"mac,omitempty"`
	Role     Role     `json:"role,omitempty"`
	Commands []string `json:"commands,omitempty"`
}

type fileSwitch struct {
	Level     *int   `json:"level,omitempty"`
	DeviceID  uint64 `json:"device_id,omitempty"`
	P4Runtime string `json:"p4runtime,omitempty"`
}

// fileLink is [end, end], [end, end, delay], [end, end, delay, Mbit/s] or, extended,
// [end, end, delay, Mbit/s, loss, queue].
type fileLink []any

// Decode reads a topology file. Levels that are not given are found out: 0 for a switch with hosts,
// else one more than the lowest neighbour.
func Decode(text []byte) (*Network, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("topology: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("topology: more than one JSON value")
	}
	n, err := f.network()
	if err == nil {
		err = n.findLevels(f)
	}
	if err == nil {
		n.sort()
		err = n.check()
	}
	if err != nil {
		return nil, fmt.Errorf("topology: %w", err)
	}
	return n, nil
}

func (f file) network() (*Network, error) {
	n := new(Network)
	for name, h := range f.Hosts {
		host, err := h.host(name)
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", name, err)
		}
		n.Hosts = append(n.Hosts, host)
	}
	for name, s := range f.Switches {
		n.Switches = append(n.Switches, Switch{Name: name, DeviceID: s.DeviceID, P4Runtime: s.P4Runtime})
	}
	for i, l := range f.Links {
		link, err := l.link()
		if err != nil {
			return nil, fmt.Errorf("link %d: %w", i+1, err)
		}
		n.Links = append(n.Links, link)
	}
	return n, nil
}

func (h fileHost) host(name string) (Host, error) {
	out := Host{Name: name, Role: cmp.Or(h.Role, Client), Commands: h.Commands}
	var err error
	if out.Addr, err = netip.ParsePrefix(h.IP); err != nil {
		return out, fmt.Errorf("ip %q: must be like 10.0.1.1/24", h.IP)
	}
	if h.MAC != "" {
		out.MAC, err = wire.ParseMAC(h.MAC)
		if err == nil && out.MAC[0]&1 != 0 {
			err = fmt.Errorf("mac %v: must be a unicast address", out.MAC)
		}
	}
	return out, err
}

func (l fileLink) link() (out Link, err error) {
	if len(l) < 2 || len(l) > 6 {
		return out, fmt.Errorf("%d elements: must be [end, end, delay, Mbit/s, loss, queue], "+
			"the last four optional", len(l))
	}
	if out.A, err = endOf(l[0]); err != nil {
		return out, err
	}
	if out.B, err = endOf(l[1]); err != nil {
		return out, err
	}
	for i, set := range []func(any) error{
		func(v any) (err error) { out.Delay, err = delayOf(v); return err },
		func(v any) (err error) { out.Bandwidth, err = numberOf("bandwidth", v); return err },
		func(v any) (err error) { out.Loss, err = numberOf("loss", v); return err },
		func(v any) error {
			queue, err := numberOf("queue", v)
			out.Queue = int(min(max(queue, -1), 1<<20))
			return err
		},
	} {
		if len(l) > i+2 {
			if err := set(l[i+2]); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// endOf reads "h1" or "s1-p2".
func endOf(v any) (End, error) {
	text, ok := v.(string)
	if !ok {
		return End{}, fmt.Errorf("end %v: must be a name like \"h1\" or \"s1-p2\"", v)
	}
	name, port, isSwitch := strings.Cut(text, "-p")
	if !isSwitch {
		return End{Name: name}, nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return End{}, fmt.Errorf("end %q: %q is no port number", text, port)
	}
	return End{Name: name, Port: uint32(number)}, nil
}

// delayOf reads "10ms"; a bare number counts milliseconds, as in the tutorials.
func delayOf(v any) (time.Duration, error) {
	text, ok := v.(string)
	if !ok {
		text = fmt.Sprint(v)
	}
	if ms, err := strconv.ParseFloat(text, 64); err == nil && ms >= 0 && ms <= maxDelayMS {
		return time.Duration(ms * float64(time.Millisecond)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxDelayMS*time.Millisecond {
		return 0, fmt.Errorf("delay %q: must be like \"10ms\", at most a minute", text)
	}
	return d, nil
}

const maxDelayMS = 60_000

func numberOf(what string, v any) (float64, error) {
	f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	if err != nil || !(f >= 0 && f <= 1e9) {
		return 0, fmt.Errorf("%s %v: must be a number that is not negative", what, v)
	}
	return f, nil
}

// findLevels fills in the levels that a file does not give.
func (n *Network) findLevels(f file) error {
	const unknown = -1
	level := func(name string) *int {
		i := slices.IndexFunc(n.Switches, func(s Switch) bool { return s.Name == name })
		if i < 0 {
			return nil
		}
		return &n.Switches[i].Level
	}
	for i := range n.Switches {
		s := &n.Switches[i]
		s.Level = unknown
		if given := f.Switches[s.Name].Level; given != nil {
			s.Level = *given
		} else if len(n.HostsOf(s.Name)) > 0 || len(n.Switches) == 1 {
			s.Level = 0
		}
	}
	for found, at := true, 0; found; at++ {
		found = at < len(n.Switches) && slices.ContainsFunc(n.Switches,
			func(s Switch) bool { return s.Level >= at })
		for _, l := range n.Links {
			a, b := level(l.A.Name), level(l.B.Name)
			if a != nil && b != nil && *a == at && *b == unknown {
				*b = at + 1
			} else if a != nil && b != nil && *b == at && *a == unknown {
				*a = at + 1
			}
		}
	}
	for _, s := range n.Switches {
		if s.Level < 0 || s.Level > maxLevel {
			return fmt.Errorf("switch %s: level %d: no path of links leads to hosts, or the level is not "+
				"0 to %d", s.Name, s.Level, maxLevel)
		}
	}
	return nil
}

const maxLevel = 7

func (n *Network) sort() {
	slices.SortFunc(n.Hosts, func(a, b Host) int { return natural(a.Name, b.Name) })
	slices.SortFunc(n.Switches, func(a, b Switch) int { return natural(a.Name, b.Name) })
	slices.SortStableFunc(n.Links, func(a, b Link) int {
		return cmp.Or(natural(a.A.Name, b.A.Name), cmp.Compare(a.A.Port, b.A.Port),
			natural(a.B.Name, b.B.Name))
	})
}

// natural orders h2 before h10.
func natural(a, b string) int {
	cut := func(s string) (string, int) {
		at := len(strings.TrimRight(s, "0123456789"))
		number, _ := strconv.Atoi(s[at:])
		return s[:at], number
	}
	aName, aNumber := cut(a)
	bName, bNumber := cut(b)
	return cmp.Or(cmp.Compare(aName, bName), cmp.Compare(aNumber, bNumber), cmp.Compare(a, b))
}

// Encode returns the network as a topology file.
func (n *Network) Encode() ([]byte, error) {
	f := file{Hosts: map[string]fileHost{}, Switches: map[string]fileSwitch{}}
	for _, h := range n.Hosts {
		out := fileHost{IP: h.Addr.String(), Role: h.Role, Commands: h.Commands}
		if h.MAC != (wire.MAC{}) {
			out.MAC = h.MAC.String()
		}
		f.Hosts[h.Name] = out
	}
	for _, s := range n.Switches {
		level := s.Level
		f.Switches[s.Name] = fileSwitch{&level, s.DeviceID, s.P4Runtime}
	}
	for _, l := range n.Links {
		f.Links = append(f.Links, fileLink{l.A.String(), l.B.String(), l.Delay.String(), l.Bandwidth,
			l.Loss, l.Queue})
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("topology: %w", err)
	}
	return append(text, '\n'), nil
}

// MarshalJSON gives the form of a topology file.
func (n *Network) MarshalJSON() ([]byte, error) { return n.Encode() }

// UnmarshalJSON reads the form of a topology file.
func (n *Network) UnmarshalJSON(text []byte) error {
	read, err := Decode(text)
	if err == nil {
		*n = *read
	}
	return err
}

// Names returns the names of all hosts and switches, for messages.
func (n *Network) Names() []string {
	names := make(map[string]bool)
	for _, h := range n.Hosts {
		names[h.Name] = true
	}
	for _, s := range n.Switches {
		names[s.Name] = true
	}
	return slices.SortedFunc(maps.Keys(names), natural)
}

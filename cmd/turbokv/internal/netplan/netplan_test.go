package netplan

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew")

func draw(t *testing.T, shape string) *topology.Network {
	t.Helper()
	s, err := topology.ParseShape(shape)
	if err != nil {
		t.Fatal(err)
	}
	return s.Network()
}

var options = Options{Dir: "/run/lab", Binary: "/usr/bin/turbokv"}

func plan(t *testing.T, n *topology.Network, o Options) *Plan {
	t.Helper()
	p, err := New(n, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPlansAreAsWritten pins whole plans; -rewrite writes them anew.
func TestPlansAreAsWritten(t *testing.T) {
	for name, p := range map[string]*Plan{
		"single.txt":     plan(t, draw(t, "single:2"), options),
		"spine-leaf.txt": plan(t, slowSpine(t), options),
		"bmv2-tc.txt":    plan(t, slowSpine(t), asBMv2),
	} {
		path := filepath.Join("testdata", name)
		got := text(p)
		if *rewrite {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; -rewrite if that is meant:\n%s", path, got)
		}
	}
}

var asBMv2 = Options{Dir: "/run/lab", Binary: "/usr/bin/turbokv", Switch: BMv2, StaticARP: true,
	Volatile: true, Can: Capabilities{Netem: true}}

// slowSpine is a small spine-leaf whose links are not ideal.
func slowSpine(t *testing.T) *topology.Network {
	n := draw(t, "spine-leaf:1x2x1")
	for i := range n.Links {
		n.Links[i].Delay, n.Links[i].Bandwidth = 2e6, 10
		if _, host := n.Host(n.Links[i].A.Name); !host {
			n.Links[i].Loss, n.Links[i].Queue = 0.001, 50
		}
	}
	return n
}

// text is a plan for people.
func text(p *Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "shaping %s: %s\n", p.Shaping, p.ShapingNote)
	for _, x := range p.Places {
		fmt.Fprintf(&b, "\n%s %s\n", x.Kind, x.Name)
		for _, words := range x.Setup {
			fmt.Fprintf(&b, "  %s\n", strings.Join(words, " "))
		}
	}
	b.WriteString("\ncables\n")
	for _, c := range p.Cables {
		fmt.Fprintf(&b, "  %s %s - %s %s\n", c.A.Place, c.A.Interface, c.B.Place, c.B.Interface)
	}
	for _, x := range p.Processes {
		fmt.Fprintf(&b, "\n%s %s in %s\n  %s\n", x.Role, x.Name, x.Place, strings.Join(x.Args, "\n    "))
	}
	return b.String()
}

// TestPlansAreSound checks what must hold of every plan.
func TestPlansAreSound(t *testing.T) {
	for _, shape := range []string{"single:1", "single:199", "spine-leaf:3x4x2", "fat-tree:4"} {
		p := plan(t, draw(t, shape), options)
		checkCables(t, p)
		checkAddresses(t, p)
		for _, h := range p.Topology.Hosts {
			place, ok := p.Place(h.Name)
			if !ok || len(place.Routes) != 1 || place.Interfaces[0].Addr != h.Addr ||
				place.Interfaces[0].MAC != transport.MACOf(h.Addr.Addr()).String() {
				t.Errorf("%s: host %+v", shape, place)
			}
			if _, runs := p.Process(h.Name); runs != (h.Role == topology.Node) {
				t.Errorf("%s: %s %s: has a process: %t", shape, h.Role, h.Name, runs)
			}
		}
	}
}

// checkCables: every interface has one cable, and every cable two interfaces.
func checkCables(t *testing.T, p *Plan) {
	t.Helper()
	ends := make(map[End]int)
	for _, c := range p.Cables {
		ends[c.A]++
		ends[c.B]++
	}
	interfaces := 0
	for _, x := range p.Places {
		for _, i := range x.Interfaces {
			interfaces++
			if ends[End{x.Name, i.Name}] != 1 {
				t.Errorf("%s %s: %d cables", x.Name, i.Name, ends[End{x.Name, i.Name}])
			}
		}
	}
	if interfaces != len(ends) || interfaces != 2*len(p.Cables) {
		t.Errorf("%d interfaces, %d ends, %d cables", interfaces, len(ends), len(p.Cables))
	}
}

// checkAddresses: none is given twice, and both ends of a cable of management lie in one subnet.
func checkAddresses(t *testing.T, p *Plan) {
	t.Helper()
	at := make(map[netip.Addr]string)
	byEnd := make(map[End]netip.Prefix)
	for _, x := range p.Places {
		for _, i := range x.Interfaces {
			byEnd[End{x.Name, i.Name}] = i.Addr
			if a := i.Addr.Addr(); a.IsValid() && at[a] != "" {
				t.Errorf("%s and %s have address %v", at[a], x.Name, a)
			} else if a.IsValid() {
				at[a] = x.Name
			}
		}
		for _, r := range x.Routes {
			if at[r.Via] != "" {
				t.Errorf("%s: gateway %v is %s", x.Name, r.Via, at[r.Via])
			}
		}
	}
	for _, c := range p.Cables {
		a, b := byEnd[c.A], byEnd[c.B]
		if c.Management && (a.Masked() != b.Masked() || a == b) {
			t.Errorf("%v %v, %v %v", c.A, a, c.B, b)
		}
	}
	ids := make(map[uint64]bool)
	for _, s := range p.Topology.Switches {
		if addr, err := netip.ParseAddrPort(s.P4Runtime); err != nil || at[addr.Addr()] != s.Name {
			t.Errorf("%s: P4Runtime at %s, which is %s", s.Name, s.P4Runtime, at[addr.Addr()])
		}
		if s.DeviceID == 0 || ids[s.DeviceID] {
			t.Errorf("%s: device id %d", s.Name, s.DeviceID)
		}
		ids[s.DeviceID] = true
	}
}

func TestGatewayIsNobodysAddress(t *testing.T) {
	owned := map[netip.Addr]bool{
		netip.MustParseAddr("10.0.1.254"): true, netip.MustParseAddr("10.0.2.1"): true,
		netip.MustParseAddr("10.0.2.2"): true,
	}
	for subnet, want := range map[string]string{
		"10.0.1.1/24": "10.0.1.253", "10.0.3.7/16": "10.0.255.254", "10.0.2.1/30": "", "10.0.2.1/31": "",
		"10.0.2.1/32": "", "10.9.0.1/30": "10.9.0.2",
	} {
		got, ok := freeIn(netip.MustParsePrefix(subnet), owned)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %v %t, want %q", subnet, got, ok, want)
		}
	}
}

func TestShaperIsChosen(t *testing.T) {
	ideal, slow := draw(t, "single:1"), draw(t, "single:1")
	slow.Links[0].Bandwidth = 10
	late := draw(t, "single:1")
	late.Links[0].Delay = 1e6
	netem, tbf := Capabilities{Netem: true, TBF: true}, Capabilities{TBF: true}
	for _, c := range []struct {
		n    *topology.Network
		kind Kind
		wish Shaping
		can  Capabilities
		want Shaping // empty: an error
		says string
	}{
		{ideal, BMv2, "", netem, Unshaped, "no delay"},
		{slow, BMv2, "", tbf, ShapedByTC, "tbf"},
		{late, BMv2, "", tbf, Unshaped, "left out"},
		{late, BMv2, "", netem, ShapedByTC, "netem"},
		{late, BMv2, ShapedBySwitch, netem, "", "only the built-in"},
		{late, Builtin, "", tbf, ShapedBySwitch, "ports"},
		{late, Builtin, "", netem, ShapedByTC, "netem"},
		{late, Builtin, ShapedBySwitch, netem, ShapedBySwitch, "ports"},
		{late, Builtin, Unshaped, netem, Unshaped, "as asked for"},
		{late, Builtin, ShapedByTC, Capabilities{}, "", "neither"},
		{late, Builtin, ShapedByTC, tbf, ShapedByTC, "delay and loss are left out"},
		{late, Builtin, "magic", tbf, "", "must be"},
	} {
		got, note, err := Choose(c.n, c.kind, c.wish, c.can)
		if err != nil {
			note = err.Error()
		}
		if got != c.want || !strings.Contains(note, c.says) {
			t.Errorf("%s %q %+v: %q, %q, want %q, %q", c.kind, c.wish, c.can, got, note, c.want, c.says)
		}
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for says, change := range map[string]func(*topology.Network, *Options){
		"absolute":             func(_ *topology.Network, o *Options) { o.Dir = "lab" },
		"must be builtin":      func(_ *topology.Network, o *Options) { o.Switch = "tofino" },
		"storage node":         func(n *topology.Network, _ *Options) { n.Hosts = n.Hosts[1:]; n.Links = n.Links[1:] },
		"nodes expected":       func(_ *topology.Network, o *Options) { o.Expect = 2 },
		"MTU 100":              func(_ *topology.Network, o *Options) { o.MTU = 100 },
		"two IPv4 addresses":   func(_ *topology.Network, o *Options) { o.Service = netip.IPv6Loopback() },
		"that of the service":  func(_ *topology.Network, o *Options) { o.Service = netip.MustParseAddr("10.0.1.1") },
		"management network":   func(n *topology.Network, _ *Options) { n.Hosts[0].Addr = management },
		"shorter name":         func(n *topology.Network, _ *Options) { rename(n, "s1", "a_long_name_x") },
		"name is the controll": func(n *topology.Network, _ *Options) { rename(n, "s1", Ctl) },
	} {
		n, o := draw(t, "single:1"), options
		change(n, &o)
		if _, err := New(n, o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func rename(n *topology.Network, from, to string) {
	for i := range n.Switches {
		if n.Switches[i].Name == from {
			n.Switches[i].Name = to
		}
	}
	for i := range n.Links {
		for _, e := range []*topology.End{&n.Links[i].A, &n.Links[i].B} {
			if e.Name == from {
				e.Name = to
			}
		}
	}
}

func TestRackIsItsSwitchAndNodes(t *testing.T) {
	p := plan(t, draw(t, "spine-leaf:1x2x2"), options)
	var names []string
	for _, x := range p.Rack("s2") {
		names = append(names, x.Name)
	}
	if want := []string{"s2", "h4", "h5"}; !slices.Equal(names, want) {
		t.Errorf("rack s2: %v, want %v", names, want)
	}
	if c := p.CablesBetween("s3", "s2"); len(c) != 1 || c[0].A != (End{"s2", "s2-eth4"}) {
		t.Errorf("cables %+v", c)
	}
	if len(p.CablesBetween(Ctl, "s1")) > 0 {
		t.Error("the management network has links to fail")
	}
}

func TestRunFileSurvives(t *testing.T) {
	want := &Run{Plan: plan(t, slowSpine(t), asBMv2), By: "netns", Runner: 7,
		Namespaces: map[string]string{"h1": "/run/netns/tkv-h1"}, Processes: map[string]int{"s1": 12}}
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeRun(text)
	if err != nil {
		t.Fatal(err)
	}
	forget(want.Plan)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\nbecame %+v", text, got)
	}
}

// forget removes what the JSON form leaves out.
func forget(p *Plan) {
	for i := range p.Places {
		for j := range p.Places[i].Interfaces {
			p.Places[i].Interfaces[j].Shape = nil
		}
	}
}

// FuzzDecodeRun: what is accepted can be written and read again.
func FuzzDecodeRun(f *testing.F) {
	n, err := topology.ParseShape("single:1")
	if err != nil {
		f.Fatal(err)
	}
	p, err := New(n.Network(), options)
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(&Run{Plan: p, Processes: map[string]int{"s1": 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"plan":{"dir":"/a","topology":{"switches":{"s1":{}}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := DecodeRun(text)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeRun(again); err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
	})
}

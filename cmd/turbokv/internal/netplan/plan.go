package netplan

import (
	"net/netip"
	"slices"

	"github.com/turbokv/turbokv/topology"
)

// Plan is a network to build, and what runs in it. It has a JSON form.
type Plan struct {
	// Dir is the folder of logs, data and all files of a run, absolute.
	Dir string `json:"dir"`
	// Binary is the path of the turbokv program.
	Binary string `json:"binary"`
	// Prefix begins the names of all namespaces that are made for the plan.
	Prefix string `json:"prefix"`
	Switch Kind   `json:"switch"`
	// Shaping says who gives links their delay, bandwidth and loss, ShapingNote in a sentence.
	Shaping     Shaping `json:"shaping"`
	ShapingNote string  `json:"shaping_note"`
	// Service is where clients send, Controller is the controller's address; both are in the data
	// network.
	Service    netip.AddrPort `json:"service"`
	Controller netip.AddrPort `json:"controller"`
	// Admin and HTTP are where the controller serves its admin service and its web page, as seen in
	// place "ctl".
	Admin netip.AddrPort `json:"admin"`
	HTTP  netip.AddrPort `json:"http"`

	Topology  *topology.Network `json:"topology"` // with device ids and P4Runtime addresses
	Places    []Place           `json:"places"`   // hosts, then switches, then "ctl"
	Cables    []Cable           `json:"cables"`   // of both networks
	Files     []File            `json:"files"`
	Processes []Process         `json:"processes"` // in the order in which to start them
}

// Kind is a kind of switch.
type Kind string

// The kinds of switches.
const (
	Builtin Kind = "builtin" // turbokv switch
	BMv2    Kind = "bmv2"    // simple_switch_grpc
)

// PlaceKind is what a place stands for.
type PlaceKind string

// The kinds of places.
const (
	HostPlace       PlaceKind = "host"
	SwitchPlace     PlaceKind = "switch"
	ControllerPlace PlaceKind = "controller"
)

// Ctl is the name of the place of the controller.
const Ctl = "ctl"

// Place is a network namespace.
type Place struct {
	Name       string      `json:"name"` // of the host or the switch, or "ctl"
	Kind       PlaceKind   `json:"kind"`
	Interfaces []Interface `json:"interfaces"`
	Routes     []Route     `json:"routes,omitempty"`
	Neighbours []Neighbour `json:"neighbours,omitempty"`
	// Setup are the commands, each a list of words, that make the place as it is described here once
	// its cables are there. Each must succeed.
	Setup [][]string `json:"setup"`
	// Commands are the topology file's, for a shell. They may fail.
	Commands []string `json:"commands,omitempty"`
}

// Interface is one end of a cable.
type Interface struct {
	Name string       `json:"name"`
	MAC  string       `json:"mac,omitempty"` // empty: any
	Addr netip.Prefix `json:"addr,omitzero"` // zero: none
	MTU  int          `json:"mtu"`           // bytes
	// NoChecksumOffload has the kernel finish the checksums of what it sends, and cut what is larger
	// than the MTU: nobody does so on the way through a switch.
	NoChecksumOffload bool `json:"no_checksum_offload,omitempty"`
	// Shape are the properties of what is sent here by tc, if that is who shapes.
	Shape *topology.Link `json:"-"`
}

// Route is the default route of a host.
type Route struct {
	Via       netip.Addr `json:"via"`
	Interface string     `json:"interface"`
	Onlink    bool       `json:"onlink,omitempty"` // the address lies in no subnet of the interface
}

// Neighbour is a permanent ARP entry.
type Neighbour struct {
	Addr      netip.Addr `json:"addr"`
	MAC       string     `json:"mac"`
	Interface string     `json:"interface"`
}

// Cable joins two interfaces.
type Cable struct {
	A          End  `json:"a"`
	B          End  `json:"b"`
	Management bool `json:"management,omitempty"`
}

// End is an interface of a place.
type End struct {
	Place     string `json:"place"`
	Interface string `json:"interface"`
}

// File is one that must be there before processes start.
type File struct {
	Path string `json:"path"` // absolute
	Text string `json:"text"`
}

// Process is a program that runs in a place.
type Process struct {
	Name  string   `json:"name"` // of the host or the switch, or "controller"
	Role  Role     `json:"role"`
	Place string   `json:"place"`
	Args  []string `json:"args"` // the program first
	Env   []string `json:"env,omitempty"`
	Log   string   `json:"log"` // path of the file for what it prints
	// Metrics and Trace are HTTP addresses as seen in place "ctl"; zero: none.
	Metrics netip.AddrPort `json:"metrics,omitzero"`
	Trace   netip.AddrPort `json:"trace,omitzero"`
}

// Title names a process for people.
func (p Process) Title() string {
	if p.Name == string(p.Role) {
		return p.Name
	}
	return string(p.Role) + " " + p.Name
}

// Role is what a process is.
type Role string

// The roles of processes.
const (
	SwitchRole     Role = "switch"
	ControllerRole Role = "controller"
	NodeRole       Role = "node"
)

// ControllerName is the name of the controller's process.
const ControllerName = "controller"

// Place returns the place of that name.
func (p *Plan) Place(name string) (Place, bool) {
	i := slices.IndexFunc(p.Places, func(x Place) bool { return x.Name == name })
	if i < 0 {
		return Place{}, false
	}
	return p.Places[i], true
}

// Process returns the process of that name.
func (p *Plan) Process(name string) (Process, bool) {
	i := slices.IndexFunc(p.Processes, func(x Process) bool { return x.Name == name })
	if i < 0 {
		return Process{}, false
	}
	return p.Processes[i], true
}

// Hosts returns the names of all hosts.
func (p *Plan) Hosts() []string { return p.namesOf(HostPlace) }

// Switches returns the names of all switches.
func (p *Plan) Switches() []string { return p.namesOf(SwitchPlace) }

func (p *Plan) namesOf(kind PlaceKind) (names []string) {
	for _, x := range p.Places {
		if x.Kind == kind {
			names = append(names, x.Name)
		}
	}
	return names
}

// Nodes returns the names of the processes that are storage nodes.
func (p *Plan) Nodes() (names []string) {
	for _, x := range p.Processes {
		if x.Role == NodeRole {
			names = append(names, x.Name)
		}
	}
	return names
}

// Rack returns the processes of a rack: its switch, and the storage nodes on it.
func (p *Plan) Rack(sw string) (out []Process) {
	for _, x := range p.Processes {
		end, hangs := p.Topology.Rack(x.Name)
		if x.Name == sw || hangs && end.Name == sw && x.Role == NodeRole {
			out = append(out, x)
		}
	}
	return out
}

// CablesBetween returns the cables of the data network between two places.
func (p *Plan) CablesBetween(a, b string) (out []Cable) {
	for _, c := range p.Cables {
		if !c.Management && (c.A.Place == a && c.B.Place == b || c.A.Place == b && c.B.Place == a) {
			out = append(out, c)
		}
	}
	return out
}

// Beside returns the names of the places at the other ends of the links of one.
func (p *Plan) Beside(name string) (names []string) {
	for _, x := range p.Topology.Neighbours(name) {
		names = append(names, x.End.Name)
	}
	return names
}

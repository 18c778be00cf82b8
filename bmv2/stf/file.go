package stf

import "github.com/turbokv/turbokv/bmv2/v1model"

// File is a parsed test.
type File struct {
	Name  string
	Steps []Step
}

// Step is one command and where it stands.
type Step struct {
	Line    int
	Command Command
}

// Command is one of the types below.
type Command interface{ command() }

// The commands. Numbers are kept as text where their width depends on the program.
type (
	// Packet sends a frame.
	Packet struct {
		Port uint16
		Data []byte
	}
	// Expect says that a frame leaves, or, if Any, that what leaves does not matter.
	Expect struct {
		Port  uint16
		Any   bool
		Value []byte // nibbles: 0 to 15
		Care  []bool // per nibble: compare it
		Exact bool   // the frame must not be longer
	}
	// NoPacket says that nothing leaves.
	NoPacket struct{}
	// Wait and the reading commands have no effect.
	Wait struct{}
	// Add inserts a table entry.
	Add struct {
		Table    string
		Priority int
		Match    []Arg
		Action   Call
		Label    string // names the entry for CheckCounter, or ""
	}
	// SetDefault sets the default action of a table.
	SetDefault struct {
		Table  string
		Action Call
	}
	// SetValueSet replaces the members of a parser value set. A member has a text for each part of
	// the key.
	SetValueSet struct {
		Name    string
		Members [][]string
	}
	// RemoveAll deletes all table entries.
	RemoveAll struct{}
	// CheckCounter compares a counter with a number.
	CheckCounter struct {
		Counter string
		Index   string // number, or the label of an entry
		Bytes   bool   // else packets
		Op      string // ==, !=, <, <=, >, >=
		Value   uint64
	}
	// AddSession makes a clone session with one port, or with a multicast group.
	AddSession struct {
		Session, Port, Group uint16
		UseGroup             bool
	}
	// DeleteSession deletes a clone session.
	DeleteSession struct{ Session uint16 }
	// CreateGroup makes a multicast group without nodes.
	CreateGroup struct{ Group uint16 }
	// CreateNode makes a multicast node; nodes are numbered from 0.
	CreateNode struct {
		Instance uint16
		Ports    []uint16
	}
	// UpdateNode replaces the ports of a node.
	UpdateNode struct {
		Node  int
		Ports []uint16
	}
	// Associate adds a node to a group.
	Associate struct {
		Group uint16
		Node  int
	}
	// WriteCounter sets a cell.
	WriteCounter struct {
		Counter        string
		Index          int
		Packets, Bytes uint64
	}
	// SetMeter configures a cell of a meter array, or, with Index -1, all.
	SetMeter struct {
		Meter  string
		Index  int
		Config v1model.MeterConfig
	}
	// WriteRegister sets a cell, or, with Index -1, resets all.
	WriteRegister struct {
		Register string
		Index    int
		Value    string
	}
)

// Call is an action with its arguments.
type Call struct {
	Action string
	Args   []Arg
}

// Arg is a named value.
type Arg struct{ Name, Value string }

func (Packet) command()        {}
func (Expect) command()        {}
func (NoPacket) command()      {}
func (Wait) command()          {}
func (Add) command()           {}
func (SetDefault) command()    {}
func (SetValueSet) command()   {}
func (RemoveAll) command()     {}
func (CheckCounter) command()  {}
func (AddSession) command()    {}
func (DeleteSession) command() {}
func (CreateGroup) command()   {}
func (CreateNode) command()    {}
func (UpdateNode) command()    {}
func (Associate) command()     {}
func (WriteCounter) command()  {}
func (SetMeter) command()      {}
func (WriteRegister) command() {}

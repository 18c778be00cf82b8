package bmv2

// Meter is an array of three-colour meters; a direct meter belongs to the entries of one table.
type Meter struct {
	Name   string
	ID     int
	Size   int    // number of cells; the table decides for direct meters
	Direct bool   // one cell per table entry
	Table  *Table // the table of a direct meter; nil if no table has it
	Bytes  bool   // what is measured: bytes, else packets
	Rates  int    // 2: committed and peak
	// Result is where a direct meter leaves the colour when an entry is hit: 0 green, 1 yellow, 2
	// red.
	Result FieldRef
}

// ActionProfile holds actions that the entries of its tables point at, so that many entries share
// one action and change with it.
type ActionProfile struct {
	Name     string
	ID       int
	MaxSize  int
	Selector *Selector // nil: the profile has no groups
	Tables   []*Table  // that point into it, in the order of the JSON
}

// Selector says how a packet picks a member of a group: a hash of some fields. v1model calls an
// action profile with a selector action_selector.
type Selector struct {
	Algo  string
	Input []CalcInput
}

// Meter returns the meter array of the given name, or nil.
func (p *Program) Meter(name string) *Meter {
	for _, m := range p.Meters {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Profile returns the action profile of the given name, or nil.
func (p *Program) Profile(name string) *ActionProfile {
	for _, x := range p.Profiles {
		if x.Name == name {
			return x
		}
	}
	return nil
}

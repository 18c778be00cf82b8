package bmv2

import "math/big"

// Program is one decoded P4 program. It is immutable: nobody may write to it after [Load].
type Program struct {
	Name     string // the P4 file name that p4c recorded
	Compiler string
	Version  [2]int // major, minor of the JSON format

	HeaderTypes  []*HeaderType
	Headers      []*Header // header and metadata instances, stack elements included
	Stacks       []*HeaderStack
	Unions       []*HeaderUnion // elements of stacks included
	UnionStacks  []*UnionStack
	Errors       []NamedValue
	Enums        []Enum
	Parsers      []*Parser
	ValueSets    []*ValueSet
	Deparsers    []*Deparser
	Actions      []*Action
	Pipelines    []*Pipeline
	Counters     []*Counter
	Meters       []*Meter
	Profiles     []*ActionProfile
	Registers    []*Register
	Calculations []*Calculation
	Checksums    []*Checksum
	FieldLists   []*FieldList
	LearnLists   []*FieldList // one per digest
	Aliases      []FieldAlias
}

// NamedValue is an error or enum constant with the number the compiler gave it.
type NamedValue struct {
	Name  string
	Value uint32
}

// Enum is a P4 enum.
type Enum struct {
	Name    string
	Entries []NamedValue
}

// FieldAlias maps the name an architecture expects ("intrinsic_metadata.mcast_grp") to a field.
type FieldAlias struct {
	Name  string
	Field FieldRef
}

// Action is a P4 action: its parameters, which a table entry supplies, and its body.
type Action struct {
	Name   string
	ID     int // unique: one P4 action bound in several tables may appear several times
	Params []Param
	Body   []Primitive
}

// Param is a parameter of an action; Width is in bits.
type Param struct {
	Name  string
	Width int
}

// Primitive is one call in the body of an action, a parser state, or an extern method.
type Primitive struct {
	Op   string
	Args []Expr
}

// Counter is a counter array; a direct counter belongs to the entries of one table.
type Counter struct {
	Name   string
	ID     int
	Size   int    // number of cells; the table decides for direct counters
	Direct bool   // one cell per table entry
	Table  *Table // the table of a direct counter, else nil
}

// Register is an array of cells of Width bits.
type Register struct {
	Name  string
	ID    int
	Size  int
	Width int
}

// Calculation is a named checksum or hash over a list of inputs.
type Calculation struct {
	Name  string
	ID    int
	Algo  string
	Input []CalcInput
}

// CalcInput is one input of a calculation: exactly one of Expr, Header and Payload is set.
// Width is the width of Expr in bits.
type CalcInput struct {
	Expr    Expr
	Width   int
	Header  *Header
	Payload bool
}

// Checksum binds a calculation to the field that carries its result.
type Checksum struct {
	Name   string
	ID     int
	Target FieldRef
	Calc   *Calculation
	Verify bool // checked after parsing
	Update bool // written before deparsing
	If     Expr // nil: always
}

// FieldList names fields that a clone, a resubmit, a recirculation or a digest carries along.
type FieldList struct {
	Name   string
	ID     int
	Fields []ListField
}

// ListField is an element of a field list; Width is in bits.
type ListField struct {
	Name  string // "header.field"
	Value Expr
	Width int
}

// Conditional is an if statement of a control.
type Conditional struct {
	Name   string
	ID     int
	Source string // what stands in the P4 file, as far as the compiler kept it
	Cond   Expr
	True   Node // nil: the control ends
	False  Node
}

// ActionCall runs an action that has no parameters without a table.
type ActionCall struct {
	Name   string
	ID     int
	Action *Action
	Next   Node
}

// Node is a step of a control: a *Table, a *Conditional or an *ActionCall.
type Node interface {
	// NodeName returns the name of the step in the JSON.
	NodeName() string
}

// NodeName implements [Node].
func (c *Conditional) NodeName() string { return c.Name }

// NodeName implements [Node].
func (c *ActionCall) NodeName() string { return c.Name }

// NodeName implements [Node].
func (t *Table) NodeName() string { return t.Name }

// Pipeline is a P4 control: a graph of nodes that starts at Init (nil: an empty control).
type Pipeline struct {
	Name         string
	ID           int
	Init         Node
	Tables       []*Table
	Conditionals []*Conditional
	ActionCalls  []*ActionCall
}

// MatchKind says how a key field, or a whole table, is matched.
type MatchKind uint8

// The match kinds of bmv2. An optional field of P4 appears as Ternary in the JSON.
const (
	MatchExact MatchKind = iota + 1
	MatchLPM
	MatchTernary
	MatchRange
)

var matchKindNames = [...]string{"unset", "exact", "lpm", "ternary", "range"}

// String returns the name the JSON uses.
func (k MatchKind) String() string {
	if int(k) < len(matchKindNames) {
		return matchKindNames[k]
	}
	return "unknown"
}

// Table is a match-action table.
type Table struct {
	Name      string
	ID        int
	MatchKind MatchKind // the strongest kind among the key fields
	Key       []KeyField
	Actions   []*Action
	MaxSize   int
	Counter   *Counter // the direct counter, or nil
	Meter     *Meter   // the direct meter, or nil
	// Profile holds the actions of the entries, which only point at its members and groups. Nil: each
	// entry has an action of its own.
	Profile     *ActionProfile
	IdleTimeout bool // entries may have an idle timeout
	Default     *DefaultEntry
	Entries     []ConstEntry // const entries; a table that has some cannot be changed
	Next        map[*Action]Node
	Hit, Miss   Node // used instead of Next when ByHit
	ByHit       bool
}

// Const reports whether the entries of the table are fixed by the program.
func (t *Table) Const() bool { return len(t.Entries) > 0 }

// Action returns the action of the given name that the table can run, or nil.
func (t *Table) Action(name string) *Action {
	for _, a := range t.Actions {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// KeyField is one part of a table's key. Width is in bits.
type KeyField struct {
	Name  string
	Kind  MatchKind
	Field FieldRef
	Width int
	Mask  *big.Int // static mask applied before the lookup, or nil
}

// DefaultEntry is what runs when no entry matches.
type DefaultEntry struct {
	Action      *Action
	Args        []*big.Int
	ConstAction bool // the control plane may not choose another action
	ConstArgs   bool // nor other arguments
}

// ConstEntry is an entry that is part of the program.
type ConstEntry struct {
	Match    []ConstMatch
	Action   *Action
	Args     []*big.Int
	Priority int // bmv2's order: the smallest number wins
}

// ConstMatch is one key field of a const entry. Which members count depends on the kind:
// exact: Value; lpm: Value, PrefixLen; ternary: Value, Mask; range: Value (low), High.
type ConstMatch struct {
	Value, Mask, High *big.Int
	PrefixLen         int
}

// Table returns the table of the given name, or nil.
func (p *Program) Table(name string) *Table {
	for _, pl := range p.Pipelines {
		for _, t := range pl.Tables {
			if t.Name == name {
				return t
			}
		}
	}
	return nil
}

// Tables returns all tables, ingress first, in the order of the JSON.
func (p *Program) Tables() []*Table {
	var all []*Table
	for _, pl := range p.Pipelines {
		all = append(all, pl.Tables...)
	}
	return all
}

// Pipeline returns the control of the given name, or nil.
func (p *Program) Pipeline(name string) *Pipeline {
	for _, pl := range p.Pipelines {
		if pl.Name == name {
			return pl
		}
	}
	return nil
}

// Counter returns the counter array of the given name, or nil.
func (p *Program) Counter(name string) *Counter {
	for _, c := range p.Counters {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Register returns the register array of the given name, or nil.
func (p *Program) Register(name string) *Register {
	for _, r := range p.Registers {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// ValueSet returns the parser value set of the given name, or nil.
func (p *Program) ValueSet(name string) *ValueSet {
	for _, v := range p.ValueSets {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// FieldList returns the field list with the given id, or nil.
func (p *Program) FieldList(id int) *FieldList { return listByID(p.FieldLists, id) }

// LearnList returns the digest with the given id, or nil.
func (p *Program) LearnList(id int) *FieldList { return listByID(p.LearnLists, id) }

func listByID(lists []*FieldList, id int) *FieldList {
	for _, l := range lists {
		if l.ID == id {
			return l
		}
	}
	return nil
}

package v1model

import "time"

// Entity is something the control plane can write: an [*Entry], [*DefaultEntry], [*ProfileMember],
// [*ProfileGroup], [*CloneSession], [*MulticastGroup], [*CounterCell], [*DirectCounter], [*MeterCell],
// [*DirectMeter], [*RegisterCell] or [*ValueSet].
type Entity interface{ entity() }

func (*Entry) entity()          {}
func (*DefaultEntry) entity()   {}
func (*CloneSession) entity()   {}
func (*MulticastGroup) entity() {}
func (*CounterCell) entity()    {}
func (*DirectCounter) entity()  {}
func (*ValueSet) entity()       {}
func (*ProfileMember) entity()  {}
func (*ProfileGroup) entity()   {}
func (*MeterCell) entity()      {}
func (*DirectMeter) entity()    {}
func (*RegisterCell) entity()   {}

// Entry is a table entry. Values are big-endian byte strings; shorter ones than the field are
// padded with zeroes on the left, longer ones must only exceed it by leading zeroes.
type Entry struct {
	Table string
	// Match has one element per key field, in the order of the program.
	Match []Match
	// Priority orders the entries of ternary and range tables: the largest number wins. It is
	// positive there and zero in all other tables.
	Priority int32
	Action   string
	Params   [][]byte
	// Ref is used instead of Action and Params in tables with an action profile.
	Ref ActionRef
	// IdleTimeout is how long the entry may go without a hit before [Switch.Expired] reports it; 0: it
	// never does. Only for tables with support_timeout.
	IdleTimeout time.Duration
	// Meta is kept with the entry and returned as it is; the switch does not look at it.
	Meta any
}

// Match is the condition on one key field; the kind of the field decides which members count.
//
//	exact    Value
//	lpm      Value, PrefixLen; bits beyond the prefix must be zero
//	ternary  Value, Mask; bits outside the mask must be zero
//	range    Value (low), High, both inclusive
//
// Any matches every value and is an error for exact fields; the other members are then unused.
// In ternary and range tables an lpm field takes Value and PrefixLen too. Reading returns
// Any for prefix length 0, mask 0 and the full range.
type Match struct {
	Value     []byte
	Mask      []byte
	High      []byte
	PrefixLen int
	Any       bool
}

// DefaultEntry is what a table does on a miss. Deleting it restores the program's default.
type DefaultEntry struct {
	Table  string
	Action string
	Params [][]byte
	Meta   any
}

// Replica is one copy that a clone session or a multicast group makes.
type Replica struct {
	Port     uint16 // egress port
	Instance uint16 // becomes egress_rid
}

// CloneSession (mirror session) says where the clones of a session go.
type CloneSession struct {
	ID       uint16
	Replicas []Replica
	// Backups are, for each of the Replicas, those that take its place while its port is down, the
	// preferred ones first. Nil: there are none.
	Backups [][]Replica
	// MaxBytes cuts clones to that many bytes; 0: not cut.
	MaxBytes int
	Meta     any

	up []Replica // with Backups: those that are made now
}

// MulticastGroup says where the copies of a group go. ID 0 means "no multicast" in v1model, so
// it is not a valid group.
type MulticastGroup struct {
	ID       uint16
	Replicas []Replica
	// Backups are, for each of the Replicas, those that take its place while its port is down, the
	// preferred ones first. Nil: there are none.
	Backups [][]Replica
	Meta    any

	up []Replica // with Backups: those that are made now
}

// CounterValue is what a counter cell has counted.
type CounterValue struct {
	Packets uint64
	Bytes   uint64
}

// AllCells is the index that stands for every cell of an array in a [CounterCell], [MeterCell] or
// [RegisterCell].
const AllCells = -1

// CounterCell names and sets one cell of an indirect counter array. Only OpModify applies.
type CounterCell struct {
	Counter string
	Index   int
	Value   CounterValue
}

// DirectCounter sets the counter of the table entry with the given match. Only OpModify applies.
type DirectCounter struct {
	Entry *Entry // Table, Match and Priority identify it
	Value CounterValue
}

// RegisterCell names and sets one cell of a register array. Only OpModify applies. Value is a
// big-endian byte string.
type RegisterCell struct {
	Register string
	Index    int
	Value    []byte
}

// OpType is what an [Op] does with its entity.
type OpType uint8

// The operations.
const (
	OpInsert OpType = iota + 1
	OpModify
	OpDelete
)

// String returns "insert", "modify" or "delete".
func (t OpType) String() string {
	switch t {
	case OpInsert:
		return "insert"
	case OpModify:
		return "modify"
	case OpDelete:
		return "delete"
	}
	return "unknown operation"
}

// Op is one change of a batch.
type Op struct {
	Type   OpType
	Entity Entity
	// Then makes the operation depend on the one before it: when that fails, this one is left out and
	// fails with the same error.
	Then bool
}

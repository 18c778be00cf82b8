package workload

import "fmt"

// OpKind says what an operation does, in the terms of YCSB where it has one.
type OpKind uint8

// The kinds of operations. Update, Insert and ReadModifyWrite all end in a Put of a whole record;
// they are told apart because YCSB reports them apart.
const (
	Read OpKind = iota
	Update
	Insert
	Scan
	ReadModifyWrite
	Delete
	Increment
	OpKinds // number of kinds
)

var opNames = [OpKinds]string{"read", "update", "insert", "scan", "rmw", "delete", "increment"}

// String gives the name used in reports.
func (k OpKind) String() string {
	if k >= OpKinds {
		return fmt.Sprintf("op(%d)", uint8(k))
	}
	return opNames[k]
}

// Writes reports whether the operation may change the store.
func (k OpKind) Writes() bool { return k != Read && k != Scan }

// Op is one operation. Its slices are reused by the next call of Source.Next with the same Op.
type Op struct {
	Kind   OpKind
	Record Record // what the Ledger knows the key as
	Key    []byte // for a Scan the first key wanted
	Size   int    // bytes of the value that an Update, Insert or ReadModifyWrite stores
	Limit  int    // largest number of records of a Scan
	Delta  int64  // what an Increment adds
}

// Source hands out the operations of one client thread. It is used by one goroutine at a time.
type Source interface {
	// Next fills in op; false means that there are no more.
	Next(op *Op) bool
	// Done tells that an operation got from Next has ended, well or not. Calls may come in any
	// order.
	Done(op *Op)
}

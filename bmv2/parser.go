package bmv2

import "math/big"

// Parser is a P4 parser.
type Parser struct {
	Name   string
	ID     int
	Init   *ParseState // nil: accept at once
	States []*ParseState
}

// ParseState is a state: operations, then a choice of the next state by a key.
type ParseState struct {
	Name        string
	ID          int
	Ops         []ParserOp
	Key         []TransitionKey
	Transitions []Transition
}

// TransitionKey is one part of the key of a select; Width is in bits.
type TransitionKey struct {
	Value Expr
	Width int
}

// Transition is one case of a select. Value and Mask cover the key parts in order, each padded
// to whole bytes. Mask nil compares everything. With a Set the case applies when the key is one of
// its members; Value and Mask are nil.
type Transition struct {
	Default     bool
	Value, Mask *big.Int
	Set         *ValueSet
	Next        *ParseState // nil: accept
}

// ValueSet is a parser value set: the control plane decides what it holds, at most MaxSize members.
// Parts are the widths of the parts of the key in bits, as the select that uses it has them; Width
// is the width of the whole key, with each part padded to whole bytes.
type ValueSet struct {
	Name    string
	ID      int
	Width   int
	Parts   []int
	MaxSize int
}

// ParserOpKind tells what a parser operation does.
type ParserOpKind uint8

// The operations of a parse state.
const (
	OpExtract      ParserOpKind = iota + 1 // Header; Value: bits of its variable-length field
	OpExtractStack                         // Stack: the next element; Value: as above
	OpSet                                  // Dst = Value
	OpVerify                               // Cond, else Error
	OpAdvance                              // Value bits
	OpPrimitive                            // Call
)

// ParserOp is an operation of a parse state. The kind decides which members are set.
type ParserOp struct {
	Kind   ParserOpKind
	Header *Header
	Stack  *HeaderStack
	Dst    Expr
	Value  Expr // OpSet: the value; OpAdvance: bits; OpVerify: the error to raise; see the kind
	Cond   Expr
	Call   *Primitive
}

// Deparser lists the headers in the order in which they are written.
type Deparser struct {
	Name  string
	ID    int
	Order []*Header
	Ops   []Primitive
}

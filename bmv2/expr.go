package bmv2

import "math/big"

// Expr is a value of a program: a leaf or an operation. Numbers are integers without bounds; a
// value is cut to the width of the field it is assigned to.
type Expr interface{ expr() }

// The leaves and the operation of an expression tree.
type (
	// FieldExpr is a field of a header instance.
	FieldExpr struct{ Ref FieldRef }
	// ConstExpr is a number, which may be negative.
	ConstExpr struct{ Value *big.Int }
	// BoolExpr is true or false.
	BoolExpr struct{ Value bool }
	// ParamExpr is a parameter of the enclosing action.
	ParamExpr struct{ Index, Width int }
	// HeaderExpr is a whole header instance.
	HeaderExpr struct{ Header *Header }
	// StackExpr is a whole header stack.
	StackExpr struct{ Stack *HeaderStack }
	// UnionExpr is a whole header union.
	UnionExpr struct{ Union *HeaderUnion }
	// UnionStackExpr is a whole stack of header unions.
	UnionStackExpr struct{ Stack *UnionStack }
	// UnionIndexExpr is the element of a stack of unions at a computed index.
	UnionIndexExpr struct {
		Stack *UnionStack
		Index Expr
	}
	// StackFieldExpr is a field of the last valid element of a stack.
	StackFieldExpr struct {
		Stack *HeaderStack
		Field int
	}
	// LookaheadExpr reads Width bits of the packet, Offset bits after the parser's position.
	LookaheadExpr struct{ Offset, Width int }
	// RegisterExpr is a cell of a register array.
	RegisterExpr struct {
		Register *Register
		Index    Expr
	}
	// OpExpr applies Op. Unary operations use Right only; OpTernary also uses Cond.
	OpExpr struct {
		Op                Op
		Left, Right, Cond Expr
	}
	// IndexExpr is the element of a stack at a computed index. A member of the element of a stack
	// of unions is an element of a column.
	IndexExpr struct {
		Stack *HeaderStack
		Index Expr
	}
	// AccessExpr is a field of the header that an IndexExpr picks at run time.
	AccessExpr struct {
		Element *IndexExpr
		Field   int
	}
	// StringExpr is a text, used in log messages only.
	StringExpr struct{ Value string }
	// VectorExpr is a list of values, used as the arguments of a log message.
	VectorExpr struct{ Values []Expr }
	// CalcExpr names a calculation.
	CalcExpr struct{ Calc *Calculation }
	// CounterExpr names a counter array.
	CounterExpr struct{ Counter *Counter }
	// MeterExpr names a meter array.
	MeterExpr struct{ Meter *Meter }
	// RegisterArrayExpr names a register array.
	RegisterArrayExpr struct{ Register *Register }
)

func (*FieldExpr) expr()         {}
func (*ConstExpr) expr()         {}
func (*BoolExpr) expr()          {}
func (*ParamExpr) expr()         {}
func (*HeaderExpr) expr()        {}
func (*StackExpr) expr()         {}
func (*UnionExpr) expr()         {}
func (*UnionStackExpr) expr()    {}
func (*UnionIndexExpr) expr()    {}
func (*StackFieldExpr) expr()    {}
func (*LookaheadExpr) expr()     {}
func (*RegisterExpr) expr()      {}
func (*OpExpr) expr()            {}
func (*IndexExpr) expr()         {}
func (*AccessExpr) expr()        {}
func (*StringExpr) expr()        {}
func (*VectorExpr) expr()        {}
func (*CalcExpr) expr()          {}
func (*CounterExpr) expr()       {}
func (*MeterExpr) expr()         {}
func (*RegisterArrayExpr) expr() {}

// Op is an operator, spelled as in the JSON.
type Op string

// The operators.
const (
	OpAdd        Op = "+"
	OpSub        Op = "-"
	OpMul        Op = "*"
	OpDiv        Op = "/"
	OpMod        Op = "%"
	OpShl        Op = "<<"
	OpShr        Op = ">>"
	OpEq         Op = "=="
	OpNe         Op = "!="
	OpGt         Op = ">"
	OpGe         Op = ">="
	OpLt         Op = "<"
	OpLe         Op = "<="
	OpAnd        Op = "and"
	OpOr         Op = "or"
	OpNot        Op = "not"
	OpBitAnd     Op = "&"
	OpBitOr      Op = "|"
	OpBitXor     Op = "^"
	OpBitNot     Op = "~"
	OpValid      Op = "valid"
	OpValidUnion Op = "valid_union"
	OpTernary    Op = "?"
	OpTwoCompMod Op = "two_comp_mod"
	OpSatCast    Op = "sat_cast"
	OpUsatCast   Op = "usat_cast"
	OpToBool     Op = "d2b"
	OpToData     Op = "b2d"
	OpLastIndex  Op = "last_stack_index"
	OpStackSize  Op = "size_stack"
)

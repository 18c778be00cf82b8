package bmv2

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// maxExprDepth bounds the nesting of expressions; generated code stays far below.
const maxExprDepth = 1000

// valueKinds are the types of value objects, for error messages.
var valueKinds = []string{"field", "hexstr", "bool", "header", "header_stack", "header_union",
	"header_union_stack", "stack_field", "union_stack_field", "lookahead", "register", "expression",
	"local", "runtime_data", "string", "parameters_vector", "calculation", "counter_array",
	"meter_array", "register_array"}

type rawOp struct {
	Op    string          `json:"op"`
	Left  *rawValue       `json:"left"`
	Right json.RawMessage `json:"right"`
	Cond  *rawValue       `json:"cond"`
	// Type and Value are set instead of Op when a wrapper holds a plain value.
	Type   string          `json:"type"`
	Value  json.RawMessage `json:"value"`
	Width  int             `json:"bitwidth"`
	Source ignored         `json:"source_info"`
}

// expr decodes a value object.
func (l *loader) expr(v rawValue) (Expr, error) { return l.exprAt(v, 0) }

func (l *loader) exprAt(v rawValue, depth int) (Expr, error) {
	if depth > maxExprDepth {
		return nil, fmt.Errorf("expression nested deeper than %d", maxExprDepth)
	}
	switch v.Type {
	case "expression":
		return l.wrapped(v.Value, depth+1)
	case "parameters_vector":
		return l.vector(v.Value, depth+1)
	case "register":
		return l.registerCell(v.Value, depth+1)
	case "field":
		ref, err := l.fieldRef(v.Value)
		return &FieldExpr{ref}, err
	case "stack_field":
		return l.stackField(v.Value)
	case "union_stack_field":
		return l.unionStackField(v.Value)
	case "lookahead":
		return lookahead(v.Value)
	case "bool":
		var b bool
		err := json.Unmarshal(v.Value, &b)
		return &BoolExpr{b}, err
	case "local", "runtime_data":
		return l.param(v.Value)
	}
	return l.named(v)
}

// named decodes the value objects whose value is a string.
func (l *loader) named(v rawValue) (Expr, error) {
	var name string
	if err := json.Unmarshal(v.Value, &name); err != nil {
		return nil, unsupported(fmt.Sprintf("value of type %q", v.Type), valueKinds...)
	}
	switch v.Type {
	case "hexstr":
		n, err := number(name)
		return &ConstExpr{n}, err
	case "string":
		return &StringExpr{name}, nil
	case "header":
		h := l.headers[name]
		return &HeaderExpr{h}, known(h != nil, v.Type, name)
	case "header_stack":
		s := l.stacks[name]
		return &StackExpr{s}, known(s != nil, v.Type, name)
	case "header_union":
		u := l.unions[name]
		return &UnionExpr{u}, known(u != nil, v.Type, name)
	case "header_union_stack":
		s := l.unionSts[name]
		return &UnionStackExpr{s}, known(s != nil, v.Type, name)
	case "calculation":
		c := l.calcs[name]
		return &CalcExpr{c}, known(c != nil, v.Type, name)
	case "counter_array":
		c := l.counters[name]
		return &CounterExpr{c}, known(c != nil, v.Type, name)
	case "meter_array":
		m := l.meters[name]
		return &MeterExpr{m}, known(m != nil, v.Type, name)
	case "register_array":
		r := l.registers[name]
		return &RegisterArrayExpr{r}, known(r != nil, v.Type, name)
	}
	return nil, unsupported(fmt.Sprintf("value of type %q", v.Type), valueKinds...)
}

func known(ok bool, kind, name string) error {
	if !ok {
		return fmt.Errorf("unknown %s %q", kind, name)
	}
	return nil
}

func (l *loader) vector(raw json.RawMessage, depth int) (Expr, error) {
	var parts []rawValue
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, fmt.Errorf("parameters_vector: %w", err)
	}
	vec := &VectorExpr{}
	for _, p := range parts {
		e, err := l.exprAt(p, depth)
		if err != nil {
			return nil, err
		}
		vec.Values = append(vec.Values, e)
	}
	return vec, nil
}

func (l *loader) registerCell(raw json.RawMessage, depth int) (Expr, error) {
	var pair rawPair
	var name string
	var index rawValue
	if err := json.Unmarshal(raw, &pair); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	if err := json.Unmarshal(pair[0], &name); err != nil {
		return nil, fmt.Errorf("register name: %w", err)
	}
	if err := json.Unmarshal(pair[1], &index); err != nil {
		return nil, fmt.Errorf("index of register %q: %w", name, err)
	}
	r := l.registers[name]
	if err := known(r != nil, "register", name); err != nil {
		return nil, err
	}
	i, err := l.exprAt(index, depth)
	return &RegisterExpr{r, i}, err
}

func (l *loader) stackField(raw json.RawMessage) (Expr, error) {
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil || len(names) != 2 {
		return nil, fmt.Errorf("stack_field %s: want stack and field", raw)
	}
	s := l.stacks[names[0]]
	if err := known(s != nil, "header stack", names[0]); err != nil {
		return nil, err
	}
	i := s.Type.FieldIndex(names[1])
	if i < 0 {
		return nil, fmt.Errorf("header stack %q has no field %q", names[0], names[1])
	}
	return &StackFieldExpr{s, i}, nil
}

// unionStackField decodes [stack, member, field].
func (l *loader) unionStackField(raw json.RawMessage) (Expr, error) {
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil || len(names) != 3 {
		return nil, fmt.Errorf("union_stack_field %s: want stack, member and field", raw)
	}
	column, err := l.member(names)
	if err != nil {
		return nil, err
	}
	i := column.Type.FieldIndex(names[2])
	if i < 0 {
		return nil, fmt.Errorf("header union stack %q has no field %q", column.Name, names[2])
	}
	return &StackFieldExpr{column, i}, nil
}

func lookahead(raw json.RawMessage) (Expr, error) {
	var v []int
	if err := json.Unmarshal(raw, &v); err != nil || len(v) != 2 {
		return nil, fmt.Errorf("lookahead %s: want offset and width", raw)
	}
	if v[0] < 0 || v[0] > maxHeaderBits || v[1] < 1 || v[1] > maxFieldBits {
		return nil, fmt.Errorf("lookahead of %d bits at %d: out of bounds", v[1], v[0])
	}
	return &LookaheadExpr{Offset: v[0], Width: v[1]}, nil
}

func (l *loader) param(raw json.RawMessage) (Expr, error) {
	var i int
	if err := json.Unmarshal(raw, &i); err != nil {
		return nil, fmt.Errorf("action parameter: %w", err)
	}
	if i < 0 || i >= len(l.params) {
		return nil, fmt.Errorf("action parameter %d: the action has %d", i, len(l.params))
	}
	return &ParamExpr{i, l.params[i].Width}, nil
}

// wrapped decodes the value of an "expression": an operation, null, or again a value object.
func (l *loader) wrapped(raw json.RawMessage, depth int) (Expr, error) {
	var op rawOp
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&op); err != nil {
		return nil, fmt.Errorf("expression: %w", err)
	}
	if op.Op == "" {
		return l.exprAt(rawValue{Type: op.Type, Value: op.Value}, depth)
	}
	switch op.Op {
	case "access_field":
		return l.access(&op, depth)
	case "access_union_header":
		return l.unionMember(&op, depth)
	case "dereference_header_stack", "dereference_stack":
		return l.element(&op, depth)
	case "dereference_union_stack":
		return l.unionElement(&op, depth)
	}
	if err := checkOp(Op(op.Op)); err != nil {
		return nil, err
	}
	return l.operation(&op, depth)
}

func (l *loader) operation(op *rawOp, depth int) (Expr, error) {
	e := &OpExpr{Op: Op(op.Op)}
	var right rawValue
	if err := json.Unmarshal(op.Right, &right); err != nil {
		return nil, fmt.Errorf("right side of %q: %w", op.Op, err)
	}
	var err error
	if e.Right, err = l.exprAt(right, depth); err != nil {
		return nil, err
	}
	if op.Left != nil {
		if e.Left, err = l.exprAt(*op.Left, depth); err != nil {
			return nil, err
		}
	}
	if op.Cond != nil {
		if e.Cond, err = l.exprAt(*op.Cond, depth); err != nil {
			return nil, err
		}
	}
	return e, checkOperands(e)
}

// arity is the number of operands: 1 (right), 2, or 3 (with cond). 12 takes one or two.
var arity = map[Op]int{
	OpAdd: 12, OpSub: 12, OpMul: 2, OpDiv: 2, OpMod: 2, OpShl: 2, OpShr: 2, OpEq: 2, OpNe: 2,
	OpGt: 2, OpGe: 2, OpLt: 2, OpLe: 2, OpAnd: 2, OpOr: 2, OpNot: 1, OpBitAnd: 2, OpBitOr: 2,
	OpBitXor: 2, OpBitNot: 1, OpValid: 1, OpTernary: 3, OpTwoCompMod: 2, OpSatCast: 2,
	OpUsatCast: 2, OpToBool: 1, OpToData: 1, OpLastIndex: 1, OpStackSize: 1,
	OpValidUnion: 1,
}

var opNames = []string{"+", "-", "*", "/", "%", "<<", ">>", "==", "!=", ">", ">=", "<", "<=",
	"and", "or", "not", "&", "|", "^", "~", "valid", "?", "two_comp_mod", "sat_cast",
	"usat_cast", "d2b", "b2d", "last_stack_index", "size_stack", "access_field",
	"dereference_header_stack", "dereference_union_stack", "access_union_header",
	"valid_union"}

func checkOp(op Op) error {
	if arity[op] == 0 {
		return unsupported(fmt.Sprintf("operator %q", op), opNames...)
	}
	return nil
}

func checkOperands(e *OpExpr) error {
	n := 1
	if e.Left != nil {
		n++
	}
	if e.Cond != nil {
		n++
	}
	want := arity[e.Op]
	if n == want || want == 12 && n <= 2 && e.Cond == nil {
		return nil
	}
	return fmt.Errorf("operator %q with %d operands: want %d", e.Op, n, want)
}

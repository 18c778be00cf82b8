package bmv2

import (
	"fmt"
	"strings"
)

// maxExprDepth bounds the nesting of expressions; generated code stays far below.
const maxExprDepth = 1000

// valueKinds are the types of value objects, for error messages.
var valueKinds = []string{"field", "hexstr", "bool", "header", "header_stack", "header_union",
	"header_union_stack", "stack_field", "union_stack_field", "lookahead", "register", "expression",
	"local", "runtime_data", "string", "parameters_vector", "calculation", "counter_array",
	"meter_array", "register_array"}

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
		return l.field(v.Value, depth+1)
	case "stack_field":
		return l.stackField(v.Value)
	case "union_stack_field":
		return l.unionStackField(v.Value)
	case "lookahead":
		return lookahead(v.Value)
	case "bool":
		b, ok := v.Value.(bool)
		if !ok {
			return nil, fmt.Errorf("bool %s: want true or false", brief(v.Value))
		}
		return &BoolExpr{b}, nil
	case "local", "runtime_data":
		return l.param(v.Value)
	}
	return l.named(v)
}

// field decodes a field of a header; an operation may stand for the header's name.
func (l *loader) field(v any, depth int) (Expr, error) {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return nil, fmt.Errorf("field reference %s: want header and field", brief(v))
	}
	name, ok := pair[1].(string)
	if !ok {
		return nil, fmt.Errorf("field reference %s: want a name", brief(v))
	}
	if header, ok := pair[0].(string); ok {
		if l.unionSts[header] != nil { // what p4c writes for stack.last.member.field
			return l.unionStackField(append([]any{header}, dotted(name)...))
		}
		ref, err := l.fieldNamed([]string{header, name})
		return &FieldExpr{ref}, err
	}
	e, err := l.wrapped(pair[0], depth)
	if err != nil {
		return nil, err
	}
	element, ok := e.(*IndexExpr)
	if !ok {
		return nil, unsupported("field of this value", "header", "element of a header stack")
	}
	if name == "$valid$" {
		return &OpExpr{Op: OpToData, Right: &OpExpr{Op: OpValid, Right: element}}, nil
	}
	i := element.Stack.Type.FieldIndex(name)
	return &AccessExpr{element, i}, known(i >= 0, "field", name)
}

// dotted splits a name at its first dot.
func dotted(name string) []any {
	left, right, _ := strings.Cut(name, ".")
	return []any{left, right}
}

// named decodes the value objects whose value is a string.
func (l *loader) named(v rawValue) (Expr, error) {
	name, ok := v.Value.(string)
	if !ok {
		return nil, unsupported(fmt.Sprintf("value of type %q", v.Type), valueKinds...)
	}
	switch v.Type {
	case "hexstr":
		n, err := number(name)
		return &ConstExpr{n}, err
	case "string":
		return &StringExpr{name}, nil
	case "header":
		if u := l.unions[name]; u != nil { // what p4c calls an element of a stack of unions
			return &UnionExpr{u}, nil
		}
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

func (l *loader) vector(v any, depth int) (Expr, error) {
	if m, ok := v.(map[string]any); ok && len(m) == 0 { // p4c's empty list
		return &VectorExpr{}, nil
	}
	parts, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("parameters_vector %s: want a list", brief(v))
	}
	vec := &VectorExpr{}
	for _, p := range parts {
		e, err := l.operand(p, depth)
		if err != nil {
			return nil, err
		}
		vec.Values = append(vec.Values, e)
	}
	return vec, nil
}

// operand decodes a value object that has not been looked at.
func (l *loader) operand(v any, depth int) (Expr, error) {
	value, err := toValue(v)
	if err != nil {
		return nil, err
	}
	return l.exprAt(value, depth)
}

func (l *loader) registerCell(v any, depth int) (Expr, error) {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return nil, fmt.Errorf("register %s: want name and index", brief(v))
	}
	name, ok := pair[0].(string)
	if !ok {
		return nil, fmt.Errorf("register name %s: want a text", brief(pair[0]))
	}
	r := l.registers[name]
	if err := known(r != nil, "register", name); err != nil {
		return nil, err
	}
	i, err := l.operand(pair[1], depth)
	return &RegisterExpr{r, i}, in(err, "register", name)
}

func (l *loader) stackField(v any) (Expr, error) {
	names, err := toNames(v, 2)
	if err != nil {
		return nil, fmt.Errorf("stack_field: %w", err)
	}
	s := l.stacks[names[0]]
	if err := known(s != nil, "header stack", names[0]); err != nil {
		return nil, err
	}
	i := s.Type.FieldIndex(names[1])
	switch {
	case i >= 0:
		return &StackFieldExpr{s, i}, nil
	case names[1] == "last": // p4c's way to say that it means the header
		return &IndexExpr{s, &OpExpr{Op: OpLastIndex, Right: &StackExpr{s}}}, nil
	}
	return nil, fmt.Errorf("header stack %q has no field %q", names[0], names[1])
}

// unionStackField decodes [stack, member, field].
func (l *loader) unionStackField(v any) (Expr, error) {
	names, err := toNames(v, 3)
	if err != nil {
		return nil, fmt.Errorf("union_stack_field: %w", err)
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

func lookahead(value any) (Expr, error) {
	v, err := toInts(value, 2)
	if err != nil {
		return nil, fmt.Errorf("lookahead: %w", err)
	}
	if v[0] < 0 || v[0] > maxHeaderBits || v[1] < 1 || v[1] > maxFieldBits {
		return nil, fmt.Errorf("lookahead of %d bits at %d: out of bounds", v[1], v[0])
	}
	return &LookaheadExpr{Offset: v[0], Width: v[1]}, nil
}

func (l *loader) param(v any) (Expr, error) {
	i, err := toInt(v)
	if err != nil {
		return nil, fmt.Errorf("action parameter: %w", err)
	}
	if i < 0 || i >= len(l.params) {
		return nil, fmt.Errorf("action parameter %d: the action has %d", i, len(l.params))
	}
	return &ParamExpr{i, l.params[i].Width}, nil
}

// wrapped decodes the value of an "expression": an operation, or again a value object.
func (l *loader) wrapped(v any, depth int) (Expr, error) {
	op, err := toOp(v)
	if err != nil {
		return nil, fmt.Errorf("expression: %w", err)
	}
	if op.op == "" {
		return l.exprAt(op.value, depth)
	}
	switch op.op {
	case "access_field":
		return l.access(op, depth)
	case "access_union_header":
		return l.unionMember(op, depth)
	case "dereference_header_stack", "dereference_stack":
		return l.element(op, depth)
	case "dereference_union_stack":
		return l.unionElement(op, depth)
	}
	if err := checkOp(Op(op.op)); err != nil {
		return nil, err
	}
	return l.operation(op, depth)
}

func (l *loader) operation(op *rawOp, depth int) (Expr, error) {
	e := &OpExpr{Op: Op(op.op)}
	for _, side := range []struct {
		dst *Expr
		src any
	}{{&e.Right, op.right}, {&e.Left, op.left}, {&e.Cond, op.cond}} {
		if side.src == nil {
			continue
		}
		var err error
		if *side.dst, err = l.operand(side.src, depth); err != nil {
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
	if e.Right == nil {
		return fmt.Errorf("operator %q has no right side", e.Op)
	}
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

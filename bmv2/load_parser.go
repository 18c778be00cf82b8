package bmv2

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
)

func (l *loader) loadParsers(raw *rawProgram) error {
	for i := range raw.Parsers {
		p, err := l.parser(&raw.Parsers[i])
		if err != nil {
			return in(err, "parser", raw.Parsers[i].Name)
		}
		l.prog.Parsers = append(l.prog.Parsers, p)
	}
	return nil
}

func (l *loader) parser(r *rawParser) (*Parser, error) {
	p := &Parser{Name: r.Name, ID: r.ID}
	states := map[string]*ParseState{}
	for i := range r.States {
		s := &ParseState{Name: r.States[i].Name, ID: r.States[i].ID}
		if states[s.Name] != nil {
			return nil, fmt.Errorf("state %q is declared twice", s.Name)
		}
		states[s.Name] = s
		p.States = append(p.States, s)
	}
	for i, s := range p.States {
		if err := l.parseState(s, &r.States[i], states); err != nil {
			return nil, in(err, "state", s.Name)
		}
	}
	var err error
	p.Init, err = nextState(r.Init, states)
	return p, err
}

func nextState(name *string, states map[string]*ParseState) (*ParseState, error) {
	if name == nil {
		return nil, nil
	}
	s := states[*name]
	return s, known(s != nil, "parse state", *name)
}

func (l *loader) parseState(s *ParseState, r *rawParseState, all map[string]*ParseState) error {
	for _, rop := range r.Ops {
		op, err := l.parserOp(rop)
		if err != nil {
			return in(err, "parser operation", rop.Op)
		}
		s.Ops = append(s.Ops, op)
	}
	bits := 0
	for _, k := range r.Key {
		key, err := l.transitionKey(k)
		if err != nil {
			return err
		}
		bits += (key.Width + 7) / 8 * 8
		s.Key = append(s.Key, key)
	}
	for _, rt := range r.Transitions {
		t, err := l.transition(rt, s.Key, bits)
		if err == nil {
			t.Next, err = nextState(rt.Next, all)
		}
		if err != nil {
			return err
		}
		s.Transitions = append(s.Transitions, t)
	}
	return nil
}

func (l *loader) transitionKey(k rawValue) (TransitionKey, error) {
	e, err := l.expr(k)
	if err != nil {
		return TransitionKey{}, err
	}
	switch v := e.(type) {
	case *FieldExpr:
		if v.Ref.Var() {
			return TransitionKey{}, unsupported("variable-length field "+v.Ref.String()+
				" in a transition key", "fixed widths")
		}
		return TransitionKey{e, v.Ref.Width()}, nil
	case *StackFieldExpr:
		return TransitionKey{e, v.Stack.Type.Fields[v.Field].Width}, nil
	case *LookaheadExpr:
		return TransitionKey{e, v.Width}, nil
	}
	return TransitionKey{}, unsupported(fmt.Sprintf("transition key of type %q", k.Type),
		"field", "stack_field", "union_stack_field", "lookahead")
}

func (l *loader) transition(r rawTransition, key []TransitionKey, bits int) (t Transition,
	err error) {
	switch {
	case r.Type == "parse_vset":
		return l.setTransition(r, key)
	case r.Type == "default", r.Type == "" && r.Value != nil && *r.Value == "default",
		r.Type == "" && r.Value == nil:
		t.Default = true
		return t, nil
	case r.Type != "hexstr" && r.Type != "":
		return t, unsupported(fmt.Sprintf("transition type %q", r.Type), "default", "hexstr",
			"parse_vset")
	case r.Value == nil:
		return t, fmt.Errorf("transition without a value")
	}
	if t.Value, err = number(*r.Value); err != nil {
		return t, err
	}
	if err = checkUnsigned(t.Value, bits); err != nil {
		return t, fmt.Errorf("transition: %w", err)
	}
	t.Mask, err = transitionMask(r, bits)
	return t, err
}

func transitionMask(r rawTransition, bits int) (*big.Int, error) {
	if r.Mask == nil {
		return nil, nil
	}
	m, err := number(*r.Mask)
	if err != nil {
		return nil, err
	}
	return m, checkUnsigned(m, bits)
}

var parserOpNames = []string{"extract", "extract_VL", "set", "verify", "advance", "shift",
	"primitive"}

func (l *loader) parserOp(r rawParserOp) (ParserOp, error) {
	counts := map[string]int{"extract": 1, "extract_VL": 2, "set": 2, "verify": 2, "advance": 1,
		"shift": 1, "primitive": 1}
	want := counts[r.Op]
	if want == 0 {
		return ParserOp{}, unsupported(fmt.Sprintf("parser operation %q", r.Op), parserOpNames...)
	}
	if len(r.Params) != want {
		return ParserOp{}, fmt.Errorf("%d parameters: want %d", len(r.Params), want)
	}
	switch r.Op {
	case "extract":
		return l.extract(r.Params[0])
	case "extract_VL":
		return l.extractVar(r.Params)
	case "primitive":
		return l.parserCall(r.Params[0])
	case "shift":
		return shift(r.Params[0])
	}
	args := make([]Expr, len(r.Params))
	for i, p := range r.Params {
		var code int64 // of an error, as older compilers write it
		if r.Op == "verify" && i == 1 && json.Unmarshal(p, &code) == nil {
			args[i] = &ConstExpr{big.NewInt(code)}
			continue
		}
		v, err := strictValue(p)
		if err != nil {
			return ParserOp{}, err
		}
		if args[i], err = l.expr(v); err != nil {
			return ParserOp{}, err
		}
	}
	switch r.Op {
	case "set":
		return ParserOp{Kind: OpSet, Dst: args[0], Value: args[1]}, nil
	case "verify":
		return ParserOp{Kind: OpVerify, Cond: args[0], Value: args[1]}, nil
	}
	return ParserOp{Kind: OpAdvance, Value: args[0]}, nil
}

func strictValue(raw json.RawMessage) (v rawValue, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err = d.Decode(&v)
	return v, err
}

// shift is the older form of advance: bytes instead of bits.
func shift(raw json.RawMessage) (ParserOp, error) {
	var n int
	if err := json.Unmarshal(raw, &n); err != nil {
		return ParserOp{}, err
	}
	if n < 0 || n > maxHeaderBits/8 {
		return ParserOp{}, fmt.Errorf("%d bytes: want 0 to %d", n, maxHeaderBits/8)
	}
	bits := &ConstExpr{bigInt(8 * n)}
	return ParserOp{Kind: OpAdvance, Value: bits}, nil
}

func (l *loader) extract(raw json.RawMessage) (ParserOp, error) {
	v, err := strictValue(raw)
	if err != nil {
		return ParserOp{}, err
	}
	op, t, err := l.extractTarget(v)
	if err == nil && t.VarField() >= 0 {
		err = fmt.Errorf("type %q has a variable-length field: want extract_VL", t.Name)
	}
	return op, err
}

// extractTarget decodes where to extract to.
func (l *loader) extractTarget(v rawValue) (op ParserOp, t *HeaderType, err error) {
	if v.Type == "union_stack" {
		names, err := toNames(v.Value, 2)
		if err != nil {
			return op, nil, fmt.Errorf("extract to a header union stack: %w", err)
		}
		s, err := l.member(names)
		if err != nil {
			return op, nil, err
		}
		return ParserOp{Kind: OpExtractStack, Stack: s}, s.Type, nil
	}
	name, ok := v.Value.(string)
	if !ok || v.Type != "regular" && v.Type != "stack" {
		return op, nil, unsupported(fmt.Sprintf("extract to %q", v.Type), "regular", "stack",
			"union_stack")
	}
	if v.Type == "stack" {
		s := l.stacks[name]
		if err := known(s != nil, "header stack", name); err != nil {
			return op, nil, err
		}
		return ParserOp{Kind: OpExtractStack, Stack: s}, s.Type, nil
	}
	h := l.headers[name]
	switch {
	case h == nil:
		return op, nil, known(false, "header", name)
	case h.Metadata:
		return op, nil, fmt.Errorf("%q is metadata", name)
	}
	return ParserOp{Kind: OpExtract, Header: h}, h.Type, nil
}

// extractVar decodes an extraction with the length of the variable-length field in bits.
func (l *loader) extractVar(params []json.RawMessage) (op ParserOp, err error) {
	v, err := strictValue(params[0])
	if err != nil {
		return op, err
	}
	op, t, err := l.extractTarget(v)
	if err != nil {
		return op, err
	}
	if t.VarField() < 0 {
		return op, fmt.Errorf("type %q has no variable-length field", t.Name)
	}
	length, err := strictValue(params[1])
	if err != nil {
		return op, err
	}
	op.Value, err = l.expr(length)
	return op, err
}

func (l *loader) parserCall(raw json.RawMessage) (ParserOp, error) {
	var r rawPrimitive
	if err := json.Unmarshal(raw, &r); err != nil {
		return ParserOp{}, err
	}
	p, err := l.primitive(r)
	return ParserOp{Kind: OpPrimitive, Call: &p}, in(err, "primitive", r.Op)
}

func (l *loader) loadDeparsers(raw *rawProgram) error {
	for _, r := range raw.Deparsers {
		d := &Deparser{Name: r.Name, ID: r.ID}
		for _, name := range r.Order {
			h := l.headers[name]
			if h == nil || h.Metadata {
				return in(fmt.Errorf("%q is not a header", name), "deparser", r.Name)
			}
			d.Order = append(d.Order, h)
		}
		var err error
		if d.Ops, err = l.primitives(r.Primitives); err != nil {
			return in(err, "deparser", r.Name)
		}
		l.prog.Deparsers = append(l.prog.Deparsers, d)
	}
	return nil
}

package bmv2

import "fmt"

func (l *loader) loadCounters(raw *rawProgram) error {
	for _, r := range raw.Counters {
		const counterBytes = 16
		if err := l.cells(r.Size, counterBytes); err != nil {
			return in(err, "counter", r.Name)
		}
		c := &Counter{Name: r.Name, ID: r.ID, Size: r.Size, Direct: r.Direct}
		l.counters[r.Name] = c
		l.prog.Counters = append(l.prog.Counters, c)
	}
	return nil
}

// bindCounters attaches direct counters to their tables.
func (l *loader) bindCounters(raw *rawProgram) error {
	for _, r := range raw.Counters {
		if !r.Direct {
			continue
		}
		c := l.counters[r.Name]
		c.Table = l.prog.Table(r.Binding)
		if c.Table == nil {
			return in(fmt.Errorf("unknown table %q", r.Binding), "direct counter", r.Name)
		}
		c.Table.Counter = c
	}
	return nil
}

func (l *loader) loadRegisters(raw *rawProgram) error {
	for _, r := range raw.Registers {
		if r.Width < 1 || r.Width > maxFieldBits {
			return in(fmt.Errorf("width %d: want 1 to %d", r.Width, maxFieldBits),
				"register", r.Name)
		}
		if err := l.cells(r.Size, (r.Width+63)/64*8); err != nil {
			return in(err, "register", r.Name)
		}
		reg := &Register{Name: r.Name, ID: r.ID, Size: r.Size, Width: r.Width}
		l.registers[r.Name] = reg
		l.prog.Registers = append(l.prog.Registers, reg)
	}
	return nil
}

func (l *loader) loadActions(raw *rawProgram) error {
	if err := checkCount("actions", len(raw.Actions)); err != nil {
		return err
	}
	for i := range raw.Actions {
		r := &raw.Actions[i]
		a, err := l.action(r)
		if err != nil {
			return in(err, "action", r.Name)
		}
		if l.actions[a.ID] != nil {
			return in(fmt.Errorf("id %d is taken", a.ID), "action", r.Name)
		}
		l.actions[a.ID] = a
		l.prog.Actions = append(l.prog.Actions, a)
	}
	return nil
}

func (l *loader) action(r *rawAction) (*Action, error) {
	a := &Action{Name: r.Name, ID: r.ID}
	for _, p := range r.Params {
		if p.Width < 1 || p.Width > maxFieldBits {
			return nil, fmt.Errorf("parameter %q: width %d, want 1 to %d",
				p.Name, p.Width, maxFieldBits)
		}
		a.Params = append(a.Params, Param(p))
	}
	l.params = a.Params
	defer func() { l.params = nil }()
	var err error
	a.Body, err = l.primitives(r.Primitives)
	return a, err
}

func (l *loader) primitives(raw []rawPrimitive) ([]Primitive, error) {
	var body []Primitive
	for _, r := range raw {
		p, err := l.primitive(r)
		if err != nil {
			return nil, in(err, "primitive", r.Op)
		}
		body = append(body, p)
	}
	return body, nil
}

func (l *loader) primitive(r rawPrimitive) (Primitive, error) {
	p := Primitive{Op: r.Op}
	for _, arg := range r.Params {
		e, err := l.expr(arg)
		if err != nil {
			return p, err
		}
		p.Args = append(p.Args, e)
	}
	return p, nil
}

func (l *loader) loadFieldLists(raw *rawProgram) error {
	var err error
	if l.prog.FieldLists, err = l.fieldLists(raw.FieldLists); err != nil {
		return err
	}
	l.prog.LearnLists, err = l.fieldLists(raw.LearnLists)
	return err
}

func (l *loader) fieldLists(raw []rawFieldList) ([]*FieldList, error) {
	var lists []*FieldList
	for _, r := range raw {
		list := &FieldList{Name: r.Name, ID: r.ID}
		for _, el := range r.Elements {
			f, err := l.listField(el)
			if err != nil {
				return nil, in(err, "field list", r.Name)
			}
			list.Fields = append(list.Fields, f)
		}
		lists = append(lists, list)
	}
	return lists, nil
}

func (l *loader) listField(el rawValue) (ListField, error) {
	e, err := l.expr(el)
	if err != nil {
		return ListField{}, err
	}
	switch v := e.(type) {
	case *FieldExpr:
		return ListField{Name: v.Ref.String(), Value: e, Width: v.Ref.Width()}, nil
	case *ConstExpr:
		width := max(el.Width, v.Value.BitLen(), 1)
		return ListField{Name: "constant", Value: e, Width: width}, nil
	}
	return ListField{}, unsupported(fmt.Sprintf("element of type %q", el.Type), "field", "hexstr")
}

func (l *loader) loadCalculations(raw *rawProgram) error {
	for _, r := range raw.Calculations {
		c := &Calculation{Name: r.Name, ID: r.ID, Algo: r.Algo}
		for _, el := range r.Input {
			input, err := l.calcInput(el)
			if err != nil {
				return in(err, "calculation", r.Name)
			}
			c.Input = append(c.Input, input)
		}
		l.calcs[r.Name] = c
		l.prog.Calculations = append(l.prog.Calculations, c)
	}
	return nil
}

func (l *loader) calcInput(el rawValue) (CalcInput, error) {
	if el.Type == "payload" {
		return CalcInput{Payload: true}, nil
	}
	e, err := l.expr(el)
	if err != nil {
		return CalcInput{}, err
	}
	switch v := e.(type) {
	case *FieldExpr:
		return CalcInput{Expr: e, Width: v.Ref.Width()}, nil
	case *HeaderExpr:
		return CalcInput{Header: v.Header}, nil
	case *ConstExpr:
		if el.Width < 1 || el.Width > maxFieldBits {
			return CalcInput{}, fmt.Errorf("constant of %d bits: want 1 to %d",
				el.Width, maxFieldBits)
		}
		return CalcInput{Expr: e, Width: el.Width}, nil
	}
	return CalcInput{}, unsupported(fmt.Sprintf("input of type %q", el.Type),
		"field", "hexstr", "header", "payload")
}

func (l *loader) loadChecksums(raw *rawProgram) error {
	for _, r := range raw.Checksums {
		c := &Checksum{Name: r.Name, ID: r.ID}
		c.Verify = r.Verify == nil || *r.Verify
		c.Update = r.Update == nil || *r.Update
		err := error(nil)
		c.Target, err = l.fieldNamed(r.Target)
		if err == nil {
			c.Calc, err = l.checksumCalc(&r, c.Target)
		}
		if err == nil && r.If != nil {
			c.If, err = l.expr(*r.If)
		}
		if err != nil {
			return in(err, "checksum", r.Name)
		}
		l.prog.Checksums = append(l.prog.Checksums, c)
	}
	return nil
}

// checksumCalc returns what computes a checksum. Type ipv4 is the Internet checksum of the header
// with zeroes where the checksum stands.
func (l *loader) checksumCalc(r *rawChecksum, target FieldRef) (*Calculation, error) {
	switch r.Type {
	case "generic":
		return l.calcs[r.Calc], known(l.calcs[r.Calc] != nil, "calculation", r.Calc)
	case "ipv4":
		calc := &Calculation{Name: r.Name, ID: -1, Algo: "csum16"}
		for i, f := range target.Header.Type.Fields {
			in := CalcInput{Expr: &FieldExpr{FieldRef{target.Header, i}}, Width: f.Width}
			if i == target.Index {
				in.Expr = &ConstExpr{bigInt(0)}
			}
			calc.Input = append(calc.Input, in)
		}
		return calc, nil
	}
	return nil, unsupported(fmt.Sprintf("checksum type %q", r.Type), "generic", "ipv4")
}

package bmv2

import (
	"encoding/json"
	"fmt"
)

func (l *loader) loadHeaderTypes(raw *rawProgram) error {
	if err := checkCount("header types", len(raw.HeaderTypes)); err != nil {
		return err
	}
	for i := range raw.HeaderTypes {
		r := &raw.HeaderTypes[i]
		t, err := headerType(r)
		if err != nil {
			return in(err, "header type", r.Name)
		}
		l.types[t.Name] = t
		l.prog.HeaderTypes = append(l.prog.HeaderTypes, t)
	}
	return nil
}

func headerType(r *rawHeaderType) (*HeaderType, error) {
	t := &HeaderType{Name: r.Name, ID: r.ID}
	if len(r.LengthExp) > 0 && string(r.LengthExp) != "null" {
		return nil, unsupported("length_exp", "a length in extract_VL")
	}
	for _, rf := range r.Fields {
		f, err := field(rf)
		if err != nil {
			return nil, err
		}
		if f.Var {
			if err := varWidth(&f, r, t); err != nil {
				return nil, fmt.Errorf("variable-length field %q: %w", f.Name, err)
			}
		}
		f.Offset = t.Bits
		t.Bits += f.Width
		if t.Bits > maxHeaderBits {
			return nil, fmt.Errorf("more than %d bits", maxHeaderBits)
		}
		t.Fields = append(t.Fields, f)
	}
	return t, nil
}

// varWidth sets the maximum of a variable-length field: what max_length leaves to it.
func varWidth(f *Field, r *rawHeaderType, t *HeaderType) error {
	switch {
	case t.VarField() >= 0:
		return fmt.Errorf("a header type has at most one")
	case r.MaxLength == nil || *r.MaxLength < 1 || *r.MaxLength > maxHeaderBits/8:
		return fmt.Errorf("the header type has no max_length from 1 to %d bytes", maxHeaderBits/8)
	}
	f.Width = 8 * *r.MaxLength
	for _, rf := range r.Fields {
		other, err := field(rf)
		if err != nil {
			return err
		}
		f.Width -= other.Width
	}
	if f.Width < 1 {
		return fmt.Errorf("max_length %d leaves no bits for it", *r.MaxLength)
	}
	return nil
}

// field decodes [name, width], [name, width, signed] or [name, width, signed, saturating].
// The width of a variable-length field is left 0.
func field(parts []json.RawMessage) (f Field, err error) {
	if len(parts) < 2 || len(parts) > 4 {
		return f, fmt.Errorf("field with %d parts: want name, width, signed and saturating",
			len(parts))
	}
	if err = json.Unmarshal(parts[0], &f.Name); err != nil {
		return f, fmt.Errorf("field name: %w", err)
	}
	if string(parts[1]) == `"*"` {
		f.Var = true
		return f, nil
	}
	if err = json.Unmarshal(parts[1], &f.Width); err != nil {
		return f, fmt.Errorf("width of field %q: %w", f.Name, err)
	}
	if f.Width < 1 || f.Width > maxFieldBits {
		return f, fmt.Errorf("field %q: width %d, want 1 to %d", f.Name, f.Width, maxFieldBits)
	}
	if len(parts) > 2 {
		f.Signed, err = flag(parts[2])
	}
	if len(parts) > 3 && err == nil {
		f.Saturating, err = flag(parts[3])
	}
	if f.Signed && f.Width < 2 {
		return f, fmt.Errorf("field %q: a signed field has at least 2 bits", f.Name)
	}
	return f, err
}

// flag decodes a boolean, for which p4c also writes 0 and 1.
func flag(raw json.RawMessage) (bool, error) {
	switch string(raw) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("flag %s: want true or false", raw)
}

func (l *loader) loadHeaders(raw *rawProgram) error {
	if err := checkCount("headers", len(raw.Headers)); err != nil {
		return err
	}
	bits := 0
	for _, r := range raw.Headers {
		t := l.types[r.Type]
		if t == nil {
			return in(unknownType(raw, r.Type), "header", r.Name)
		}
		if !r.Metadata && t.Bits%8 != 0 {
			return in(fmt.Errorf("type %q has %d bits: want whole bytes", t.Name, t.Bits),
				"header", r.Name)
		}
		if l.headers[r.Name] != nil {
			return in(fmt.Errorf("declared twice"), "header", r.Name)
		}
		if bits += t.Bits; bits > maxPacketBits {
			return in(fmt.Errorf("all headers together have more than %d bits", maxPacketBits),
				"header", r.Name)
		}
		h := &Header{Name: r.Name, ID: r.ID, Type: t, Metadata: r.Metadata}
		l.headers[r.Name] = h
		l.prog.Headers = append(l.prog.Headers, h)
	}
	return nil
}

// unknownType is the error of a header whose type is not a header type. p4c makes such headers of
// header unions within metadata.
func unknownType(raw *rawProgram, name string) error {
	for _, u := range raw.UnionTypes {
		if u.Name == name {
			return unsupported(fmt.Sprintf("header union %q as a header", name),
				"header unions among the headers")
		}
	}
	return fmt.Errorf("unknown header type %q", name)
}

func (l *loader) loadStacks(raw *rawProgram) error {
	byID := l.headersByID()
	for _, r := range raw.Stacks {
		s := &HeaderStack{Name: r.Name, ID: r.ID, Type: l.types[r.Type]}
		if s.Type == nil {
			return in(fmt.Errorf("unknown header type %q", r.Type), "header stack", r.Name)
		}
		for i, id := range r.IDs {
			h := byID[id]
			if h == nil || h.Type != s.Type || h.Stack != nil || h.Metadata {
				return in(fmt.Errorf("header id %d is not a free header of type %q", id, r.Type),
					"header stack", r.Name)
			}
			h.Stack, h.Index = s, i
			s.Headers = append(s.Headers, h)
		}
		if len(s.Headers) == 0 {
			return in(fmt.Errorf("no elements"), "header stack", r.Name)
		}
		l.stacks[r.Name] = s
		l.prog.Stacks = append(l.prog.Stacks, s)
	}
	return nil
}

func (l *loader) loadErrors(raw *rawProgram) error {
	var err error
	l.prog.Errors, err = namedValues(raw.Errors)
	return in(err, "section", "errors")
}

func (l *loader) loadEnums(raw *rawProgram) error {
	for _, r := range raw.Enums {
		entries, err := namedValues(r.Entries)
		if err != nil {
			return in(err, "enum", r.Name)
		}
		l.prog.Enums = append(l.prog.Enums, Enum{Name: r.Name, Entries: entries})
	}
	return nil
}

func namedValues(pairs []rawPair) ([]NamedValue, error) {
	var out []NamedValue
	for _, p := range pairs {
		var v NamedValue
		if err := json.Unmarshal(p[0], &v.Name); err != nil {
			return nil, fmt.Errorf("name of a constant: %w", err)
		}
		if err := json.Unmarshal(p[1], &v.Value); err != nil {
			return nil, fmt.Errorf("value of %q: %w", v.Name, err)
		}
		out = append(out, v)
	}
	return out, nil
}

func (l *loader) loadAliases(raw *rawProgram) error {
	for _, p := range raw.Aliases {
		var a FieldAlias
		if err := json.Unmarshal(p[0], &a.Name); err != nil {
			return in(err, "section", "field_aliases")
		}
		ref, err := l.fieldRef(p[1])
		if err != nil {
			return in(err, "field alias", a.Name)
		}
		a.Field = ref
		l.prog.Aliases = append(l.prog.Aliases, a)
	}
	return nil
}

// fieldRef decodes ["header", "field"].
func (l *loader) fieldRef(raw json.RawMessage) (FieldRef, error) {
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil {
		return FieldRef{}, fmt.Errorf("field reference: %w", err)
	}
	return l.fieldNamed(names)
}

func (l *loader) fieldNamed(names []string) (FieldRef, error) {
	if len(names) != 2 {
		return FieldRef{}, fmt.Errorf("field reference %q: want header and field", names)
	}
	h := l.headers[names[0]]
	if h == nil {
		return FieldRef{}, fmt.Errorf("unknown header %q", names[0])
	}
	if names[1] == "$valid$" {
		return FieldRef{h, ValidField}, nil
	}
	i := h.Type.FieldIndex(names[1])
	if i < 0 {
		return FieldRef{}, fmt.Errorf("header %q has no field %q", names[0], names[1])
	}
	return FieldRef{h, i}, nil
}

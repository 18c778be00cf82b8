package bmv2

// HeaderType is the layout of a header or of a group of metadata.
type HeaderType struct {
	Name   string
	ID     int
	Fields []Field
	Bits   int // sum of the field widths
}

// Field is a member of a header type. Offset and Width are in bits; Offset counts from the first
// bit on the wire, and behind a variable-length field it holds when that has its maximum.
type Field struct {
	Name       string
	Width      int // of a variable-length field: the maximum
	Offset     int
	Signed     bool // two's complement
	Saturating bool // what is stored is the nearest number that fits
	Var        bool // varbit: extract decides the length; a header type has at most one
}

// VarField returns the index of the variable-length field, or -1.
func (t *HeaderType) VarField() int {
	for i := range t.Fields {
		if t.Fields[i].Var {
			return i
		}
	}
	return -1
}

// FieldIndex returns the position of the named field, or -1.
func (t *HeaderType) FieldIndex(name string) int {
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// Header is a header instance, or a metadata instance, which is always valid and never on the
// wire.
type Header struct {
	Name     string
	ID       int
	Type     *HeaderType
	Metadata bool
	Stack    *HeaderStack // the stack it is an element of, or nil
	Index    int          // the place in Stack
	Union    *HeaderUnion // the union it is a member of, or nil
}

// HeaderStack is an array of headers of one type.
type HeaderStack struct {
	Name    string
	ID      int
	Type    *HeaderType
	Headers []*Header
	Unions  *UnionStack // set if this is a column of a stack of unions
}

// ValidField is the index of the hidden one-bit field that tells whether a header is valid.
const ValidField = -1

// FieldRef points at a field of a header instance. Index is the place in Header.Type.Fields, or
// [ValidField].
type FieldRef struct {
	Header *Header
	Index  int
}

// Width returns the width in bits.
func (r FieldRef) Width() int {
	if r.Index == ValidField {
		return 1
	}
	return r.Header.Type.Fields[r.Index].Width
}

// Signed reports whether the field holds a two's complement number.
func (r FieldRef) Signed() bool {
	return r.Index != ValidField && r.Header.Type.Fields[r.Index].Signed
}

// Var reports whether the field has a variable length.
func (r FieldRef) Var() bool {
	return r.Index != ValidField && r.Header.Type.Fields[r.Index].Var
}

// Saturating reports whether the field keeps the nearest number that fits.
func (r FieldRef) Saturating() bool {
	return r.Index != ValidField && r.Header.Type.Fields[r.Index].Saturating
}

// String returns "header.field".
func (r FieldRef) String() string {
	if r.Index == ValidField {
		return r.Header.Name + ".$valid$"
	}
	return r.Header.Name + "." + r.Header.Type.Fields[r.Index].Name
}

// Header returns the instance of the given name, or nil.
func (p *Program) Header(name string) *Header {
	for _, h := range p.Headers {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// Field finds a field by the name an architecture uses, looking at the aliases first.
func (p *Program) Field(header, field string) (FieldRef, bool) {
	full := header + "." + field
	for _, a := range p.Aliases {
		if a.Name == full {
			return a.Field, true
		}
	}
	h := p.Header(header)
	if h == nil {
		return FieldRef{}, false
	}
	i := h.Type.FieldIndex(field)
	return FieldRef{h, i}, i >= 0
}

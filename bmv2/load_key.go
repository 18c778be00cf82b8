package bmv2

import (
	"encoding/json"
	"fmt"
)

// A field of a stack element that is chosen at run time may be part of a key. Such a table gets a
// node before it, which copies the value to a field of metadata that stands for it in the key.

// computedKeys is the name of the metadata; no compiler writes such names.
const computedKeys = "$keys"

// computedKey decodes the target of a key field that is not a field, and returns what stands for
// it.
func (l *loader) computedKey(t *Table, target json.RawMessage) (FieldRef, error) {
	v, err := strictValue(target)
	if err != nil {
		return FieldRef{}, err
	}
	e, err := l.expr(v)
	if err != nil {
		return FieldRef{}, err
	}
	f := Field{Name: fmt.Sprintf("%s[%d]", t.Name, len(t.Key)), Width: 1}
	switch x := e.(type) {
	case *FieldExpr:
		return x.Ref, nil
	case *AccessExpr:
		f.Width = x.Element.Stack.Type.Fields[x.Field].Width
		if x.Element.Stack.Type.Fields[x.Field].Var {
			return FieldRef{}, unsupported("variable-length field", "fixed widths")
		}
		// In a key, a field of an invalid header is zero.
		e = &OpExpr{Op: OpTernary, Cond: &OpExpr{Op: OpValid, Right: x.Element}, Left: e,
			Right: &ConstExpr{bigInt(0)}}
	case *OpExpr:
		if x.Op != OpToData {
			return FieldRef{}, unsupported(fmt.Sprintf("operation %q", x.Op), "field")
		}
	default:
		return FieldRef{}, unsupported("this value", "field", "field of a stack element")
	}
	ref := l.hiddenField(f)
	assign := Primitive{Op: "assign", Args: []Expr{&FieldExpr{ref}, e}}
	l.keySetup[t] = append(l.keySetup[t], assign)
	return ref, nil
}

// hiddenField adds a field to the metadata that no compiler declared.
func (l *loader) hiddenField(f Field) FieldRef {
	h := l.headers[computedKeys]
	if h == nil {
		t := &HeaderType{Name: computedKeys, ID: -1}
		h = &Header{Name: computedKeys, ID: -1, Type: t, Metadata: true}
		l.headers[h.Name] = h
		l.prog.HeaderTypes = append(l.prog.HeaderTypes, t)
		l.prog.Headers = append(l.prog.Headers, h)
	}
	f.Offset = h.Type.Bits
	h.Type.Bits += f.Width
	h.Type.Fields = append(h.Type.Fields, f)
	return FieldRef{h, len(h.Type.Fields) - 1}
}

// prepareKeys makes the nodes that compute keys and puts them in the places of their tables.
func (l *loader) prepareKeys(tables []*Table, nodes map[string]Node) (calls []*ActionCall) {
	for _, t := range tables {
		if l.keySetup[t] == nil {
			continue
		}
		a := &Action{Name: t.Name + "$key", ID: -1, Body: l.keySetup[t]}
		l.prog.Actions = append(l.prog.Actions, a)
		call := &ActionCall{Name: a.Name, ID: -1, Action: a, Next: t}
		nodes[t.Name], calls = call, append(calls, call)
	}
	return calls
}

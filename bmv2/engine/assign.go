package engine

import (
	"fmt"
	"math/big"

	"github.com/turbokv/turbokv/bmv2"
)

// assign compiles dst = src: the value is cut to the width of the field.
func (c *compiler) assign(args []bmv2.Expr) (op, error) {
	if isVar(args[0]) {
		return c.assignVar(args)
	}
	if m, ok := c.move(args[0], args[1]); ok {
		body := lower([]instr{m})
		return func(st *State) { execute(body, st) }, nil
	}
	switch dst := args[0].(type) {
	case *bmv2.FieldExpr:
		if dst.Ref.Index == bmv2.ValidField {
			return nil, unsupported("assignment to "+dst.Ref.String(), "add_header",
				"remove_header")
		}
		return c.assignField(c.layout.place(dst.Ref), saturated(dst.Ref, args[1]))
	case *bmv2.AccessExpr:
		return c.assignElement(dst, args[1])
	case *bmv2.StackFieldExpr:
		return c.assignElement(&bmv2.AccessExpr{Element: lastIndex(dst.Stack), Field: dst.Field},
			args[1])
	case *bmv2.RegisterExpr:
		return c.writeCell(dst.Register, dst.Index, args[1])
	}
	return nil, unsupported(fmt.Sprintf("assignment to %T", args[0]), "field", "stack element",
		"register cell")
}

// saturated limits what is assigned to a field that asks for it.
func saturated(dst bmv2.FieldRef, src bmv2.Expr) bmv2.Expr {
	if !dst.Saturating() {
		return src
	}
	o := bmv2.OpUsatCast
	if dst.Signed() {
		o = bmv2.OpSatCast
	}
	width := &bmv2.ConstExpr{Value: big.NewInt(int64(dst.Width()))}
	return &bmv2.OpExpr{Op: o, Left: src, Right: width}
}

func (c *compiler) assignField(dst place, src bmv2.Expr) (op, error) {
	if dst.width > 64 {
		return c.assignWide(dst, src)
	}
	v, err := c.number(withoutCast(src, dst.width))
	return store(dst, v), err
}

// withoutCast removes masks that keep at least the low bits that a store of the given width keeps
// anyway.
func withoutCast(e bmv2.Expr, width int) bmv2.Expr {
	for {
		o, ok := e.(*bmv2.OpExpr)
		if !ok || o.Op != bmv2.OpBitAnd || o.Left == nil {
			return e
		}
		k, ok := o.Right.(*bmv2.ConstExpr)
		if !ok || lowWord(k.Value)&mask(width) != mask(width) {
			return e
		}
		e = o.Left
	}
}

func (c *compiler) assignWide(dst place, src bmv2.Expr) (op, error) {
	n := (dst.width + 63) / 64
	v, err := c.wide(src, n)
	t := c.temp(n)
	return func(st *State) {
		limbs := t.of(st)
		v(st, limbs)
		storeWide(st.arena, dst.bit, dst.width, limbs)
	}, err
}

// assignElement writes a field of a stack element chosen at run time; out of range it does
// nothing.
func (c *compiler) assignElement(dst *bmv2.AccessExpr, src bmv2.Expr) (op, error) {
	bit, err := c.elementBit(dst.Element, dst.Field)
	if err != nil {
		return nil, err
	}
	width := dst.Element.Stack.Type.Fields[dst.Field].Width
	n := (width + 63) / 64
	v, err := c.wide(src, n)
	t := c.temp(n)
	return func(st *State) {
		at := bit(st)
		if at < 0 {
			return
		}
		limbs := t.of(st)
		v(st, limbs)
		storeWide(st.arena, at, width, limbs)
	}, err
}

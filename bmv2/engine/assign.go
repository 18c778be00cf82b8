package engine

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
)

// assign compiles dst = src: the value is cut to the width of the field.
func (c *compiler) assign(args []bmv2.Expr) (op, error) {
	if m, ok := c.move(args[0], args[1]); ok {
		body := []instr{m}
		return func(st *State) { execute(body, st) }, nil
	}
	switch dst := args[0].(type) {
	case *bmv2.FieldExpr:
		return c.assignField(c.layout.place(dst.Ref), args[1])
	case *bmv2.AccessExpr:
		return c.assignElement(dst, args[1])
	case *bmv2.StackFieldExpr:
		return c.assignElement(&bmv2.AccessExpr{Element: lastIndex(dst.Stack), Field: dst.Field},
			args[1])
	}
	return nil, unsupported(fmt.Sprintf("assignment to %T", args[0]), "field", "stack element")
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

// target is a header known at compile time, or an element of a stack chosen at run time.
type target struct {
	size int
	at   func(st *State) (base, valid int) // valid -1: out of range
}

func (c *compiler) target(e bmv2.Expr) (target, error) {
	switch e := e.(type) {
	case *bmv2.HeaderExpr:
		h := c.layout.headers[e.Header]
		return target{h.size, func(*State) (int, int) { return h.base, h.valid }}, nil
	case *bmv2.IndexExpr:
		s := c.layout.stacks[e.Stack]
		valid, err := c.elementValid(e)
		return target{s.first.size, func(st *State) (int, int) {
			at := valid(st)
			return s.first.base + (at-s.first.valid)*s.first.size, at
		}}, err
	}
	return target{}, unsupported(fmt.Sprintf("%T as a header", e), "header", "stack element")
}

func (c *compiler) assignHeader(args []bmv2.Expr) (op, error) {
	dst, err := c.target(args[0])
	if err != nil {
		return nil, err
	}
	src, err := c.target(args[1])
	if err == nil && dst.size != src.size {
		err = fmt.Errorf("headers of %d and %d bytes", dst.size, src.size)
	}
	return func(st *State) {
		to, toValid := dst.at(st)
		from, fromValid := src.at(st)
		if toValid < 0 {
			return
		}
		if fromValid < 0 || st.arena[fromValid] == 0 {
			st.arena[toValid] = 0
			return
		}
		st.arena[toValid] = 1
		copy(st.arena[to:to+dst.size], st.arena[from:from+dst.size])
	}, err
}

func (c *compiler) assignStack(args []bmv2.Expr) (op, error) {
	d, ok := args[0].(*bmv2.StackExpr)
	s, ok2 := args[1].(*bmv2.StackExpr)
	if !ok || !ok2 || d.Stack.Type != s.Stack.Type ||
		len(d.Stack.Headers) != len(s.Stack.Headers) {
		return nil, unsupported("assignment of different stacks", "stacks of one type and size")
	}
	dst, src := c.layout.stacks[d.Stack], c.layout.stacks[s.Stack]
	size := dst.count * dst.first.size
	return func(st *State) {
		a := st.arena
		copy(a[dst.first.base:dst.first.base+size], a[src.first.base:src.first.base+size])
		copy(a[dst.first.valid:dst.first.valid+dst.count],
			a[src.first.valid:src.first.valid+src.count])
		copy(a[dst.next:dst.next+4], a[src.next:src.next+4])
	}, nil
}

// addHeader makes a header valid; its fields start at zero.
func (c *compiler) addHeader(args []bmv2.Expr) (op, error) {
	t, err := c.target(args[0])
	return func(st *State) {
		base, valid := t.at(st)
		if valid < 0 || st.arena[valid] != 0 {
			return
		}
		st.arena[valid] = 1
		clear(st.arena[base : base+t.size])
		st.Length += t.size
	}, err
}

func (c *compiler) removeHeader(args []bmv2.Expr) (op, error) {
	t, err := c.target(args[0])
	return func(st *State) {
		_, valid := t.at(st)
		if valid < 0 || st.arena[valid] == 0 {
			return
		}
		st.arena[valid] = 0
		st.Length -= t.size
	}, err
}

func (c *compiler) stackArgs(args []bmv2.Expr) (*stack, u64, error) {
	s, ok := args[0].(*bmv2.StackExpr)
	if !ok {
		return nil, nil, unsupported(fmt.Sprintf("push or pop of %T", args[0]), "header stack")
	}
	n, err := c.amount(args[1])
	return c.layout.stacks[s.Stack], n, err
}

// push shifts a stack towards higher indexes; the first elements become invalid.
func (c *compiler) push(args []bmv2.Expr) (op, error) {
	s, count, err := c.stackArgs(args)
	return func(st *State) {
		n := int(min(count(st), uint64(s.count)))
		a, first, size := st.arena, s.first, s.first.size
		copy(a[first.base+n*size:first.base+s.count*size], a[first.base:])
		copy(a[first.valid+n:first.valid+s.count], a[first.valid:])
		clear(a[first.valid : first.valid+n])
		next := min(int(be.Uint32(a[s.next:]))+n, s.count)
		be.PutUint32(a[s.next:], uint32(next))
	}, err
}

// pop shifts a stack towards index 0; the last elements become invalid.
func (c *compiler) pop(args []bmv2.Expr) (op, error) {
	s, count, err := c.stackArgs(args)
	return func(st *State) {
		n := int(min(count(st), uint64(s.count)))
		a, first, size := st.arena, s.first, s.first.size
		copy(a[first.base:], a[first.base+n*size:first.base+s.count*size])
		copy(a[first.valid:], a[first.valid+n:first.valid+s.count])
		clear(a[first.valid+s.count-n : first.valid+s.count])
		next := max(int(be.Uint32(a[s.next:]))-n, 0)
		be.PutUint32(a[s.next:], uint32(next))
	}, err
}

package engine

import (
	"bytes"
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
)

// target is a header known at compile time, or an element of a stack chosen at run time: the one at
// index in the stack that h is the first of.
type target struct {
	h     *header
	index func(*State) int // negative: out of range; nil: always 0
}

func (t *target) at(st *State) int {
	if t.index == nil {
		return 0
	}
	return t.index(st)
}

func (c *compiler) target(e bmv2.Expr) (target, error) {
	switch e := e.(type) {
	case *bmv2.HeaderExpr:
		return target{h: c.layout.headers[e.Header]}, nil
	case *bmv2.IndexExpr:
		s := c.layout.stacks[e.Stack]
		index, err := c.elementIndex(e.Index, s.count)
		return target{s.first, index}, err
	}
	return target{}, unsupported(fmt.Sprintf("%T as a header", e), "header", "stack element")
}

// elementIndex compiles an index of a stack; out of range becomes -1.
func (c *compiler) elementIndex(e bmv2.Expr, count int) (func(*State) int, error) {
	index, err := c.amount(e)
	return func(st *State) int {
		i := index(st)
		if i >= uint64(count) {
			return -1
		}
		return int(i)
	}, err
}

// assign makes element i what element j of src is. Without such an element it becomes invalid.
func (h *header) assign(arena []byte, i int, src *header, j int) {
	if j < 0 || arena[src.valid+j] == 0 {
		arena[h.valid+i] = 0
		return
	}
	h.setValid(arena, i)
	to, from := h.base+i*h.size, src.base+j*src.size
	copy(arena[to:to+h.size], arena[from:from+h.size])
	if h.vari != nil {
		h.vari.setBits(arena, i, src.vari.bits(arena, j))
	}
}

// sameContent compares the fields of two valid headers.
func (h *header) sameContent(arena []byte, i int, o *header, j int) bool {
	a, b := h.base+i*h.size, o.base+j*o.size
	return bytes.Equal(arena[a:a+h.size], arena[b:b+h.size]) &&
		(h.vari == nil || h.vari.bits(arena, i) == o.vari.bits(arena, j))
}

func (c *compiler) headerPair(l, r bmv2.Expr) (a, b target, err error) {
	if a, err = c.target(l); err != nil {
		return a, b, err
	}
	if b, err = c.target(r); err != nil {
		return a, b, err
	}
	if headerType(l) != headerType(r) {
		err = fmt.Errorf("headers of types %q and %q", headerType(l).Name, headerType(r).Name)
	}
	return a, b, err
}

// headerType returns the type of what target takes, else nil.
func headerType(e bmv2.Expr) *bmv2.HeaderType {
	switch e := e.(type) {
	case *bmv2.HeaderExpr:
		return e.Header.Type
	case *bmv2.IndexExpr:
		return e.Stack.Type
	}
	return nil
}

func (c *compiler) assignHeader(args []bmv2.Expr) (op, error) {
	dst, src, err := c.headerPair(args[0], args[1])
	return func(st *State) {
		if to, from := dst.at(st), src.at(st); to >= 0 {
			dst.h.assign(st.arena, to, src.h, from)
		}
	}, err
}

// equalHeaders is true when both are invalid, or both valid with the same content.
func (c *compiler) equalHeaders(l, r bmv2.Expr) (pred, error) {
	a, b, err := c.headerPair(l, r)
	return func(st *State) bool {
		i, j := a.at(st), b.at(st)
		valid := i >= 0 && st.arena[a.h.valid+i] != 0
		if valid != (j >= 0 && st.arena[b.h.valid+j] != 0) {
			return false
		}
		return !valid || a.h.sameContent(st.arena, i, b.h, j)
	}, err
}

// addHeader makes a header valid; its fields start at zero. A variable-length field keeps its
// length, as in simple_switch.
func (c *compiler) addHeader(args []bmv2.Expr) (op, error) {
	t, err := c.target(args[0])
	return func(st *State) {
		i, h := t.at(st), t.h
		if i < 0 || st.arena[h.valid+i] != 0 {
			return
		}
		h.setValid(st.arena, i)
		base := h.base + i*h.size
		clear(st.arena[base : base+h.size])
		st.Length += h.bytes(st.arena, i)
	}, err
}

// addHeaderFast makes a header valid and leaves its fields and the packet's length as they are.
func (c *compiler) addHeaderFast(args []bmv2.Expr) (op, error) {
	t, err := c.target(args[0])
	return func(st *State) {
		if i := t.at(st); i >= 0 {
			t.h.setValid(st.arena, i)
		}
	}, err
}

func (c *compiler) removeHeader(args []bmv2.Expr) (op, error) {
	t, err := c.target(args[0])
	return func(st *State) {
		i, h := t.at(st), t.h
		if i < 0 || st.arena[h.valid+i] == 0 {
			return
		}
		st.arena[h.valid+i] = 0
		st.Length -= h.bytes(st.arena, i)
	}, err
}

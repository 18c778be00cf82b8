package engine

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
)

// assign makes a stack, or a column of a stack of unions, what src is.
func (s *stack) assign(a []byte, src *stack) {
	to, from := s.first, src.first
	size := s.count * to.size
	copy(a[to.base:to.base+size], a[from.base:from.base+size])
	copy(a[to.valid:to.valid+s.count], a[from.valid:from.valid+s.count])
	if to.vari != nil {
		n := 4 * s.count
		copy(a[to.vari.length:to.vari.length+n], a[from.vari.length:from.vari.length+n])
	}
	copy(a[s.next:s.next+4], a[src.next:src.next+4])
}

func (c *compiler) assignStack(args []bmv2.Expr) (op, error) {
	d, ok := args[0].(*bmv2.StackExpr)
	s, ok2 := args[1].(*bmv2.StackExpr)
	if !ok || !ok2 || d.Stack.Type != s.Stack.Type ||
		len(d.Stack.Headers) != len(s.Stack.Headers) {
		return nil, unsupported("assignment of different stacks", "stacks of one type and size")
	}
	dst, src := c.layout.stacks[d.Stack], c.layout.stacks[s.Stack]
	return func(st *State) { dst.assign(st.arena, src) }, nil
}

// stackArgs compiles the arguments of push and pop: the columns of a stack, which is its own only
// column unless it is one of unions, where its elements are counted, and by how many to shift.
func (c *compiler) stackArgs(args []bmv2.Expr) (columns []*stack, next int, by u64, err error) {
	switch s := args[0].(type) {
	case *bmv2.StackExpr:
		columns = []*stack{c.layout.stacks[s.Stack]}
		next = columns[0].next
	case *bmv2.UnionStackExpr:
		u := c.layout.unions[s.Stack]
		columns, next = u.columns, u.next
	default:
		return nil, 0, nil, unsupported(fmt.Sprintf("push or pop of %T", args[0]),
			"header stack", "header union stack")
	}
	by, err = c.amount(args[1])
	return columns, next, by, err
}

// push shifts a stack towards higher indexes; the first elements become invalid.
func (c *compiler) push(args []bmv2.Expr) (op, error) {
	columns, next, by, err := c.stackArgs(args)
	return func(st *State) {
		a, n := st.arena, by(st)
		for _, s := range columns {
			s.push(a, int(min(n, uint64(s.count))))
		}
		last := uint64(columns[0].count)
		be.PutUint32(a[next:], uint32(min(uint64(be.Uint32(a[next:]))+min(n, last), last)))
	}, err
}

func (s *stack) push(a []byte, n int) {
	h, size := s.first, s.first.size
	copy(a[h.base+n*size:h.base+s.count*size], a[h.base:])
	copy(a[h.valid+n:h.valid+s.count], a[h.valid:])
	clear(a[h.valid : h.valid+n])
	if h.vari != nil {
		copy(a[h.vari.length+4*n:h.vari.length+4*s.count], a[h.vari.length:])
		clear(a[h.vari.length : h.vari.length+4*n])
	}
}

// pop shifts a stack towards index 0; the last elements become invalid.
func (c *compiler) pop(args []bmv2.Expr) (op, error) {
	columns, next, by, err := c.stackArgs(args)
	return func(st *State) {
		a, n := st.arena, by(st)
		for _, s := range columns {
			s.pop(a, int(min(n, uint64(s.count))))
		}
		left := uint64(be.Uint32(a[next:]))
		be.PutUint32(a[next:], uint32(left-min(n, left)))
	}, err
}

func (s *stack) pop(a []byte, n int) {
	h, size := s.first, s.first.size
	copy(a[h.base:], a[h.base+n*size:h.base+s.count*size])
	copy(a[h.valid:], a[h.valid+n:h.valid+s.count])
	clear(a[h.valid+s.count-n : h.valid+s.count])
	if h.vari != nil {
		end := h.vari.length + 4*s.count
		copy(a[h.vari.length:], a[h.vari.length+4*n:end])
		clear(a[end-4*n : end])
	}
}

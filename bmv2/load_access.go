package bmv2

import "fmt"

// place decodes the operands of an access by position: a left value, and a number on the right.
func (l *loader) place(op *rawOp, depth int) (left Expr, i int, err error) {
	if i, err = toInt(op.right); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", op.op, err)
	}
	left, err = l.operand(op.left, depth)
	return left, i, err
}

// access decodes header.field where the header may be chosen at run time.
func (l *loader) access(op *rawOp, depth int) (Expr, error) {
	left, i, err := l.place(op, depth)
	if err != nil {
		return nil, err
	}
	switch h := left.(type) {
	case *IndexExpr:
		if i < 0 || i >= len(h.Stack.Type.Fields) {
			return nil, fmt.Errorf("access_field %d of stack %q: out of range", i, h.Stack.Name)
		}
		return &AccessExpr{h, i}, nil
	case *HeaderExpr:
		if i < 0 || i >= len(h.Header.Type.Fields) {
			return nil, fmt.Errorf("access_field %d of %q: out of range", i, h.Header.Name)
		}
		return &FieldExpr{FieldRef{h.Header, i}}, nil
	}
	return nil, unsupported("access_field of this value", "header", "element of a header stack")
}

// unionMember decodes union.member where the union may be chosen at run time.
func (l *loader) unionMember(op *rawOp, depth int) (Expr, error) {
	left, i, err := l.place(op, depth)
	if err != nil {
		return nil, err
	}
	switch u := left.(type) {
	case *UnionIndexExpr:
		if i < 0 || i >= len(u.Stack.Columns) {
			return nil, fmt.Errorf("access_union_header %d of stack %q: out of range", i,
				u.Stack.Name)
		}
		return &IndexExpr{u.Stack.Columns[i], u.Index}, nil
	case *UnionExpr:
		if i < 0 || i >= len(u.Union.Headers) {
			return nil, fmt.Errorf("access_union_header %d of %q: out of range", i, u.Union.Name)
		}
		return &HeaderExpr{u.Union.Headers[i]}, nil
	}
	return nil, unsupported("access_union_header of this value", "header union",
		"element of a header union stack")
}

// dereference decodes the operands of stack[index].
func (l *loader) dereference(op *rawOp, depth int) (stack, index Expr, err error) {
	if stack, err = l.operand(op.left, depth); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", op.op, err)
	}
	if index, err = l.operand(op.right, depth); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", op.op, err)
	}
	return stack, index, nil
}

func (l *loader) element(op *rawOp, depth int) (Expr, error) {
	left, index, err := l.dereference(op, depth)
	if err != nil {
		return nil, err
	}
	s, ok := left.(*StackExpr)
	if !ok {
		return nil, fmt.Errorf("%s: the left side is not a header stack", op.op)
	}
	return &IndexExpr{s.Stack, index}, nil
}

func (l *loader) unionElement(op *rawOp, depth int) (Expr, error) {
	left, index, err := l.dereference(op, depth)
	if err != nil {
		return nil, err
	}
	s, ok := left.(*UnionStackExpr)
	if !ok {
		return nil, fmt.Errorf("%s: the left side is not a header union stack", op.op)
	}
	return &UnionIndexExpr{s.Stack, index}, nil
}

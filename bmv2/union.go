package bmv2

// UnionType lists the members of a header union.
type UnionType struct {
	Name    string
	ID      int
	Members []UnionMember
}

// UnionMember is one of the headers that a union may be.
type UnionMember struct {
	Name string
	Type *HeaderType
}

// Member returns the position of the named member, or -1.
func (t *UnionType) Member(name string) int {
	for i, m := range t.Members {
		if m.Name == name {
			return i
		}
	}
	return -1
}

// HeaderUnion is a group of headers of which at most one is valid. Headers has one for each member
// of the type.
type HeaderUnion struct {
	Name    string
	ID      int
	Type    *UnionType
	Headers []*Header
	Stack   *UnionStack // the stack it is an element of, or nil
	Index   int         // the place in Stack
}

// UnionStack is an array of header unions of one type. Columns has a header stack for each member
// of the type, made of that member of every union.
type UnionStack struct {
	Name    string
	ID      int
	Type    *UnionType
	Unions  []*HeaderUnion
	Columns []*HeaderStack
}

package bmv2

import "fmt"

// loadUnions decodes the types, the unions and the stacks of them.
func (l *loader) loadUnions(raw *rawProgram) error {
	types := map[string]*UnionType{}
	for _, r := range raw.UnionTypes {
		t := &UnionType{Name: r.Name, ID: r.ID}
		for _, m := range r.Members {
			member := UnionMember{m[0], l.types[m[1]]}
			if member.Type == nil {
				return in(fmt.Errorf("unknown header type %q", m[1]), "header union type", r.Name)
			}
			t.Members = append(t.Members, member)
		}
		types[t.Name] = t
	}
	byID := map[int]*HeaderUnion{}
	headers := l.headersByID()
	for i := range raw.Unions {
		u, err := headerUnion(&raw.Unions[i], types, headers)
		if err == nil && (l.unions[u.Name] != nil || byID[u.ID] != nil) {
			err = fmt.Errorf("declared twice")
		}
		if err != nil {
			return in(err, "header union", raw.Unions[i].Name)
		}
		l.unions[u.Name], byID[u.ID] = u, u
		l.prog.Unions = append(l.prog.Unions, u)
	}
	for i := range raw.UnionStacks {
		s, err := unionStack(&raw.UnionStacks[i], types, byID)
		if err != nil {
			return in(err, "header union stack", raw.UnionStacks[i].Name)
		}
		l.unionSts[s.Name] = s
		l.prog.UnionStacks = append(l.prog.UnionStacks, s)
	}
	return nil
}

func headerUnion(r *rawUnion, types map[string]*UnionType,
	headers map[int]*Header) (*HeaderUnion, error) {
	u := &HeaderUnion{Name: r.Name, ID: r.ID, Type: types[r.Type]}
	if u.Type == nil {
		return nil, fmt.Errorf("unknown header union type %q", r.Type)
	}
	if len(r.IDs) != len(u.Type.Members) {
		return nil, fmt.Errorf("%d headers: type %q has %d", len(r.IDs), r.Type,
			len(u.Type.Members))
	}
	for i, id := range r.IDs {
		h, want := headers[id], u.Type.Members[i].Type
		if h == nil || h.Type != want || h.Stack != nil || h.Union != nil || h.Metadata {
			return nil, fmt.Errorf("header id %d is not a free header of type %q", id, want.Name)
		}
		h.Union = u
		u.Headers = append(u.Headers, h)
	}
	return u, nil
}

func unionStack(r *rawUnionStack, types map[string]*UnionType,
	unions map[int]*HeaderUnion) (*UnionStack, error) {
	s := &UnionStack{Name: r.Name, ID: r.ID, Type: types[r.Type]}
	if s.Type == nil {
		return nil, fmt.Errorf("unknown header union type %q", r.Type)
	}
	for i, id := range r.IDs {
		u := unions[id]
		if u == nil || u.Type != s.Type || u.Stack != nil {
			return nil, fmt.Errorf("union id %d is not a free header union of type %q", id, r.Type)
		}
		u.Stack, u.Index = s, i
		s.Unions = append(s.Unions, u)
	}
	if len(s.Unions) == 0 {
		return nil, fmt.Errorf("no elements")
	}
	for k, m := range s.Type.Members {
		column := &HeaderStack{Name: r.Name + "." + m.Name, ID: -1, Type: m.Type, Unions: s}
		for _, u := range s.Unions {
			column.Headers = append(column.Headers, u.Headers[k])
		}
		s.Columns = append(s.Columns, column)
	}
	return s, nil
}

func (l *loader) headersByID() map[int]*Header {
	byID := map[int]*Header{}
	for _, h := range l.prog.Headers {
		byID[h.ID] = h
	}
	return byID
}

// member finds a column of a stack of unions by the names in the JSON: stack and member.
func (l *loader) member(names []string) (*HeaderStack, error) {
	if len(names) < 2 {
		return nil, fmt.Errorf("reference %q: want header union stack and member", names)
	}
	s := l.unionSts[names[0]]
	if err := known(s != nil, "header union stack", names[0]); err != nil {
		return nil, err
	}
	k := s.Type.Member(names[1])
	if k < 0 {
		return nil, fmt.Errorf("header union stack %q has no member %q", names[0], names[1])
	}
	return s.Columns[k], nil
}

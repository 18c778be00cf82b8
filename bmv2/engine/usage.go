package engine

import "github.com/turbokv/turbokv/bmv2"

// usage collects the fields that a program looks at.
type usage map[bmv2.FieldRef]bool

// readFields walks the whole program. An assignment does not read its destination.
func readFields(p *bmv2.Program) usage {
	u := usage{}
	for _, a := range p.Actions {
		u.body(a.Body)
	}
	for _, pl := range p.Pipelines {
		for _, c := range pl.Conditionals {
			u.expr(c.Cond)
		}
		for _, t := range pl.Tables {
			for _, k := range t.Key {
				u[k.Field] = true
			}
		}
	}
	for _, l := range append(p.FieldLists[:len(p.FieldLists):len(p.FieldLists)], p.LearnLists...) {
		for _, f := range l.Fields {
			u.expr(f.Value)
		}
	}
	for _, k := range p.Calculations {
		u.inputs(k.Input)
	}
	for _, x := range p.Profiles {
		if x.Selector != nil {
			u.inputs(x.Selector.Input)
		}
	}
	for _, k := range p.Checksums {
		u.expr(k.If)
		u[k.Target] = true
	}
	u.parsers(p)
	return u
}

func (u usage) inputs(list []bmv2.CalcInput) {
	for _, in := range list {
		u.expr(in.Expr)
	}
}

func (u usage) parsers(p *bmv2.Program) {
	for _, d := range p.Deparsers {
		u.body(d.Ops)
	}
	for _, parser := range p.Parsers {
		for _, s := range parser.States {
			for _, o := range s.Ops {
				u.expr(o.Value)
				u.expr(o.Cond)
				if o.Call != nil {
					u.body([]bmv2.Primitive{*o.Call})
				}
			}
			for _, k := range s.Key {
				u.expr(k.Value)
			}
		}
	}
}

func (u usage) body(body []bmv2.Primitive) {
	for _, p := range body {
		args := p.Args
		if (p.Op == "assign" || p.Op == "assign_VL") && len(args) == 2 {
			args = args[1:]
		}
		for _, a := range args {
			u.expr(a)
		}
	}
}

func (u usage) expr(e bmv2.Expr) {
	switch e := e.(type) {
	case *bmv2.FieldExpr:
		u[e.Ref] = true
	case *bmv2.OpExpr:
		u.expr(e.Left)
		u.expr(e.Right)
		u.expr(e.Cond)
	case *bmv2.RegisterExpr:
		u.expr(e.Index)
	case *bmv2.IndexExpr:
		u.expr(e.Index)
	case *bmv2.UnionIndexExpr:
		u.expr(e.Index)
	case *bmv2.AccessExpr:
		u.expr(e.Element.Index)
	case *bmv2.VectorExpr:
		for _, v := range e.Values {
			u.expr(v)
		}
	case *bmv2.HeaderExpr: // a whole header or metadata struct, such as for a hash
		for i := range e.Header.Type.Fields {
			u[bmv2.FieldRef{Header: e.Header, Index: i}] = true
		}
	}
}

package differ

import "github.com/turbokv/turbokv/bmv2"

// visitExprs calls f for each expression of a program, operands included.
func visitExprs(p *bmv2.Program, f func(bmv2.Expr)) {
	visitCalls(p, func(c bmv2.Primitive) {
		for _, a := range c.Args {
			visitExpr(a, f)
		}
	})
	for _, parser := range p.Parsers {
		for _, s := range parser.States {
			for _, op := range s.Ops {
				visitExpr(op.Value, f)
				visitExpr(op.Cond, f)
			}
			for _, k := range s.Key {
				visitExpr(k.Value, f)
			}
		}
	}
	for _, pl := range p.Pipelines {
		for _, c := range pl.Conditionals {
			visitExpr(c.Cond, f)
		}
	}
	for _, c := range p.Checksums {
		visitExpr(c.If, f)
	}
}

// visitCalls calls f for each primitive of a program.
func visitCalls(p *bmv2.Program, f func(bmv2.Primitive)) {
	for _, a := range p.Actions {
		for _, c := range a.Body {
			f(c)
		}
	}
	for _, parser := range p.Parsers {
		for _, s := range parser.States {
			for _, op := range s.Ops {
				if op.Call != nil {
					f(*op.Call)
				}
			}
		}
	}
}

func visitExpr(e bmv2.Expr, f func(bmv2.Expr)) {
	if e == nil {
		return
	}
	f(e)
	switch e := e.(type) {
	case *bmv2.OpExpr:
		visitExpr(e.Left, f)
		visitExpr(e.Right, f)
		visitExpr(e.Cond, f)
	case *bmv2.RegisterExpr:
		visitExpr(e.Index, f)
	case *bmv2.IndexExpr:
		visitExpr(e.Index, f)
	case *bmv2.AccessExpr:
		visitExpr(e.Element, f)
	case *bmv2.VectorExpr:
		for _, v := range e.Values {
			visitExpr(v, f)
		}
	}
}

package engine

import (
	"fmt"
	"maps"

	"github.com/turbokv/turbokv/bmv2"
)

// Control is a compiled control: a graph of nodes without cycles.
type Control struct {
	init *node
	slow *traceable
	uses registerSet
}

// node is a step of a control. A nil successor ends the control.
type node struct {
	kind    nodeKind
	yes, no *node // yes is also the only successor of a body or an action
	test    test
	cond    pred
	code    []code
	body    []instr // the same, for threading
	entry   *Entry  // of nodeAction: the action with its parameters
	table   *tableSpec
	hit     []*node // successors of a table by [Entry] slot
	miss    []*node
}

type nodeKind uint8

const (
	nodeTest   nodeKind = iota // a condition that is one test
	nodeCond                   // any other condition
	nodeBody                   // an action that neither jumps, exits nor has parameters
	nodeAction                 // any other action
	nodeTable
	nodeIndirect // a table with a profile; yes follows a hit on an entry whose group is empty
)

// Run executes the control on a packet. State.Tables must be set.
func (k *Control) Run(st *State) {
	st.exited = false
	for n := k.init; n != nil; {
		next := n.yes
		switch n.kind {
		case nodeTest:
			if !n.test.holds(st.arena) {
				next = n.no
			}
		case nodeCond:
			if !n.cond(st) {
				next = n.no
			}
		case nodeBody:
			execute(n.code, st)
		case nodeTable:
			next = n.apply(st)
		case nodeIndirect:
			next = n.applyIndirect(st)
		case nodeAction:
			if n.entry.run(st); st.exited {
				next = nil
			}
		}
		n = next
	}
}

// apply looks the packet up and runs the action of the entry.
func (n *node) apply(st *State) *node {
	t := st.Tables[n.table.index]
	next := n.hit
	e := n.table.lookup(st, t)
	switch {
	case e == nil:
		if e = t.def; e == nil {
			return n.no
		}
		next = n.miss
	case e.direct != nil:
		n.table.direct.hit(st, e.direct)
	}
	if e.run(st); st.exited {
		return nil
	}
	return next[e.slot]
}

// run executes the action of an entry.
func (e *Entry) run(st *State) {
	st.args, st.image = e.args, e.image
	e.act.run(st)
}

// graph maps the nodes of a program to compiled ones.
type graph map[bmv2.Node]*node

func (g graph) of(n bmv2.Node) *node {
	if n == nil {
		return nil
	}
	return g[n]
}

func (c *compiler) compileControls() error {
	for _, p := range c.Program.Pipelines {
		k, err := c.control(p)
		if err != nil {
			return fmt.Errorf("control %q: %w", p.Name, err)
		}
		c.controls[p.Name] = k
	}
	return nil
}

func (c *compiler) control(p *bmv2.Pipeline) (*Control, error) {
	var order []bmv2.Node
	for _, t := range p.Tables {
		order = append(order, t)
	}
	for _, n := range p.Conditionals {
		order = append(order, n)
	}
	for _, n := range p.ActionCalls {
		order = append(order, n)
	}
	g, uses := graph{}, c.noteRegisters()
	for _, n := range order {
		g[n] = &node{}
	}
	for _, n := range order {
		if err := c.node(g[n], n, g); err != nil {
			return nil, fmt.Errorf("node %q: %w", n.NodeName(), err)
		}
	}
	slow, err := c.traceable(p, g)
	for _, a := range c.actionsOf(p) {
		maps.Copy(uses, a.uses)
	}
	return &Control{init: c.thread(g.of(p.Init)), slow: slow, uses: uses}, err
}

// actionsOf returns the actions that a control may run. Its tables have been compiled.
func (c *compiler) actionsOf(p *bmv2.Pipeline) (all []*action) {
	for _, t := range p.Tables {
		all = append(all, c.byName[t.Name].acts...)
	}
	for _, call := range p.ActionCalls {
		all = append(all, c.actions[call.Action])
	}
	return all
}

func (c *compiler) node(out *node, n bmv2.Node, g graph) error {
	switch n := n.(type) {
	case *bmv2.Conditional:
		first, err := c.branch(n.Cond, g.of(n.True), g.of(n.False))
		if err != nil {
			return err
		}
		if first == g.of(n.True) || first == g.of(n.False) { // a constant condition
			*out = node{kind: nodeBody, yes: first}
			return nil
		}
		*out = *first
		return nil
	case *bmv2.ActionCall:
		out.yes = g.of(n.Next)
		out.setAction(&Entry{act: c.actions[n.Action]})
		return nil
	case *bmv2.Table:
		return c.table(out, n, g)
	}
	return fmt.Errorf("unknown node type %T", n)
}

// setAction makes a node run an action with known parameters.
func (n *node) setAction(e *Entry) {
	n.kind, n.entry = nodeAction, e
	if a := e.act; a.steps == nil && !a.mayExit && a.words == 0 {
		n.setBody(a.body)
	}
}

func (n *node) setBody(body []instr) { n.kind, n.body, n.code = nodeBody, body, lower(body) }

// branch compiles a condition to nodes that go to yes or no, and returns the first one.
func (c *compiler) branch(e bmv2.Expr, yes, no *node) (*node, error) {
	if o, ok := e.(*bmv2.OpExpr); ok {
		switch o.Op {
		case bmv2.OpNot:
			return c.branch(o.Right, no, yes)
		case bmv2.OpAnd, bmv2.OpOr:
			right, err := c.branch(o.Right, yes, no)
			if err != nil {
				return nil, err
			}
			if o.Op == bmv2.OpAnd {
				return c.branch(o.Left, right, no)
			}
			return c.branch(o.Left, yes, right)
		}
	}
	if b, ok := e.(*bmv2.BoolExpr); ok {
		if b.Value {
			return yes, nil
		}
		return no, nil
	}
	if t, negated, ok := c.testOf(e); ok {
		if negated {
			yes, no = no, yes
		}
		return &node{kind: nodeTest, test: t, yes: yes, no: no}, nil
	}
	cond, err := c.truth(e)
	return &node{kind: nodeCond, cond: cond, yes: yes, no: no}, err
}

// truth compiles a condition that may also be a number.
func (c *compiler) truth(e bmv2.Expr) (pred, error) {
	if isBool(e) {
		return c.boolean(e)
	}
	return c.toBool(e)
}

func (c *compiler) table(out *node, t *bmv2.Table, g graph) error {
	s, err := c.newTableSpec(t)
	if err != nil {
		return err
	}
	out.kind, out.table, out.no = nodeTable, s, g.of(t.Miss)
	if t.Profile != nil {
		out.kind, out.yes = nodeIndirect, g.of(t.Hit)
	}
	for _, a := range s.actions {
		hit, miss := t.Next[a], t.Next[a]
		if _, listed := t.Next[a]; t.ByHit || !listed {
			hit, miss = t.Hit, t.Miss
		}
		out.hit, out.miss = append(out.hit, g.of(hit)), append(out.miss, g.of(miss))
	}
	if d := t.Default; d != nil && len(t.Key) == 0 && d.ConstAction && d.ConstArgs {
		return c.fixedAction(out, s, d)
	}
	return nil
}

// fixedAction compiles a table that always does the same: p4c wraps statements of a control in
// such tables.
func (c *compiler) fixedAction(out *node, s *tableSpec, d *bmv2.DefaultEntry) error {
	params := make([][]byte, len(d.Args))
	for i, v := range d.Args {
		params[i] = v.Bytes()
	}
	e, err := c.newAction(s, EntrySpec{Action: d.Action, Params: params})
	if err != nil {
		return err
	}
	*out = node{yes: out.miss[e.slot]}
	out.setAction(e)
	return nil
}

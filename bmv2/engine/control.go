package engine

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
)

// end is the node number after the last step of a control.
const end int32 = -1

// Control is a compiled control: a graph of nodes.
type Control struct {
	init  int32
	nodes []node
}

// node is a step of a control. It either runs and names its successor, or, when run is nil, is a
// test that picks one of two. Conditions of several tests become several nodes.
type node struct {
	run     func(*State) int32
	test    test
	yes, no int32
}

// Run executes the control on a packet. State.Tables must be set.
func (k *Control) Run(st *State) {
	st.exited = false
	for n := k.init; n >= 0; {
		n = k.nodes[n].next(st)
	}
}

// next executes a node and returns the number of its successor.
func (n *node) next(st *State) int32 {
	if n.run != nil {
		return n.run(st)
	}
	if n.test.holds(st.arena) {
		return n.yes
	}
	return n.no
}

// numbering assigns node numbers within one control.
type numbering map[bmv2.Node]int32

func (n numbering) of(node bmv2.Node) int32 {
	if node == nil {
		return end
	}
	return n[node]
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
	number := numbering{}
	for i, n := range order {
		number[n] = int32(i)
	}
	k := &Control{init: number.of(p.Init), nodes: make([]node, len(number))}
	for _, n := range order {
		var err error
		if cond, ok := n.(*bmv2.Conditional); ok {
			err = c.conditional(k, cond, number)
		} else {
			k.nodes[number[n]].run, err = c.step(n, number)
		}
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.NodeName(), err)
		}
	}
	return k, nil
}

// conditional compiles an if statement; its own node is the first one to be evaluated.
func (c *compiler) conditional(k *Control, n *bmv2.Conditional, number numbering) error {
	first, err := c.branch(k, n.Cond, number.of(n.True), number.of(n.False))
	if err != nil {
		return err
	}
	if first >= int32(len(number)) {
		k.nodes[number[n]] = k.nodes[first]
		return nil
	}
	k.nodes[number[n]].run = func(*State) int32 { return first } // a constant condition
	return nil
}

// branch compiles a condition to nodes that go to yes or no, and returns the first one.
func (c *compiler) branch(k *Control, e bmv2.Expr, yes, no int32) (int32, error) {
	if o, ok := e.(*bmv2.OpExpr); ok {
		switch o.Op {
		case bmv2.OpNot:
			return c.branch(k, o.Right, no, yes)
		case bmv2.OpAnd, bmv2.OpOr:
			right, err := c.branch(k, o.Right, yes, no)
			if err != nil {
				return end, err
			}
			if o.Op == bmv2.OpAnd {
				return c.branch(k, o.Left, right, no)
			}
			return c.branch(k, o.Left, yes, right)
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
		return k.add(node{test: t, yes: yes, no: no}), nil
	}
	cond, err := c.truth(e)
	return k.add(node{run: func(st *State) int32 {
		if cond(st) {
			return yes
		}
		return no
	}}), err
}

func (k *Control) add(n node) int32 {
	k.nodes = append(k.nodes, n)
	return int32(len(k.nodes) - 1)
}

func (c *compiler) step(n bmv2.Node, number numbering) (func(*State) int32, error) {
	switch n := n.(type) {
	case *bmv2.Table:
		return c.table(n, number)
	case *bmv2.ActionCall:
		a, next := c.actions[n.Action], number.of(n.Next)
		return func(st *State) int32 {
			a.run(st)
			return nextUnlessExited(st, a, next)
		}, nil
	}
	return nil, fmt.Errorf("unknown node type %T", n)
}

// truth compiles a condition that may also be a number.
func (c *compiler) truth(e bmv2.Expr) (pred, error) {
	if isBool(e) {
		return c.boolean(e)
	}
	return c.toBool(e)
}

func nextUnlessExited(st *State, a *action, next int32) int32 {
	if a.mayExit && st.exited {
		return end
	}
	return next
}

func (c *compiler) table(t *bmv2.Table, number numbering) (func(*State) int32, error) {
	s, err := c.newTableSpec(t)
	if err != nil {
		return nil, err
	}
	s.miss = number.of(t.Miss)
	for _, a := range t.Actions {
		hit, miss := t.Next[a], t.Next[a]
		if t.ByHit {
			hit, miss = t.Hit, t.Miss
		}
		s.nextHit[a], s.nextMiss[a] = number.of(hit), number.of(miss)
	}
	if t.Default != nil {
		if _, ok := s.nextMiss[t.Default.Action]; !ok {
			s.nextMiss[t.Default.Action] = s.miss
		}
		if len(t.Key) == 0 && t.Default.ConstAction && t.Default.ConstArgs {
			return c.fixedAction(s, t.Default)
		}
	}
	return s.apply, nil
}

// fixedAction compiles a table that always does the same: p4c wraps statements of a control in
// such tables.
func (c *compiler) fixedAction(s *tableSpec, d *bmv2.DefaultEntry) (func(*State) int32, error) {
	params := make([][]byte, len(d.Args))
	for i, v := range d.Args {
		params[i] = v.Bytes()
	}
	e, err := c.newAction(s, EntrySpec{Action: d.Action, Params: params}, false)
	if err != nil {
		return nil, err
	}
	a, next := e.act, e.next
	if a.steps == nil && !a.mayExit {
		return func(st *State) int32 {
			st.args, st.image = e.args, e.image
			execute(a.body, st)
			return next
		}, nil
	}
	return func(st *State) int32 {
		st.args, st.image = e.args, e.image
		a.run(st)
		return nextUnlessExited(st, a, next)
	}, nil
}

// apply looks the packet up and runs the action of the entry.
func (s *tableSpec) apply(st *State) int32 {
	t := st.Tables[s.index]
	e := s.lookup(st, t)
	if e == nil {
		if e = t.def; e == nil {
			return s.miss
		}
	} else if e.hits != nil {
		e.hits.Add(len(st.packet))
	}
	st.args, st.image = e.args, e.image
	e.act.run(st)
	return nextUnlessExited(st, e.act, e.next)
}

package engine

import (
	"fmt"
	"sync"

	"github.com/turbokv/turbokv/bmv2"
)

// action is a compiled action. Either body runs from start to end, or, when the body has jumps,
// steps does.
type action struct {
	spec    *bmv2.Action
	body    []instr // what threading looks at
	code    []code  // the same, to run
	steps   []step
	words   int   // of its parameters
	offsets []int // of each parameter, in words
	mayExit bool
	stages  []stage // how to make the image of an entry
	uses    registerSet
}

// step is an operation in a body with jumps: run, or go to target when cond is nil or zero.
type step struct {
	run    op
	cond   u64
	target int
}

func (a *action) run(st *State) {
	execute(a.code, st)
	if a.steps != nil {
		runSteps(a.steps, st)
	}
}

// maxSteps bounds an action with loops. Loops of P4 end by themselves, but nothing proves it.
const maxSteps = 1 << 20

func runSteps(steps []step, st *State) {
	budget := maxSteps
	for pc := 0; pc < len(steps); budget-- {
		if budget == 0 {
			st.exited, st.Overrun = true, true
			return
		}
		s := &steps[pc]
		switch {
		case s.run != nil:
			s.run(st)
			pc++
		case s.cond == nil || s.cond(st) == 0:
			pc = s.target
		default:
			pc++
		}
	}
}

func (c *compiler) compileActions() error {
	for _, a := range c.Program.Actions {
		compiled, err := c.action(a)
		if err != nil {
			return fmt.Errorf("action %q: %w", a.Name, err)
		}
		c.actions[a] = compiled
	}
	return nil
}

func (c *compiler) action(a *bmv2.Action) (*action, error) {
	out := &action{spec: a, uses: c.noteRegisters()}
	for _, p := range a.Params {
		out.offsets = append(out.offsets, out.words)
		out.words += (p.Width + 63) / 64
	}
	c.params = out.offsets
	defer func() { c.params = nil }()
	steps, jumps, err := c.body(a.Body, out)
	if err != nil {
		return nil, err
	}
	if jumps {
		out.steps = steps
		return out, nil
	}
	for i, s := range steps {
		p := &a.Body[i]
		in := instr{kind: instrCall, call: s.run, writes: c.writes(p)}
		if p.Op == "assign" {
			if m, ok := c.move(p.Args[0], p.Args[1]); ok {
				in = m
			}
		}
		out.body = append(out.body, in)
	}
	f := fuser{gap: c.layout.isGap}
	f.fuse(out.body)
	out.body, out.code, out.stages = f.out, lower(f.out), f.stages
	return out, nil
}

// images renders the bytes that entries store. It keeps the arena in which that happens.
type images struct {
	mu sync.Mutex
	st State
}

// image renders the bytes that an action stores for given parameters, by running the stores on an
// empty arena of the given size.
func (m *images) image(a *action, size int, args []uint64) string {
	if len(a.stages) == 0 {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.st.arena == nil {
		m.st.arena = make([]byte, size)
	}
	clear(m.st.arena)
	m.st.args = args
	var out []byte
	for _, stage := range a.stages {
		execute(stage.stores, &m.st)
		for _, s := range stage.segments {
			out = append(out, m.st.arena[s.off:s.off+s.n]...)
		}
	}
	m.st.args = nil
	return string(out)
}

func (c *compiler) body(body []bmv2.Primitive, a *action) (steps []step, jumps bool, err error) {
	for i := range body {
		p := &body[i]
		var s step
		if p.Op == "_jump" || p.Op == "_jump_if_zero" {
			jumps, a.mayExit = true, true
			s, err = c.jump(p, len(body))
		} else {
			a.mayExit = a.mayExit || p.Op == "exit"
			s.run, err = c.primitive(p)
		}
		if err != nil {
			return nil, false, fmt.Errorf("primitive %q: %w", p.Op, err)
		}
		steps = append(steps, s)
	}
	return steps, jumps, nil
}

// jump compiles _jump(offset) and _jump_if_zero(condition, offset).
func (c *compiler) jump(p *bmv2.Primitive, size int) (s step, err error) {
	want := 1
	if p.Op == "_jump_if_zero" {
		want = 2
	}
	if err := needArgs(p, want); err != nil {
		return s, err
	}
	k, ok := p.Args[want-1].(*bmv2.ConstExpr)
	if !ok || !k.Value.IsInt64() || k.Value.Sign() < 0 || k.Value.Int64() > int64(size) {
		return s, fmt.Errorf("target is no primitive of the action")
	}
	s.target = int(k.Value.Int64())
	if want == 2 {
		s.cond, err = c.condition(p.Args[0])
	}
	return s, err
}

// condition compiles a truth value or a number to a number that is zero when false.
func (c *compiler) condition(e bmv2.Expr) (u64, error) {
	p, err := c.truth(e)
	return func(st *State) uint64 { return b2u(p(st)) }, err
}

func needArgs(p *bmv2.Primitive, n int) error {
	if len(p.Args) != n {
		return fmt.Errorf("%d arguments: want %d", len(p.Args), n)
	}
	return nil
}

func (c *compiler) paramWord(index int) int { return c.params[index] }

// corePrimitives are the ones that every architecture has, with their argument counts.
var corePrimitives = map[string]struct {
	args    int
	compile func(*compiler, []bmv2.Expr) (op, error)
}{
	"assign":              {2, (*compiler).assign},
	"assign_VL":           {2, (*compiler).assignVar},
	"modify_field":        {2, (*compiler).assign},
	"assign_header":       {2, (*compiler).assignHeader},
	"copy_header":         {2, (*compiler).assignHeader},
	"assign_header_stack": {2, (*compiler).assignStack},
	"assign_union":        {2, (*compiler).assignUnion},
	"assign_union_stack":  {2, (*compiler).assignUnionStack},
	"add_header":          {1, (*compiler).addHeader},
	"add_header_fast":     {1, (*compiler).addHeaderFast},
	"remove_header":       {1, (*compiler).removeHeader},
	"push":                {2, (*compiler).push},
	"pop":                 {2, (*compiler).pop},
	"exit":                {0, exit},
}

func (c *compiler) primitive(p *bmv2.Primitive) (op, error) {
	if core, ok := corePrimitives[p.Op]; ok {
		if err := needArgs(p, core.args); err != nil {
			return nil, err
		}
		return core.compile(c, p.Args)
	}
	if _, ok := arithmetic[p.Op]; ok {
		return c.calculate(p)
	}
	if c.arch != nil {
		fn, err := c.arch.Primitive(&Compiler{c}, p)
		if fn != nil || err != nil {
			return fn, err
		}
	}
	return nil, unsupported(fmt.Sprintf("primitive %q", p.Op), c.primitiveNames()...)
}

// arithmetic are primitives of older compilers: dst = a op b, or, of two arguments, dst = dst op a.
var arithmetic = map[string]struct {
	op   bmv2.Op
	args int
}{
	"add_to_field": {bmv2.OpAdd, 2}, "subtract_from_field": {bmv2.OpSub, 2},
	"add": {bmv2.OpAdd, 3}, "subtract": {bmv2.OpSub, 3}, "bit_xor": {bmv2.OpBitXor, 3},
	"bit_or": {bmv2.OpBitOr, 3}, "bit_and": {bmv2.OpBitAnd, 3}, "shift_left": {bmv2.OpShl, 3},
	"shift_right": {bmv2.OpShr, 3},
}

// calculate compiles an arithmetic primitive to an assignment.
func (c *compiler) calculate(p *bmv2.Primitive) (op, error) {
	a := arithmetic[p.Op]
	if err := needArgs(p, a.args); err != nil {
		return nil, err
	}
	operands := p.Args[a.args-2:]
	value := &bmv2.OpExpr{Op: a.op, Left: operands[0], Right: operands[1]}
	return c.assign([]bmv2.Expr{p.Args[0], value})
}

func exit(*compiler, []bmv2.Expr) (op, error) {
	return func(st *State) { st.exited = true }, nil
}

package engine

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
)

// parserError is why a parser stopped; 0 means it did not.
type parserError uint8

const (
	packetTooShort parserError = iota + 1
	stackOutOfBounds
	parserTimeout
	invalidArgument
	headerTooShort
	verifyFailed // the program's own number is already in State.ParserError
)

// errorCodes are the numbers a program gives to the errors of the core library.
type errorCodes [verifyFailed]uint32

func newErrorCodes(p *bmv2.Program) (codes errorCodes) {
	names := map[string]parserError{"PacketTooShort": packetTooShort,
		"StackOutOfBounds": stackOutOfBounds, "ParserTimeout": parserTimeout,
		"ParserInvalidArgument": invalidArgument, "HeaderTooShort": headerTooShort}
	free := uint32(0) // above all numbers in use, for errors the program does not declare
	for _, e := range p.Errors {
		free = max(free, e.Value)
	}
	for i := range codes {
		codes[i] = free + uint32(i)
	}
	for _, e := range p.Errors {
		if i, ok := names[e.Name]; ok {
			codes[i] = e.Value
		} else if e.Name == "NoError" {
			codes[0] = e.Value
		}
	}
	return codes
}

// statesPerByte bounds how many states a parser may visit, so that a loop that extracts nothing
// ends. bmv2 has no such bound; a parser that terminates stays far below it.
const (
	statesPerByte = 8
	statesAtLeast = 1024
)

// Parser is a compiled parser.
type Parser struct {
	machine *Machine
	init    *parseState
	errors  errorCodes
	verify  []pred // checksums; false means an error
	uses    registerSet
}

type parseState struct {
	spec  *bmv2.ParseState
	body  []code
	cases []parseCase // tried in order
	other *parseState // when none applies
	// key is the key of a select that is not made of tests; nil if it is.
	key  u64
	wide exactValue
	sets bool // some cases are value sets; wide is the key
}

// parseCase is a case of a select: tests on the fields, or a comparison with the key.
type parseCase struct {
	tests       []test
	value, mask uint64
	values      []uint64 // of wide keys
	masks       []uint64
	set         int // 1 + the index of a value set; values are unused
	next        *parseState
}

// Run parses the packet of st and verifies checksums. The result stands in ParserError,
// ParserFailed and ChecksumError.
func (p *Parser) Run(st *State) {
	budget := p.begin(st)
	for s := p.init; s != nil; budget-- {
		s = s.step(st)
		if budget == 0 {
			st.fail = parserTimeout
		}
		if st.fail != 0 {
			p.stop(st)
			break
		}
	}
	p.check(st)
}

// begin returns how many states may be visited.
func (p *Parser) begin(st *State) int {
	st.pos, st.fail, st.ParserError = 0, 0, p.errors[0]
	st.ParserFailed, st.ChecksumError = false, false
	return statesAtLeast + statesPerByte*len(st.packet)
}

// check verifies checksums.
func (p *Parser) check(st *State) {
	for _, ok := range p.verify {
		if !ok(st) {
			st.ChecksumError = true
		}
	}
}

func (p *Parser) stop(st *State) {
	st.ParserFailed = true
	if st.fail != verifyFailed {
		st.ParserError = p.errors[st.fail]
	}
	st.fail = 0
}

// step executes one state and returns the next one, nil to accept.
func (s *parseState) step(st *State) *parseState {
	execute(s.body, st)
	switch {
	case st.fail != 0:
		return nil
	case s.key != nil:
		return s.keyStep(st)
	case s.sets:
		return s.setStep(st)
	case s.wide.fn != nil:
		return s.wideStep(st)
	}
next:
	for i := range s.cases {
		c := &s.cases[i]
		for j := range c.tests {
			if !c.tests[j].holds(st.arena) {
				continue next
			}
		}
		return c.next
	}
	return s.other
}

func (s *parseState) keyStep(st *State) *parseState {
	k := s.key(st)
	for i := range s.cases {
		if c := &s.cases[i]; k&c.mask == c.value {
			return c.next
		}
	}
	return s.other
}

func (s *parseState) wideStep(st *State) *parseState {
	k := s.wide.eval(st)
next:
	for i := range s.cases {
		c := &s.cases[i]
		for j, w := range k {
			if w&c.masks[j] != c.values[j] {
				continue next
			}
		}
		return c.next
	}
	return s.other
}

func (c *compiler) compileParsers() error {
	c.inParser = true
	defer func() { c.inParser = false }()
	for _, p := range c.Program.Parsers {
		uses, states := c.noteRegisters(), map[*bmv2.ParseState]*parseState{}
		for _, s := range p.States {
			states[s] = &parseState{spec: s}
		}
		for _, s := range p.States {
			if err := c.parseState(states[s], s, states); err != nil {
				return fmt.Errorf("parser %q: state %q: %w", p.Name, s.Name, err)
			}
		}
		out := &Parser{machine: c.Machine, errors: c.errors, uses: uses}
		if p.Init != nil {
			out.init = states[p.Init]
		}
		var err error
		if out.verify, err = c.verifications(); err != nil {
			return fmt.Errorf("parser %q: %w", p.Name, err)
		}
		c.parsers[p.Name] = out
	}
	return nil
}

func (c *compiler) parseState(out *parseState, s *bmv2.ParseState,
	states map[*bmv2.ParseState]*parseState) error {
	var body []instr
	for i := range s.Ops {
		in, err := c.parserInstrs(&s.Ops[i])
		if err != nil {
			return err
		}
		body = append(body, in...)
	}
	f := fuser{gap: c.layout.isGap}
	f.fuse(body)
	out.body = lower(f.out)
	key, bits := joinKey(s.Key)
	limbs := (bits + 63) / 64
	for _, t := range s.Transitions {
		next := (*parseState)(nil)
		if t.Next != nil {
			next = states[t.Next]
		}
		if t.Default || key == nil {
			out.other = next
			break // what follows a default is never reached
		}
		if t.Set != nil {
			k, err := c.setCase(&t, limbs, next)
			if err != nil {
				return err
			}
			out.sets, out.cases = true, append(out.cases, k)
			continue
		}
		out.cases = append(out.cases, newCase(&t, bits, limbs, next))
	}
	if len(out.cases) == 0 || !out.sets && c.caseTests(out, s) {
		return nil
	}
	var err error
	if bits <= 64 && !out.sets {
		out.key, err = c.number(key)
	} else {
		out.wide, err = c.exactIn(key, limbs)
	}
	return err
}

// parserInstrs compiles an operation to steps. The first one that fails ends the state.
func (c *compiler) parserInstrs(o *bmv2.ParserOp) ([]instr, error) {
	if o.Kind == bmv2.OpExtract && o.Value == nil {
		h := c.layout.headers[o.Header]
		out := []instr{{kind: instrExtract, dst: h.base, n: h.size, src: h.valid}}
		for _, d := range h.rivals {
			out = append(out, instr{kind: instrFill, dst: h.valid + d, n: 1, image: []byte{0}})
		}
		return out, nil
	}
	call, err := c.parserOp(o)
	if err == nil && o.Kind == bmv2.OpSet {
		if m, ok := c.move(o.Dst, o.Value); ok {
			return []instr{m}, nil
		}
	}
	return []instr{{kind: instrCall, call: call}}, err
}

func (c *compiler) parserOp(o *bmv2.ParserOp) (op, error) {
	switch o.Kind {
	case bmv2.OpExtract:
		h := c.layout.headers[o.Header]
		bits, err := c.amount(o.Value)
		return func(st *State) { h.extractVar(st, 0, bits(st)) }, err
	case bmv2.OpExtractStack:
		return c.extractNext(o)
	case bmv2.OpSet:
		return c.assign([]bmv2.Expr{o.Dst, o.Value})
	case bmv2.OpVerify:
		return c.verify(o)
	case bmv2.OpAdvance:
		return c.advance(o)
	}
	return c.primitive(o.Call)
}

// extractNext extracts to the element after the last one.
func (c *compiler) extractNext(o *bmv2.ParserOp) (op, error) {
	s := c.layout.stacks[o.Stack]
	if o.Value == nil {
		return func(st *State) { s.extract(st) }, nil
	}
	bits, err := c.amount(o.Value)
	return func(st *State) {
		next := int(be.Uint32(st.arena[s.next:]))
		if next >= s.count {
			st.fail = stackOutOfBounds
			return
		}
		if s.first.extractVar(st, next, bits(st)); st.fail == 0 {
			be.PutUint32(st.arena[s.next:], uint32(next+1))
		}
	}, err
}

func (s *stack) extract(st *State) {
	next, h := int(be.Uint32(st.arena[s.next:])), s.first
	end := st.pos + h.size
	if next >= s.count {
		st.fail = stackOutOfBounds
		return
	}
	if end > len(st.packet) {
		st.fail = packetTooShort
		return
	}
	base := h.base + next*h.size
	copy(st.arena[base:base+h.size], st.packet[st.pos:end])
	h.setValid(st.arena, next)
	be.PutUint32(st.arena[s.next:], uint32(next+1))
	st.pos = end
}

func (c *compiler) verify(o *bmv2.ParserOp) (op, error) {
	cond, err := c.condition(o.Cond)
	if err != nil {
		return nil, err
	}
	code, err := c.number(o.Value)
	return func(st *State) {
		if cond(st) == 0 {
			st.fail, st.ParserError = verifyFailed, uint32(code(st))
		}
	}, err
}

func (c *compiler) advance(o *bmv2.ParserOp) (op, error) {
	bits, err := c.amount(o.Value)
	return func(st *State) {
		n := bits(st)
		switch {
		case n%8 != 0:
			st.fail = invalidArgument
		case n/8 > uint64(len(st.packet)-st.pos):
			st.fail = packetTooShort
		default:
			st.pos += int(n / 8)
		}
	}, err
}

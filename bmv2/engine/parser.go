package engine

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// parserError is why a parser stopped; 0 means it did not.
type parserError uint8

const (
	packetTooShort parserError = iota + 1
	stackOutOfBounds
	parserTimeout
	invalidArgument
	verifyFailed // the program's own number is already in State.ParserError
)

// errorCodes are the numbers a program gives to the errors of the core library.
type errorCodes [verifyFailed]uint32

func newErrorCodes(p *bmv2.Program) (codes errorCodes) {
	names := map[string]parserError{"PacketTooShort": packetTooShort,
		"StackOutOfBounds": stackOutOfBounds, "ParserTimeout": parserTimeout,
		"ParserInvalidArgument": invalidArgument}
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
	init   *parseState
	errors errorCodes
	verify []pred // checksums; false means an error
}

type parseState struct {
	body  []instr
	cases []parseCase // tried in order
	other *parseState // when none applies
	// key is the key of a select that is not made of tests; nil if it is.
	key  u64
	wide exactValue
}

// parseCase is a case of a select: tests on the fields, or a comparison with the key.
type parseCase struct {
	tests       []test
	value, mask uint64
	values      []uint64 // of wide keys
	masks       []uint64
	next        *parseState
}

// Run parses the packet of st and verifies checksums. The result stands in ParserError,
// ParserFailed and ChecksumError.
func (p *Parser) Run(st *State) {
	st.pos, st.fail, st.ParserError = 0, 0, p.errors[0]
	st.ParserFailed, st.ChecksumError = false, false
	budget := statesAtLeast + statesPerByte*len(st.packet)
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
	for _, p := range c.Program.Parsers {
		states := map[*bmv2.ParseState]*parseState{}
		for _, s := range p.States {
			states[s] = &parseState{}
		}
		for _, s := range p.States {
			if err := c.parseState(states[s], s, states); err != nil {
				return fmt.Errorf("parser %q: state %q: %w", p.Name, s.Name, err)
			}
		}
		out := &Parser{errors: c.errors}
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
	for i := range s.Ops {
		in, err := c.parserInstr(&s.Ops[i])
		if err != nil {
			return err
		}
		out.body = append(out.body, in)
	}
	f := fuser{gap: c.layout.isGap}
	f.fuse(out.body)
	out.body = f.out
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
		out.cases = append(out.cases, newCase(&t, bits, limbs, next))
	}
	if len(out.cases) == 0 || c.caseTests(out, s) {
		return nil
	}
	var err error
	if bits <= 64 {
		out.key, err = c.number(key)
	} else {
		out.wide, err = c.exactIn(key, limbs)
	}
	return err
}

// caseTests turns a select on fields into tests, if it has few cases and each part of the key
// lies within 8 bytes of the arena.
func (c *compiler) caseTests(out *parseState, s *bmv2.ParseState) bool {
	const few = 8 // beyond, evaluating the key once is cheaper
	if len(out.cases) > few {
		return false
	}
	for i := range out.cases {
		tests, ok := c.keyTests(s.Key, &out.cases[i])
		if !ok {
			return false
		}
		out.cases[i].tests = mergeTests(tests)
	}
	return true
}

// keyTests compares each part of a key with its piece of the case.
func (c *compiler) keyTests(key []bmv2.TransitionKey, k *parseCase) (tests []test, ok bool) {
	at := 0 // bits to the right
	for _, part := range slices.Backward(key) {
		f, isField := part.Value.(*bmv2.FieldExpr)
		if !isField {
			return nil, false
		}
		p := c.layout.place(f.Ref)
		w, ok := p.window()
		if !ok {
			return nil, false
		}
		m, v := bitsAt(k.masks, at, p.width), bitsAt(k.values, at, p.width)
		if m != 0 {
			tests = append(tests, w.test(m, v, v))
		}
		at += (p.width + 7) / 8 * 8
	}
	return tests, true
}

// bitsAt returns up to 64 bits of a number.
func bitsAt(limbs []uint64, at, width int) uint64 {
	v := limbs[at/64] >> (at % 64)
	if at%64 > 0 && at/64+1 < len(limbs) {
		v |= limbs[at/64+1] << (64 - at%64)
	}
	return v & mask(width)
}

// mergeTests joins tests of the same bytes.
func mergeTests(tests []test) []test {
	slices.SortFunc(tests, func(a, b test) int { return a.off - b.off })
	var out []test
	for _, t := range tests {
		if n := len(out); n > 0 && out[n-1].off == t.off && out[n-1].size == t.size {
			out[n-1].mask |= t.mask
			out[n-1].low |= t.low
			continue
		}
		out = append(out, t)
	}
	return out
}

func newCase(t *bmv2.Transition, bits, limbs int, next *parseState) parseCase {
	m := t.Mask
	if m == nil {
		one := big.NewInt(1)
		m = new(big.Int).Sub(new(big.Int).Lsh(one, uint(bits)), one)
	}
	v := new(big.Int).And(t.Value, m)
	return parseCase{value: lowWord(v), mask: lowWord(m), values: constLimbs(v, limbs),
		masks: constLimbs(m, limbs), next: next}
}

// joinKey concatenates the parts of a select key, each padded to whole bytes.
func joinKey(parts []bmv2.TransitionKey) (key bmv2.Expr, bits int) {
	for _, p := range parts {
		size := (p.Width + 7) / 8 * 8
		value := unsigned(p)
		if key == nil {
			key, bits = value, size
			continue
		}
		shift := &bmv2.ConstExpr{Value: big.NewInt(int64(size))}
		high := &bmv2.OpExpr{Op: bmv2.OpShl, Left: key, Right: shift}
		key = &bmv2.OpExpr{Op: bmv2.OpBitOr, Left: high, Right: value}
		bits += size
	}
	return key, bits
}

// unsigned takes the bits of a signed field, as a key does.
func unsigned(k bmv2.TransitionKey) bmv2.Expr {
	f, ok := k.Value.(*bmv2.FieldExpr)
	if !ok || !f.Ref.Signed() {
		return k.Value
	}
	one := big.NewInt(1)
	all := new(big.Int).Sub(new(big.Int).Lsh(one, uint(k.Width)), one)
	return &bmv2.OpExpr{Op: bmv2.OpBitAnd, Left: f, Right: &bmv2.ConstExpr{Value: all}}
}

func (c *compiler) parserInstr(o *bmv2.ParserOp) (instr, error) {
	if o.Kind == bmv2.OpExtract {
		h := c.layout.headers[o.Header]
		return instr{kind: instrExtract, dst: h.base, n: h.size, src: h.valid}, nil
	}
	call, err := c.parserOp(o)
	if err == nil && o.Kind == bmv2.OpSet {
		if m, ok := c.move(o.Dst, o.Value); ok {
			return m, nil
		}
	}
	return instr{kind: instrCall, call: call}, err
}

func (c *compiler) parserOp(o *bmv2.ParserOp) (op, error) {
	switch o.Kind {
	case bmv2.OpExtractStack:
		return extractNext(c.layout.stacks[o.Stack]), nil
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
func extractNext(s *stack) op {
	return func(st *State) {
		next := int(be.Uint32(st.arena[s.next:]))
		end := st.pos + s.first.size
		if next >= s.count {
			st.fail = stackOutOfBounds
			return
		}
		if end > len(st.packet) {
			st.fail = packetTooShort
			return
		}
		base := s.first.base + next*s.first.size
		copy(st.arena[base:base+s.first.size], st.packet[st.pos:end])
		st.arena[s.first.valid+next] = 1
		be.PutUint32(st.arena[s.next:], uint32(next+1))
		st.pos = end
	}
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

// peek reads up to 56 bits of the packet at a bit position after the parsed bytes.
func peek(st *State, bit, width int) uint64 {
	bit += 8 * st.pos
	var v uint64
	for i := bit / 8; i < (bit+width+7)/8; i++ {
		v = v<<8 | uint64(st.packet[i])
	}
	return v >> (-(bit + width) & 7) & mask(width)
}

// inPacket reports whether a lookahead stays within the packet, and stops the parser if not.
func inPacket(st *State, e *bmv2.LookaheadExpr) bool {
	if 8*st.pos+e.Offset+e.Width > 8*len(st.packet) {
		st.fail = packetTooShort
		return false
	}
	return true
}

func lookahead(e *bmv2.LookaheadExpr) u64 {
	offset, width := e.Offset, e.Width
	if width > 64 {
		offset, width = offset+width-64, 64
	}
	high := max(0, width-32)
	return func(st *State) uint64 {
		if !inPacket(st, e) {
			return 0
		}
		v := peek(st, offset+high, width-high)
		if high > 0 {
			v |= peek(st, offset, high) << (width - high)
		}
		return v
	}
}

func wideLookahead(e *bmv2.LookaheadExpr) wide {
	return func(st *State, dst []uint64) {
		clear(dst)
		if !inPacket(st, e) {
			return
		}
		for done := 0; done < e.Width && done/64 < len(dst); done += 32 {
			n := min(32, e.Width-done)
			v := peek(st, e.Offset+e.Width-done-n, n)
			dst[done/64] |= v << (done % 64)
		}
	}
}

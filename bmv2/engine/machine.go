package engine

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/turbokv/turbokv/bmv2"
)

// Arch supplies the primitives of an architecture.
type Arch interface {
	// Primitive compiles one call. It returns nil and no error when it does not know p.Op. What
	// it returns may write to fields and headers that are arguments of the call, or, if the
	// call has no arguments, to any.
	Primitive(c *Compiler, p *bmv2.Primitive) (func(*State), error)
	// Primitives lists the names it knows, for error messages.
	Primitives() []string
	// Now returns the time in microseconds, for meters and idle timeouts.
	Now() uint64
	// Random returns uniformly distributed random bits. Called by every worker.
	Random() uint64
}

// Machine is a compiled program together with its cells (counters, meters and registers). It is
// immutable except for the cells, which are safe for concurrent use.
type Machine struct {
	Program   *bmv2.Program
	Counters  map[string]*CounterArray // indirect ones
	Meters    map[string]*MeterArray   // indirect ones
	Registers map[string]*RegisterArray

	layout       *layout
	parsers      map[string]*Parser
	controls     map[string]*Control
	deparsers    map[string]*Deparser
	actions      map[*bmv2.Action]*action
	tables       []*tableSpec
	byName       map[string]*tableSpec
	reads        map[bmv2.FieldRef]bool
	scratchWords int
	keyBytes     int
	images       images
	crcs         map[string]*customCRC // by calculation
}

// compiler is the state of a compilation.
type compiler struct {
	*Machine
	arch      Arch
	clock     func() uint64
	registers map[*bmv2.Register]*RegisterArray
	touched   registerSet // by what is being compiled
	params    []int       // word offsets of the parameters of the action being compiled
	errors    errorCodes
	// roundRobin are the counters of calculations that only count.
	roundRobin map[string]*atomic.Uint64
	inParser   bool // what is compiled runs in a parser
}

// Compile compiles a program for an architecture.
func Compile(p *bmv2.Program, arch Arch) (*Machine, error) {
	m := &Machine{
		Program:   p,
		Counters:  map[string]*CounterArray{},
		Meters:    map[string]*MeterArray{},
		Registers: map[string]*RegisterArray{},
		layout:    newLayout(p),
		parsers:   map[string]*Parser{},
		controls:  map[string]*Control{},
		deparsers: map[string]*Deparser{},
		actions:   map[*bmv2.Action]*action{},
		byName:    map[string]*tableSpec{},
		reads:     readFields(p),
		crcs:      map[string]*customCRC{},
	}
	c := &compiler{Machine: m, arch: arch, registers: map[*bmv2.Register]*RegisterArray{},
		errors: newErrorCodes(p), roundRobin: map[string]*atomic.Uint64{}}
	c.clock = func() uint64 { return 0 }
	if arch != nil {
		c.clock = arch.Now
	}
	c.makeCells()
	steps := []func() error{c.compileActions, c.compileControls, c.compileParsers,
		c.compileDeparsers}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// unsupported reports a construct that decodes but cannot be compiled.
func unsupported(construct string, supported ...string) error {
	return &bmv2.UnsupportedError{Construct: construct, Supported: supported}
}

func (c *compiler) makeCells() {
	for _, k := range c.Program.Counters {
		if !k.Direct {
			c.Counters[k.Name] = newCounterArray(k.Size)
		}
	}
	for _, k := range c.Program.Meters {
		if !k.Direct {
			c.Meters[k.Name] = &MeterArray{make([]Meter, k.Size), k.Bytes}
		}
	}
	for _, r := range c.Program.Registers {
		c.Registers[r.Name] = newRegisterArray(r.Size, r.Width)
		c.registers[r] = c.Registers[r.Name]
	}
}

// Parser returns the parser of the given name, or nil.
func (m *Machine) Parser(name string) *Parser { return m.parsers[name] }

// Control returns the control of the given name, or nil.
func (m *Machine) Control(name string) *Control { return m.controls[name] }

// Deparser returns the deparser of the given name, or nil.
func (m *Machine) Deparser(name string) *Deparser { return m.deparsers[name] }

// Reads reports whether the program ever looks at a field, so that an architecture need not
// fill in what nobody reads.
func (m *Machine) Reads(r bmv2.FieldRef) bool { return m.reads[r] }

// Field returns how an architecture reads and writes a field of up to 64 bits.
func (m *Machine) Field(r bmv2.FieldRef) (Field, error) {
	if r.Width() > 64 {
		return Field{}, fmt.Errorf("field %s has %d bits: want at most 64", r, r.Width())
	}
	p := m.layout.place(r)
	f := Field{bit: p.bit, width: p.width}
	if off, n, ok := p.bytes(); ok {
		f.off, f.bytes = off, n
	}
	return f, nil
}

// Field is a field of up to 64 bits. The zero value reads zero and ignores writes.
type Field struct {
	bit, width int
	off, bytes int // whole bytes, if bytes is not 0
}

// Present reports whether the field exists.
func (f Field) Present() bool { return f.width > 0 }

// Max returns the largest value that fits.
func (f Field) Max() uint64 { return mask(f.width) }

// Get returns the value.
func (f Field) Get(st *State) uint64 {
	switch {
	case f.bytes == 2:
		return uint64(be.Uint16(st.arena[f.off:]))
	case f.bytes == 4:
		return uint64(be.Uint32(st.arena[f.off:]))
	case f.width == 0:
		return 0
	}
	return loadBits(st.arena, f.bit, f.width)
}

// Set stores the low bits of v.
func (f Field) Set(st *State, v uint64) {
	v &= mask(f.width)
	switch {
	case f.bytes == 2:
		be.PutUint16(st.arena[f.off:], uint16(v))
	case f.bytes == 4:
		be.PutUint32(st.arena[f.off:], uint32(v))
	case f.width > 0:
		storeBits(st.arena, f.bit, f.width, v)
	}
}

// Copier returns a function that copies the fields of a list from one packet to another.
// Elements that are constants are skipped.
func (m *Machine) Copier(l *bmv2.FieldList) func(dst, src *State) {
	var places []place
	for _, f := range l.Fields {
		if e, ok := f.Value.(*bmv2.FieldExpr); ok {
			places = append(places, m.layout.place(e.Ref))
			if e.Ref.Var() {
				v := m.layout.headers[e.Ref.Header].vari
				places = append(places, place{bit: 8 * v.length, width: 32, box: 4})
			}
		}
	}
	return func(dst, src *State) {
		for _, p := range places {
			copyAcross(dst.arena, src.arena, p)
		}
	}
}

// copyAcross copies one field between arenas of the same layout.
func copyAcross(dst, src []byte, p place) {
	if off, n, ok := p.bytes(); ok {
		copy(dst[off:off+n], src[off:off+n])
		return
	}
	for done := 0; done < p.width; done += 32 {
		n := min(32, p.width-done)
		storeBits(dst, p.bit+done, n, loadBits(src, p.bit+done, n))
	}
}

// Appender returns a function that appends the value of each field of a list as a big-endian
// byte string of whole bytes. The byte strings follow each other without a gap; sizes holds
// their lengths.
func (m *Machine) Appender(l *bmv2.FieldList) (fn func(st *State, dst []byte) []byte,
	sizes []int, err error) {
	c := &compiler{Machine: m}
	var parts []func(*State, []byte) []byte
	for _, f := range l.Fields {
		part, err := c.bytesOf(f.Value, f.Width)
		if err != nil {
			return nil, nil, fmt.Errorf("list %q: %w", l.Name, err)
		}
		parts = append(parts, part)
		sizes = append(sizes, (f.Width+7)/8)
	}
	return func(st *State, dst []byte) []byte {
		for _, p := range parts {
			dst = p(st, dst)
		}
		return dst
	}, sizes, nil
}

// bytesOf compiles a value to a function that appends its low bits, padded to whole bytes.
func (c *compiler) bytesOf(e bmv2.Expr, width int) (func(*State, []byte) []byte, error) {
	limbs := (width + 63) / 64
	size := (width + 7) / 8
	if f, ok := e.(*bmv2.FieldExpr); ok {
		p := c.layout.place(f.Ref)
		return func(st *State, dst []byte) []byte {
			return appendField(st.arena, p, size, dst)
		}, nil
	}
	k, ok := e.(*bmv2.ConstExpr)
	if !ok {
		return nil, unsupported(fmt.Sprintf("%T in a field list", e), "field", "hexstr")
	}
	var text []byte
	for i, w := range constLimbs(k.Value, limbs) {
		if i == limbs-1 {
			w &= mask(width - 64*i)
		}
		text = slices.Insert(text, 0, be.AppendUint64(nil, w)...)
	}
	text = text[len(text)-size:]
	return func(_ *State, dst []byte) []byte { return append(dst, text...) }, nil
}

// appendField appends a field in size bytes, right-aligned.
func appendField(arena []byte, p place, size int, dst []byte) []byte {
	lead := 8*size - p.width // padding bits in the first byte
	for i := range size {
		bit, n := p.bit+8*i-lead, 8
		if i == 0 {
			bit, n = p.bit, 8-lead
		}
		dst = append(dst, byte(loadBits(arena, bit, n)))
	}
	return dst
}

package bmv2

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

// formatMajor is the major version of the JSON format that this package understands.
const formatMajor = 2

// Bounds on what a program may ask for, so that a damaged file cannot exhaust memory. They are
// far beyond any switch program.
const (
	maxFieldBits  = 2048 // p4c's own limit for bit<W>
	maxCells      = 1 << 24
	maxHeaderBits = 1 << 16
	maxObjects    = 1 << 16
	maxPacketBits = 1 << 21 // of all headers and metadata: each packet has room for them
	maxCellBytes  = 1 << 30 // of all counters, meters and registers
)

// loader resolves names to objects while a program is decoded.
type loader struct {
	prog      *Program
	types     map[string]*HeaderType
	headers   map[string]*Header
	stacks    map[string]*HeaderStack
	unions    map[string]*HeaderUnion
	unionSts  map[string]*UnionStack
	sets      map[string]*ValueSet
	setUsed   map[*ValueSet]bool // by a select
	counters  map[string]*Counter
	meters    map[string]*Meter
	registers map[string]*Register
	calcs     map[string]*Calculation
	actions   map[int]*Action
	keySetup  map[*Table][]Primitive // see computedKey
	params    []Param                // of the action being decoded
	cellBytes int                    // see cells
}

// Load decodes p4c's bmv2 JSON. The error names the first construct that is malformed, or not
// supported (then it matches [ErrUnsupported]).
func Load(data []byte) (*Program, error) {
	var raw rawProgram
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		return nil, decodeError(err)
	}
	if err := checkVersion(raw.Meta.Version); err != nil {
		return nil, err
	}
	if err := refuse(&raw); err != nil {
		return nil, err
	}
	l := &loader{
		prog:      &Program{Name: raw.Program, Compiler: raw.Meta.Compiler},
		types:     map[string]*HeaderType{},
		headers:   map[string]*Header{},
		stacks:    map[string]*HeaderStack{},
		unions:    map[string]*HeaderUnion{},
		unionSts:  map[string]*UnionStack{},
		sets:      map[string]*ValueSet{},
		setUsed:   map[*ValueSet]bool{},
		counters:  map[string]*Counter{},
		meters:    map[string]*Meter{},
		registers: map[string]*Register{},
		calcs:     map[string]*Calculation{},
		actions:   map[int]*Action{},
		keySetup:  map[*Table][]Primitive{},
	}
	copy(l.prog.Version[:], raw.Meta.Version)
	if err := l.load(&raw); err != nil {
		return nil, fmt.Errorf("bmv2 JSON: %w", err)
	}
	return l.prog, nil
}

// load decodes the sections in the order of their dependencies.
func (l *loader) load(raw *rawProgram) error {
	steps := []func(*rawProgram) error{
		l.loadHeaderTypes, l.loadHeaders, l.loadStacks, l.loadUnions, l.loadErrors, l.loadEnums,
		l.loadCounters, l.loadMeters, l.loadRegisters, l.loadCalculations, l.loadActions,
		l.loadPipelines, l.bindCounters, l.loadFieldLists, l.loadChecksums, l.loadValueSets,
		l.loadParsers, l.loadDeparsers,
		l.loadAliases,
	}
	for _, step := range steps {
		if err := step(raw); err != nil {
			return err
		}
	}
	return nil
}

// decodeError rewords the json package's complaint about an attribute we do not list.
func decodeError(err error) error {
	const prefix = "json: unknown field "
	if name, ok := strings.CutPrefix(err.Error(), prefix); ok {
		return fmt.Errorf("bmv2 JSON: %w", unsupported("attribute "+name))
	}
	return fmt.Errorf("bmv2 JSON: %w", err)
}

func checkVersion(v []int) error {
	if len(v) != 2 || v[0] != formatMajor {
		return fmt.Errorf("bmv2 JSON: __meta__.version %v: want [%d, minor]", v, formatMajor)
	}
	return nil
}

// refuse reports the sections that are not implemented, if the program uses them.
func refuse(raw *rawProgram) error {
	sections := []struct {
		kind  string
		found []rawNamed
	}{
		{"extern instance", raw.Externs},
	}
	for _, s := range sections {
		if len(s.found) > 0 {
			return fmt.Errorf("bmv2 JSON: %w",
				unsupported(fmt.Sprintf("%s %q", s.kind, s.found[0].name)))
		}
	}
	return nil
}

// number parses a hexstr: hexadecimal digits with optional "0x" and sign.
func number(s string) (*big.Int, error) {
	digits, negative := strings.CutPrefix(s, "-")
	digits = strings.TrimPrefix(digits, "0x")
	if len(digits) > maxHeaderBits/4 {
		return nil, fmt.Errorf("hexstr of %d digits: too long", len(digits))
	}
	if digits == "" || strings.ContainsAny(digits, "+-_") {
		return nil, fmt.Errorf("hexstr %q: want hexadecimal digits", s)
	}
	v, ok := new(big.Int).SetString(digits, 16)
	if !ok {
		return nil, fmt.Errorf("hexstr %q: want hexadecimal digits", s)
	}
	if negative {
		v.Neg(v)
	}
	return v, nil
}

// cells checks the size of an array whose cells have so many bytes, and of all arrays together.
func (l *loader) cells(n, bytes int) error {
	if n < 0 || n > maxCells {
		return fmt.Errorf("size %d: want 0 to %d", n, maxCells)
	}
	if l.cellBytes += n * bytes; l.cellBytes > maxCellBytes {
		return fmt.Errorf("size %d: all cells together have more than %d bytes", n, maxCellBytes)
	}
	return nil
}

func checkCount(what string, n int) error {
	if n > maxObjects {
		return fmt.Errorf("%d %s: at most %d", n, what, maxObjects)
	}
	return nil
}

// checkUnsigned verifies that v fits a field of the given width.
func checkUnsigned(v *big.Int, width int) error {
	if v.Sign() < 0 || v.BitLen() > width {
		return fmt.Errorf("value 0x%x does not fit %d bits", v, width)
	}
	return nil
}

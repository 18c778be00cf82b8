package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// Compiler is what an [Arch] uses to compile its primitives. It is valid during Compile only;
// the functions it returns are valid for ever.
type Compiler struct{ c *compiler }

// Number compiles a value of which the low 64 bits matter.
func (c *Compiler) Number(e bmv2.Expr) (func(*State) uint64, error) { return c.c.number(e) }

// Index compiles a value that is used as an index or a length: what exceeds 64 bits, or is
// negative, becomes MaxUint64.
func (c *Compiler) Index(e bmv2.Expr) (func(*State) uint64, error) { return c.c.amount(e) }

// Condition compiles a truth value, or a number that counts as true unless it is zero.
func (c *Compiler) Condition(e bmv2.Expr) (func(*State) bool, error) {
	return c.c.truth(e)
}

// Limbs compiles a value of any width. The limbs are little-endian two's complement and belong
// to the State.
func (c *Compiler) Limbs(e bmv2.Expr) (func(*State) []uint64, error) {
	v, err := c.c.exact(e)
	return v.eval, err
}

// Store compiles an assignment of a number that the architecture computes.
func (c *Compiler) Store(dst bmv2.Expr, v func(*State) uint64) (func(*State), error) {
	f, ok := dst.(*bmv2.FieldExpr)
	if !ok {
		return nil, unsupported(fmt.Sprintf("result in %T", dst), "field")
	}
	p := c.c.layout.place(f.Ref)
	if p.width <= 64 {
		return store(p, v), nil
	}
	limbs := c.c.temp((p.width + 63) / 64)
	return func(st *State) {
		wide := limbs.of(st)
		clear(wide)
		wide[0] = v(st)
		storeWide(st.arena, p.bit, p.width, wide)
	}, nil
}

// Counters returns the array that an argument names.
func (c *Compiler) Counters(e bmv2.Expr) (*CounterArray, error) {
	k, ok := e.(*bmv2.CounterExpr)
	if !ok || c.c.Machine.Counters[k.Counter.Name] == nil {
		return nil, unsupported(fmt.Sprintf("%T as an indirect counter array", e))
	}
	return c.c.Machine.Counters[k.Counter.Name], nil
}

// Meters returns the array that an argument names.
func (c *Compiler) Meters(e bmv2.Expr) (*MeterArray, error) {
	k, ok := e.(*bmv2.MeterExpr)
	if !ok || c.c.Machine.Meters[k.Meter.Name] == nil {
		return nil, unsupported(fmt.Sprintf("%T as an indirect meter array", e))
	}
	return c.c.Machine.Meters[k.Meter.Name], nil
}

// ReadRegister compiles dst = array[index]. An index out of range leaves dst alone, as in bmv2.
func (c *Compiler) ReadRegister(dst, array, index bmv2.Expr) (func(*State), error) {
	r, ok := array.(*bmv2.RegisterArrayExpr)
	if !ok {
		return nil, unsupported(fmt.Sprintf("%T as a register array", array))
	}
	at, err := c.c.amount(index)
	if err != nil {
		return nil, err
	}
	cell := &bmv2.RegisterExpr{Register: r.Register, Index: index}
	assign, err := c.c.assign([]bmv2.Expr{dst, cell})
	size := uint64(r.Register.Size)
	return func(st *State) {
		if at(st) < size {
			assign(st)
		}
	}, err
}

// WriteRegister compiles array[index] = value. An index out of range writes nothing.
func (c *Compiler) WriteRegister(array, index, value bmv2.Expr) (func(*State), error) {
	r, ok := array.(*bmv2.RegisterArrayExpr)
	if !ok {
		return nil, unsupported(fmt.Sprintf("%T as a register array", array))
	}
	return c.c.writeCell(r.Register, index, value)
}

func (c *compiler) writeCell(r *bmv2.Register, index, value bmv2.Expr) (op, error) {
	cells := c.cells(r)
	at, err := c.amount(index)
	if err != nil {
		return nil, err
	}
	v, err := c.wide(value, cells.words)
	t := c.temp(cells.words)
	return func(st *State) {
		limbs := t.of(st)
		v(st, limbs)
		i := at(st)
		for k, w := range limbs {
			cells.setWord(i, k, w)
		}
	}, err
}

// Calculation compiles a checksum or hash.
func (c *Compiler) Calculation(e bmv2.Expr) (func(*State) uint64, error) {
	k, ok := e.(*bmv2.CalcExpr)
	if !ok {
		return nil, unsupported(fmt.Sprintf("%T as a calculation", e))
	}
	return c.c.calculation(k.Calc)
}

func (c *compiler) primitiveNames() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(corePrimitives)), maps.Keys(arithmetic))
	names = append(names, "_jump", "_jump_if_zero")
	if c.arch != nil {
		names = append(names, c.arch.Primitives()...)
	}
	slices.Sort(names)
	return names
}

// Machine returns the machine under construction: its fields can be used already.
func (c *Compiler) Machine() *Machine { return c.c.Machine }

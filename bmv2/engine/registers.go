package engine

import (
	"maps"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
)

// registerSet is the register arrays that a part of a program reads or writes.
type registerSet map[*bmv2.Register]bool

// cells returns the cells of an array, and notes that what is being compiled uses them.
func (c *compiler) cells(r *bmv2.Register) *RegisterArray {
	c.touched[r] = true
	return c.registers[r]
}

// noteRegisters begins to note anew and returns the set that fills.
func (c *compiler) noteRegisters() registerSet {
	c.touched = registerSet{}
	return c.touched
}

func (s registerSet) list() []*bmv2.Register {
	return slices.SortedFunc(maps.Keys(s), func(a, b *bmv2.Register) int {
		return strings.Compare(a.Name, b.Name)
	})
}

// Registers returns the register arrays that the control uses, by name.
func (k *Control) Registers() []*bmv2.Register { return k.uses.list() }

// Registers returns the register arrays that the parser uses, by name.
func (p *Parser) Registers() []*bmv2.Register { return p.uses.list() }

// Registers returns the register arrays that the deparser uses, by name.
func (d *Deparser) Registers() []*bmv2.Register { return d.uses.list() }

package bmv2

import (
	"fmt"
	"slices"
)

func (l *loader) loadValueSets(raw *rawProgram) error {
	for _, r := range raw.ValueSets {
		v := &ValueSet{Name: r.Name, ID: r.ID, MaxSize: r.MaxSize}
		err := error(nil)
		switch {
		case l.sets[r.Name] != nil:
			err = fmt.Errorf("declared twice")
		case r.Bits < 1 || r.Bits > maxHeaderBits:
			err = fmt.Errorf("compressed_bitwidth %d: want 1 to %d", r.Bits, maxHeaderBits)
		case r.MaxSize < 0 || r.MaxSize > maxCells:
			err = fmt.Errorf("max_size %d: want 0 to %d", r.MaxSize, maxCells)
		}
		if err != nil {
			return in(err, "parser value set", r.Name)
		}
		v.shape([]int{r.Bits}) // until a select tells better
		l.sets[r.Name] = v
		l.prog.ValueSets = append(l.prog.ValueSets, v)
	}
	return nil
}

// shape sets the widths of the parts of the key.
func (v *ValueSet) shape(parts []int) {
	v.Parts, v.Width = parts, 0
	for _, n := range parts {
		v.Width += (n + 7) / 8 * 8
	}
}

// setTransition decodes the case of a select that a value set decides.
func (l *loader) setTransition(r rawTransition, key []TransitionKey) (t Transition, err error) {
	if r.Value == nil {
		return t, fmt.Errorf("transition without a value set")
	}
	if t.Set = l.sets[*r.Value]; t.Set == nil {
		return t, known(false, "parser value set", *r.Value)
	}
	var parts []int
	total := 0
	for _, k := range key {
		parts = append(parts, k.Width)
		total += k.Width
	}
	if err := l.useSet(t.Set, parts, total); err != nil {
		return t, fmt.Errorf("parser value set %q: %w", t.Set.Name, err)
	}
	if r.Mask != nil {
		return t, unsupported(fmt.Sprintf("mask on parser value set %q", t.Set.Name), "no mask")
	}
	return t, nil
}

// useSet checks that all selects that use a set have the same key.
func (l *loader) useSet(v *ValueSet, parts []int, total int) error {
	declared := 0
	for _, n := range v.Parts {
		declared += n
	}
	if total != declared {
		return fmt.Errorf("the key has %d bits, the set %d", total, declared)
	}
	if l.setUsed[v] && !slices.Equal(v.Parts, parts) {
		return fmt.Errorf("keys with parts of %v and of %v bits", v.Parts, parts)
	}
	l.setUsed[v] = true
	v.shape(parts)
	return nil
}

package v1model

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// ValueSet is what a parser value set holds. Only OpModify applies: it replaces all members.
type ValueSet struct {
	Name    string
	Members []ValueSetMember
	// Meta is kept with the members and returned as it is; the switch does not look at it.
	Meta any
}

// ValueSetMember is met by the keys that are equal to Value where Mask has ones. Both are
// big-endian byte strings over the key of the select, each part of which is padded to whole bytes
// (see [bmv2.ValueSet]). Mask nil: all bits. Bits of Value outside of Mask must be zero.
type ValueSetMember struct{ Value, Mask []byte }

// ValueSet returns what a parser value set holds: its members sorted by value and mask, each in the
// full width, with Mask set only where it is not all ones. It must not be changed.
func (s *Switch) ValueSet(name string) (*ValueSet, error) {
	snap := s.snap.Load()
	i, err := snap.rt.valueSet(name)
	if err != nil {
		return nil, in(err, "parser value set", name)
	}
	return snap.setEntities[i], nil
}

// valueSet returns the position of a value set in the program.
func (rt *runtime) valueSet(name string) (int, error) {
	var names []string
	for i, v := range rt.prog.ValueSets {
		if v.Name == name {
			return i, nil
		}
		names = append(names, v.Name)
	}
	return 0, fmt.Errorf("%w: the program has %s", ErrUnknown, strings.Join(names, ", "))
}

// clearSets gives the snapshot the value sets of a program, without members.
func (s *snapshot) clearSets(p *bmv2.Program) {
	for _, v := range p.ValueSets {
		s.setEntities = append(s.setEntities, &ValueSet{Name: v.Name})
		s.sets = append(s.sets, engine.NewValueSet(v, nil))
	}
}

func (u *update) valueSet(t OpType, v *ValueSet) error {
	if t != OpModify {
		return fmt.Errorf("%w: a parser value set can only be modified", ErrInvalid)
	}
	i, err := u.next.rt.valueSet(v.Name)
	if err != nil {
		return err
	}
	spec := u.next.rt.prog.ValueSets[i]
	clean, err := normalizeSet(spec, v)
	if err != nil {
		return err
	}
	var members []engine.SetMember
	for _, m := range clean.Members {
		members = append(members, engine.SetMember(m))
	}
	u.next.setEntities = slices.Clone(u.next.setEntities)
	u.next.setEntities[i] = clean
	u.next.sets = slices.Clone(u.next.sets)
	u.next.sets[i] = engine.NewValueSet(spec, members)
	return nil
}

// normalizeSet checks the members and brings them to one form.
func normalizeSet(spec *bmv2.ValueSet, v *ValueSet) (*ValueSet, error) {
	if len(v.Members) > spec.MaxSize {
		return nil, fmt.Errorf("%w: %d members, size is %d", ErrTableFull, len(v.Members),
			spec.MaxSize)
	}
	clean := &ValueSet{Name: v.Name, Meta: v.Meta}
	for i, m := range v.Members {
		out, err := normalizeMember(spec, m)
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", i, err)
		}
		clean.Members = append(clean.Members, out)
	}
	order := func(a, b ValueSetMember) int {
		return cmp.Or(bytes.Compare(a.Value, b.Value), bytes.Compare(a.Mask, b.Mask))
	}
	slices.SortFunc(clean.Members, order)
	for i := 1; i < len(clean.Members); i++ {
		if order(clean.Members[i-1], clean.Members[i]) == 0 {
			return nil, fmt.Errorf("%w: member 0x%x twice", ErrInvalid, clean.Members[i].Value)
		}
	}
	return clean, nil
}

func normalizeMember(spec *bmv2.ValueSet, m ValueSetMember) (out ValueSetMember, err error) {
	all := keyBits(spec)
	if out.Value, err = fit(m.Value, spec.Width); err != nil {
		return out, err
	}
	if outside(out.Value, all) {
		return out, fmt.Errorf("%w: 0x%x has bits in the padding, parts have %v bits", ErrWidth,
			m.Value, spec.Parts)
	}
	if m.Mask == nil {
		return out, nil
	}
	if out.Mask, err = fit(m.Mask, spec.Width); err != nil {
		return out, fmt.Errorf("mask: %w", err)
	}
	if outside(out.Value, out.Mask) {
		return out, fmt.Errorf("%w: value 0x%x has bits outside of mask 0x%x", ErrInvalid,
			out.Value, out.Mask)
	}
	if !outside(all, out.Mask) {
		out.Mask = nil
	}
	return out, nil
}

// keyBits returns a byte string over the padded key with ones where a key has bits.
func keyBits(spec *bmv2.ValueSet) (all []byte) {
	for _, n := range spec.Parts {
		all = append(all, ones(n, n)...)
	}
	return all
}

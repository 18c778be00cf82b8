package stf

import (
	"fmt"
	"math/big"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

func (r *run) setValueSet(c SetValueSet) error {
	sets := r.sw.Program().ValueSets
	names := make([]string, len(sets))
	for i, v := range sets {
		names[i] = v.Name
	}
	i, err := pick("parser value set", c.Name, names)
	if err != nil {
		return err
	}
	out := &v1model.ValueSet{Name: names[i]}
	for _, text := range c.Members {
		m, err := member(sets[i], text)
		if err != nil {
			return err
		}
		out.Members = append(out.Members, m)
	}
	return r.sw.SetValueSet(out)
}

// member joins the parts of a member, each of which fills whole bytes.
func member(spec *bmv2.ValueSet, parts []string) (m v1model.ValueSetMember, err error) {
	if len(parts) != len(spec.Parts) {
		return m, fmt.Errorf("member %q of %q: want %d parts", parts, spec.Name, len(spec.Parts))
	}
	for i, text := range parts {
		part, err := ternary(bmv2.KeyField{Width: spec.Parts[i]}, text)
		if err != nil {
			return m, fmt.Errorf("member %q of %q: %w", parts, spec.Name, err)
		}
		size := (spec.Parts[i] + 7) / 8
		for _, v := range [][]byte{part.Value, part.Mask} {
			if len(v) > size {
				return m, fmt.Errorf("member %q of %q: part %d has %d bits", parts, spec.Name, i,
					spec.Parts[i])
			}
		}
		m.Value = append(m.Value, fill(part.Value, size)...)
		m.Mask = append(m.Mask, fill(part.Mask, size)...)
	}
	return m, nil
}

// fill pads a big-endian number to size bytes.
func fill(v []byte, size int) []byte {
	return new(big.Int).SetBytes(v).FillBytes(make([]byte, size))
}

package engine

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// ValueSet is an immutable snapshot of a parser value set.
type ValueSet struct {
	exact  map[string]bool // members without a mask, see limbBytes
	masked []setMember     // the others
}

// setMember is met by keys with these values where the masks have ones; little-endian limbs.
type setMember struct{ values, masks []uint64 }

// SetMember is a member of a parser value set: big-endian byte strings over the padded key. Mask
// nil compares everything.
type SetMember struct{ Value, Mask []byte }

// NewValueSet compiles the members of a parser value set.
func NewValueSet(spec *bmv2.ValueSet, members []SetMember) *ValueSet {
	v := &ValueSet{exact: map[string]bool{}}
	n := (spec.Width + 63) / 64
	for _, m := range members {
		values := wordsOf(m.Value, n)
		if m.Mask == nil {
			v.exact[string(limbBytes(nil, values))] = true
			continue
		}
		masks := wordsOf(m.Mask, n)
		for i, w := range masks {
			values[i] &= w
		}
		v.masked = append(v.masked, setMember{values, masks})
	}
	return v
}

func limbBytes(dst []byte, limbs []uint64) []byte {
	for _, w := range limbs {
		dst = be.AppendUint64(dst, w)
	}
	return dst
}

// contains reports whether a key is a member. buf has room for the key.
func (v *ValueSet) contains(key []uint64, buf []byte) bool {
	if len(v.exact) > 0 && v.exact[string(limbBytes(buf[:0], key))] {
		return true
	}
next:
	for i := range v.masked {
		m := &v.masked[i]
		for j, w := range key {
			if w&m.masks[j] != m.values[j] {
				continue next
			}
		}
		return true
	}
	return false
}

// setStep is a select with value sets.
func (s *parseState) setStep(st *State) *parseState {
	k := s.wide.eval(st)
next:
	for i := range s.cases {
		c := &s.cases[i]
		if c.set > 0 {
			if st.Sets[c.set-1].contains(k, st.keyBuf) {
				st.set = c.set
				return c.next
			}
			continue
		}
		for j, w := range k {
			if w&c.masks[j] != c.values[j] {
				continue next
			}
		}
		return c.next
	}
	return s.other
}

// setCase compiles the case of a select that a value set decides.
func (c *compiler) setCase(t *bmv2.Transition, limbs int, next *parseState) (parseCase, error) {
	i := slices.Index(c.Program.ValueSets, t.Set)
	if i < 0 {
		return parseCase{}, fmt.Errorf("value set %q is not of this program", t.Set.Name)
	}
	c.keyBytes = max(c.keyBytes, 8*limbs)
	return parseCase{set: i + 1, next: next}, nil
}

// chosenBy returns the value set that decided the last transition of the parser, or nil.
func (m *Machine) chosenBy(st *State) *bmv2.ValueSet {
	if st.set == 0 {
		return nil
	}
	return m.Program.ValueSets[st.set-1]
}

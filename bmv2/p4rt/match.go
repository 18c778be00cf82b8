package p4rt

import (
	"bytes"
	"fmt"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/status"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// text returns the message of an error without its code, for an error that is wrapped once more.
func text(err error) string {
	return status.Convert(err).Message()
}

// match translates the condition on one key field. Conditions that match everything must be left
// out by the controller (specification, section "Match Format").
func (f *matchField) match(m *p4v1.FieldMatch) (v1model.Match, error) {
	switch kind := m.GetFieldMatchType().(type) {
	case *p4v1.FieldMatch_Exact_:
		if f.kind == p4config.MatchField_EXACT {
			value, err := fit(kind.Exact.GetValue(), f.width)
			return v1model.Match{Value: value}, err
		}
	case *p4v1.FieldMatch_Optional_:
		if f.kind == p4config.MatchField_OPTIONAL {
			value, err := fit(kind.Optional.GetValue(), f.width)
			return v1model.Match{Value: value, Mask: ones(f.width)}, err
		}
	case *p4v1.FieldMatch_Lpm:
		if f.kind == p4config.MatchField_LPM {
			return f.prefix(kind.Lpm)
		}
	case *p4v1.FieldMatch_Ternary_:
		if f.kind == p4config.MatchField_TERNARY {
			return f.ternary(kind.Ternary)
		}
	case *p4v1.FieldMatch_Range_:
		if f.kind == p4config.MatchField_RANGE {
			return f.interval(kind.Range)
		}
	}
	return v1model.Match{}, invalid("wrong match type, want %v", f.kind)
}

func (f *matchField) prefix(m *p4v1.FieldMatch_LPM) (v1model.Match, error) {
	value, err := fit(m.GetValue(), f.width)
	if err != nil {
		return v1model.Match{}, err
	}
	n := int(m.GetPrefixLen())
	if f.sdn != 0 && n != 0 {
		if n != f.sdn {
			return v1model.Match{}, f.onlyExact("prefix length", f.sdn)
		}
		n = f.width
	}
	switch {
	case n < 0 || n > f.width:
		return v1model.Match{}, invalid("prefix length %d is not in 1..%d", n, f.width)
	case n == 0:
		return v1model.Match{}, invalid("leave the field out instead of a prefix length of 0")
	case !lowBitsZero(value, f.width-n):
		return v1model.Match{}, invalid("value %s has bits beyond its prefix of %d bits", hex(value), n)
	}
	return v1model.Match{Value: value, PrefixLen: n}, nil
}

func (f *matchField) ternary(m *p4v1.FieldMatch_Ternary) (v1model.Match, error) {
	value, err := fit(m.GetValue(), f.width)
	if err != nil {
		return v1model.Match{}, err
	}
	mask, err := f.mask(m.GetMask())
	if err != nil {
		return v1model.Match{}, err
	}
	if bitLen(bytes.TrimLeft(mask, "\x00")) == 0 {
		return v1model.Match{}, invalid("leave the field out instead of a mask of 0")
	}
	for i := range value {
		if value[i]&^mask[i] != 0 {
			return v1model.Match{}, invalid("value %s has bits outside its mask %s", hex(value), hex(mask))
		}
	}
	return v1model.Match{Value: value, Mask: mask}, nil
}

// mask translates the mask of a ternary match. Those of a translated number do not mean the same bits
// here and there.
func (f *matchField) mask(sent []byte) ([]byte, error) {
	if f.sdn == 0 {
		return fit(sent, f.width)
	}
	mask, err := fit(sent, f.sdn)
	switch {
	case err != nil:
		return nil, err
	case bytes.Equal(mask, ones(f.sdn)):
		return ones(f.width), nil
	}
	return nil, f.onlyExact("mask", fmt.Sprintf("%#x", ones(f.sdn)))
}

// onlyExact refuses a condition on a translated number that is not met by exactly one (specification,
// section "Translation of Match Fields").
func (f *matchField) onlyExact(what string, want any) error {
	return invalid("numbers of its translated type can only be matched as a whole: want %s %v",
		what, want)
}

func (f *matchField) interval(m *p4v1.FieldMatch_Range) (v1model.Match, error) {
	low, err := fit(m.GetLow(), f.width)
	if err != nil {
		return v1model.Match{}, err
	}
	high, err := fit(m.GetHigh(), f.width)
	if err != nil {
		return v1model.Match{}, err
	}
	switch {
	case f.sdn != 0 && !bytes.Equal(low, high):
		return v1model.Match{}, f.onlyExact("low and high", "equal")
	case bytes.Compare(low, high) > 0:
		return v1model.Match{}, invalid("low %s is above high %s", hex(low), hex(high))
	case lowBitsZero(low, f.width) && bytes.Equal(high, ones(f.width)):
		return v1model.Match{}, invalid("leave the field out instead of the full range")
	}
	return v1model.Match{Value: low, High: high}, nil
}

// fieldMatch translates a condition for a controller; nil for one that matches everything.
func (f *matchField) fieldMatch(m *v1model.Match) *p4v1.FieldMatch {
	if m.Any {
		return nil
	}
	out := &p4v1.FieldMatch{FieldId: f.id}
	value := canonical(m.Value)
	switch f.kind {
	case p4config.MatchField_EXACT:
		out.FieldMatchType = &p4v1.FieldMatch_Exact_{Exact: &p4v1.FieldMatch_Exact{Value: value}}
	case p4config.MatchField_OPTIONAL:
		out.FieldMatchType = &p4v1.FieldMatch_Optional_{
			Optional: &p4v1.FieldMatch_Optional{Value: value}}
	case p4config.MatchField_LPM:
		out.FieldMatchType = &p4v1.FieldMatch_Lpm{
			Lpm: &p4v1.FieldMatch_LPM{Value: value, PrefixLen: int32(f.sdnPrefix(m.PrefixLen))}}
	case p4config.MatchField_TERNARY:
		out.FieldMatchType = &p4v1.FieldMatch_Ternary_{
			Ternary: &p4v1.FieldMatch_Ternary{Value: value, Mask: canonical(f.sdnMask(m.Mask))}}
	case p4config.MatchField_RANGE:
		out.FieldMatchType = &p4v1.FieldMatch_Range_{
			Range: &p4v1.FieldMatch_Range{Low: value, High: canonical(m.High)}}
	}
	return out
}

// sdnPrefix is the reverse of what prefix does with the length.
func (f *matchField) sdnPrefix(n int) int {
	if f.sdn != 0 {
		return n - f.width + f.sdn
	}
	return n
}

// sdnMask is the reverse of mask.
func (f *matchField) sdnMask(mask []byte) []byte {
	if f.sdn != 0 && bytes.Equal(mask, ones(f.width)) {
		return ones(f.sdn)
	}
	return mask
}

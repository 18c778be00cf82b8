package p4rt

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// maxLeaves bounds the members of a type, nested ones included.
const maxLeaves = 1024

// dataKind is how a value of a type travels in a P4Data message.
type dataKind uint8

const (
	dataBits   dataKind = iota // bit<W>: a byte string
	dataInt                    // int<W>: a byte string in two's complement
	dataBool                   // bool
	dataEnum                   // enum with an underlying type: enum_value
	dataStruct                 // members in a P4StructLike
	dataTuple                  // the same in another field
)

// dataType is the type of a register cell or of a digest message, as P4Info describes it.
type dataType struct {
	kind       dataKind
	width      int  // bits; of single values
	translated bool // the width is that of the controller
	members    []*dataType
}

// typeReader reads types of one P4Info.
type typeReader struct {
	types  *p4config.P4TypeInfo
	leaves int
}

// readType returns the type of an object.
func readType(of object, spec *p4config.P4DataTypeSpec, types *p4config.P4TypeInfo) (*dataType, error) {
	r := &typeReader{types: types}
	t, err := r.read(spec, 0)
	if err != nil {
		return nil, wrap(err, "%q", of.name)
	}
	return t, nil
}

func (r *typeReader) read(spec *p4config.P4DataTypeSpec, depth int) (*dataType, error) {
	const deepest = 16
	if depth > deepest {
		return nil, invalid("its type is nested more than %d deep", deepest)
	}
	if r.leaves++; r.leaves > maxLeaves {
		return nil, invalid("its type has more than %d members", maxLeaves)
	}
	switch t := spec.GetTypeSpec().(type) {
	case *p4config.P4DataTypeSpec_Bitstring:
		return readBits(t.Bitstring)
	case *p4config.P4DataTypeSpec_Bool:
		return &dataType{kind: dataBool, width: 1}, nil
	case *p4config.P4DataTypeSpec_SerializableEnum:
		enum := r.types.GetSerializableEnums()[t.SerializableEnum.GetName()]
		return &dataType{kind: dataEnum, width: int(enum.GetUnderlyingType().GetBitwidth())}, nil
	case *p4config.P4DataTypeSpec_NewType:
		return r.readNew(t.NewType.GetName(), depth)
	case *p4config.P4DataTypeSpec_Struct:
		var members []*p4config.P4DataTypeSpec
		for _, m := range r.types.GetStructs()[t.Struct.GetName()].GetMembers() {
			members = append(members, m.GetTypeSpec())
		}
		return r.readMembers(dataStruct, members, depth)
	case *p4config.P4DataTypeSpec_Tuple:
		return r.readMembers(dataTuple, t.Tuple.GetMembers(), depth)
	}
	return nil, unimplemented("values of its type are not supported; supported are bit, int, bool, " +
		"enum with an underlying type, and structs and tuples of them")
}

func readBits(t *p4config.P4BitstringLikeTypeSpec) (*dataType, error) {
	switch {
	case t.GetBit().GetBitwidth() > 0:
		return &dataType{kind: dataBits, width: int(t.GetBit().GetBitwidth())}, nil
	case t.GetInt().GetBitwidth() > 0:
		return &dataType{kind: dataInt, width: int(t.GetInt().GetBitwidth())}, nil
	}
	return nil, unimplemented("its type is neither bit nor int of at least one bit")
}

// readNew follows a type declaration. A translated one travels as a number of another width; this
// server translates each number to itself.
func (r *typeReader) readNew(name string, depth int) (*dataType, error) {
	t := r.types.GetNewTypes()[name]
	switch {
	case t == nil:
		return nil, invalid("P4Info does not describe its type %q", name)
	case t.GetTranslatedType() == nil:
		return r.read(t.GetOriginalType(), depth+1)
	case t.GetTranslatedType().GetSdnBitwidth() > 0:
		return &dataType{
			kind: dataBits, width: int(t.GetTranslatedType().GetSdnBitwidth()), translated: true,
		}, nil
	}
	return nil, stringTranslation(name)
}

func stringTranslation(name string) error {
	return unimplemented("type %q is translated to strings, which this switch has no mapping for; "+
		"supported are untranslated types and those with an sdn_bitwidth", name)
}

func (r *typeReader) readMembers(
	kind dataKind, members []*p4config.P4DataTypeSpec, depth int,
) (*dataType, error) {
	t := &dataType{kind: kind}
	for _, m := range members {
		member, err := r.read(m, depth+1)
		if err != nil {
			return nil, err
		}
		t.members = append(t.members, member)
	}
	return t, nil
}

// flat appends the single values that the type consists of, in their order.
func (t *dataType) flat(to []*dataType) []*dataType {
	if t.kind != dataStruct && t.kind != dataTuple {
		return append(to, t)
	}
	for _, m := range t.members {
		to = m.flat(to)
	}
	return to
}

// data returns the message for a value whose single values are given as numbers in whole bytes, and
// those that it did not need.
func (t *dataType) data(values [][]byte) (*p4v1.P4Data, [][]byte) {
	switch t.kind {
	case dataStruct, dataTuple:
		like := &p4v1.P4StructLike{Members: make([]*p4v1.P4Data, len(t.members))}
		for i, m := range t.members {
			like.Members[i], values = m.data(values)
		}
		if t.kind == dataStruct {
			return &p4v1.P4Data{Data: &p4v1.P4Data_Struct{Struct: like}}, values
		}
		return &p4v1.P4Data{Data: &p4v1.P4Data_Tuple{Tuple: like}}, values
	}
	return t.single(values[0]), values[1:]
}

func (t *dataType) single(value []byte) *p4v1.P4Data {
	switch t.kind {
	case dataBool:
		return &p4v1.P4Data{Data: &p4v1.P4Data_Bool{Bool: value[len(value)-1]&1 == 1}}
	case dataEnum:
		return &p4v1.P4Data{Data: &p4v1.P4Data_EnumValue{EnumValue: canonical(value)}}
	case dataInt:
		return &p4v1.P4Data{Data: &p4v1.P4Data_Bitstring{Bitstring: canonicalInt(value, t.width)}}
	}
	return &p4v1.P4Data{Data: &p4v1.P4Data_Bitstring{Bitstring: canonical(value)}}
}

// value reads a single value.
func (t *dataType) value(d *p4v1.P4Data) ([]byte, error) {
	switch sent := d.GetData().(type) {
	case *p4v1.P4Data_Bool:
		if t.kind == dataBool {
			if sent.Bool {
				return []byte{1}, nil
			}
			return []byte{0}, nil
		}
	case *p4v1.P4Data_EnumValue:
		if t.kind == dataEnum {
			return fit(sent.EnumValue, t.width)
		}
	case *p4v1.P4Data_Bitstring:
		switch t.kind {
		case dataBits:
			return fit(sent.Bitstring, t.width)
		case dataInt:
			return fitInt(sent.Bitstring, t.width)
		}
	}
	return nil, invalid("the value must be of type %v", t)
}

// String names the type for messages.
func (t *dataType) String() string {
	switch t.kind {
	case dataBool:
		return "bool"
	case dataEnum:
		return "enum_value"
	case dataStruct:
		return "struct"
	case dataTuple:
		return "tuple"
	}
	return "bitstring"
}

package p4rt

import (
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// typeInfo has a struct with members of every supported type.
const typeInfo = `
structs { key: "all_t" value {
  members { name: "a" type_spec { bitstring { bit { bitwidth: 12 } } } }
  members { name: "b" type_spec { bitstring { int { bitwidth: 12 } } } }
  members { name: "c" type_spec { bool {} } }
  members { name: "d" type_spec { serializable_enum { name: "mode_t" } } }
  members { name: "e" type_spec { tuple { members { new_type { name: "port_t" } } members { bool {} } } } }
} }
serializable_enums { key: "mode_t" value { underlying_type { bitwidth: 8 } } }
new_types { key: "port_t" value { original_type { bitstring { bit { bitwidth: 9 } } } } }`

func TestDataTypes(t *testing.T) {
	types := new(p4config.P4TypeInfo)
	if err := prototext.Unmarshal([]byte(typeInfo), types); err != nil {
		t.Fatal(err)
	}
	spec := &p4config.P4DataTypeSpec{TypeSpec: &p4config.P4DataTypeSpec_Struct{
		Struct: &p4config.P4NamedType{Name: "all_t"}}}
	all, err := readType(object{1, "all"}, spec, types)
	if err != nil {
		t.Fatal(err)
	}
	values := [][]byte{{0x00, 0x07}, {0x0f, 0xff}, {1}, {0x42}, {0x01, 0x02}, {0}}
	got, rest := all.data(values)
	want := new(p4v1.P4Data)
	if err := prototext.Unmarshal([]byte(`struct {
		members { bitstring: "\x07" } members { bitstring: "\xff" } members { bool: true }
		members { enum_value: "\x42" }
		members { tuple { members { bitstring: "\x01\x02" } members { bool: false } } } }`), want); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) || len(rest) != 0 {
		t.Errorf("got %v, want %v", got, want)
	}
	// A single value is taken in its own form only.
	for i, single := range all.flat(nil) {
		for j, other := range all.flat(nil) {
			value, err := single.value(other.single(values[j]))
			switch {
			case i == j && (err != nil || string(value) != string(values[i])):
				t.Errorf("value %d: %x, %v", i, value, err)
			case single.String() != other.String() && status.Code(err) != codes.InvalidArgument:
				t.Errorf("value %d taken as %v: %v", j, single, err)
			}
		}
	}
}

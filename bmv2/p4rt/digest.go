package p4rt

import (
	"sync/atomic"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2"
)

// digest is a digest of P4Info, bound to the field list that feeds it.
type digest struct {
	id      uint32
	name    string
	shape   digestShape
	sizes   []int       // bytes of each member
	enabled atomic.Bool // lets workers skip samples that nobody wants
	learner learner     // guarded by Server.learning
}

// digestShape is the P4 type of a sample.
type digestShape uint8

const (
	shapeBits digestShape = iota
	shapeStruct
	shapeTuple
)

func (p *pipeline) bindDigests(info *p4config.P4Info) error {
	for _, d := range info.GetDigests() {
		name := d.GetPreamble().GetName()
		list := learnList(p.program, name)
		if list == nil {
			return invalid("digest %q of P4Info is not in the device config", name)
		}
		bound := &digest{id: d.GetPreamble().GetId(), name: name}
		bound.learner.id = bound.id
		members, err := bound.members(d.GetTypeSpec(), info.GetTypeInfo())
		if err != nil {
			return err
		}
		if len(members) != len(list.Fields) {
			return invalid("digest %q has %d members in P4Info and %d in the device config",
				name, len(members), len(list.Fields))
		}
		for _, f := range list.Fields {
			bound.sizes = append(bound.sizes, (f.Width+7)/8)
		}
		p.digests[bound.id], p.digestOf[list] = bound, bound
		p.digestOrder = append(p.digestOrder, bound)
	}
	return nil
}

func learnList(program *bmv2.Program, name string) *bmv2.FieldList {
	for _, l := range program.LearnLists {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// members returns the types of the members of a sample, all of which must be bit strings.
func (d *digest) members(
	spec *p4config.P4DataTypeSpec, types *p4config.P4TypeInfo,
) ([]*p4config.P4DataTypeSpec, error) {
	var members []*p4config.P4DataTypeSpec
	switch kind := spec.GetTypeSpec().(type) {
	case *p4config.P4DataTypeSpec_Bitstring:
		d.shape = shapeBits
		return []*p4config.P4DataTypeSpec{spec}, nil
	case *p4config.P4DataTypeSpec_Struct:
		d.shape = shapeStruct
		for _, m := range types.GetStructs()[kind.Struct.GetName()].GetMembers() {
			members = append(members, m.GetTypeSpec())
		}
	case *p4config.P4DataTypeSpec_Tuple:
		d.shape = shapeTuple
		members = kind.Tuple.GetMembers()
	default:
		return nil, unimplemented("digest %q: the type must be a bit string, a struct or a tuple", d.name)
	}
	for _, m := range members {
		if m.GetBitstring() == nil {
			return nil, unimplemented("digest %q: members must be bit strings", d.name)
		}
	}
	return members, nil
}

// data turns the members of a sample, one after the other, into the form of P4Runtime. It keeps the
// bytes.
func (d *digest) data(sample []byte) *p4v1.P4Data {
	members := make([]*p4v1.P4Data, len(d.sizes))
	for i, n := range d.sizes {
		value := canonical(sample[:n])
		members[i] = &p4v1.P4Data{Data: &p4v1.P4Data_Bitstring{Bitstring: value}}
		sample = sample[n:]
	}
	switch d.shape {
	case shapeStruct:
		return &p4v1.P4Data{Data: &p4v1.P4Data_Struct{Struct: &p4v1.P4StructLike{Members: members}}}
	case shapeTuple:
		return &p4v1.P4Data{Data: &p4v1.P4Data_Tuple{Tuple: &p4v1.P4StructLike{Members: members}}}
	}
	return members[0]
}

func (p *pipeline) digest(id uint32) (*digest, error) {
	if d := p.digests[id]; d != nil {
		return d, nil
	}
	return nil, invalid("no digest has the id %#x", id)
}

package p4rt

import (
	"sync/atomic"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2"
)

// digest is a digest of P4Info, bound to the field list that feeds it.
type digest struct {
	object
	data    *dataType
	sizes   []int       // bytes of each single value
	enabled atomic.Bool // lets workers skip samples that nobody wants
	learner learner     // guarded by Server.learning
}

func (p *pipeline) bindDigests(info *p4config.P4Info) error {
	for _, d := range info.GetDigests() {
		o, err := p.names.claim("digest", d.GetPreamble())
		if err != nil {
			return err
		}
		list := learnList(p.program, o.name)
		if list == nil {
			return invalid("digest %q of P4Info is not in the device config", o.name)
		}
		data, err := readType(o, d.GetTypeSpec(), info.GetTypeInfo())
		if err != nil {
			return err
		}
		single := data.flat(nil)
		if len(single) != len(list.Fields) {
			return invalid("digest %q has %d members in P4Info and %d in the device config",
				o.name, len(single), len(list.Fields))
		}
		bound := &digest{object: o, data: data}
		bound.learner.id = o.id
		for i, f := range list.Fields {
			bound.sizes = append(bound.sizes, (f.Width+7)/8)
			if single[i].width != f.Width && !single[i].translated {
				return invalid("digest %q, member %d has %d bits in P4Info and %d in the device config",
					o.name, i, single[i].width, f.Width)
			}
		}
		p.digestOf[list] = bound
		p.digests.add(bound)
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

// message turns the single values of a sample, one after the other, into the form of P4Runtime. It
// keeps the bytes.
func (d *digest) message(sample []byte) *p4v1.P4Data {
	values := make([][]byte, len(d.sizes))
	for i, n := range d.sizes {
		values[i] = sample[:n:n]
		sample = sample[n:]
	}
	data, _ := d.data.data(values)
	return data
}

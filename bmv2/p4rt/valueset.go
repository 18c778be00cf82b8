package p4rt

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// valueSet is a parser value set.
type valueSet struct {
	object
	fields []matchField
}

func (p *pipeline) bindSets(info *p4config.P4Info) error {
	for _, v := range info.GetValueSets() {
		o, err := p.names.claim("value set", v.GetPreamble())
		if err != nil {
			return err
		}
		live := p.program.ValueSet(o.name)
		switch {
		case live == nil:
			return invalid("value set %q of P4Info is not in the device config", o.name)
		case len(live.Parts) != len(v.GetMatch()):
			return invalid("value set %q has %d match fields in P4Info and %d in the device config",
				o.name, len(v.GetMatch()), len(live.Parts))
		case int(v.GetSize()) > live.MaxSize:
			return invalid("value set %q has size %d in P4Info and %d in the device config",
				o.name, v.GetSize(), live.MaxSize)
		}
		bound := &valueSet{object: o}
		for i, f := range v.GetMatch() {
			m, err := newMatchField(f, live.Parts[i], info.GetTypeInfo())
			if err != nil {
				return wrap(err, "value set %q", o.name)
			}
			if m.kind == p4config.MatchField_RANGE {
				return unimplemented("value set %q: matches by range are not supported", o.name)
			}
			bound.fields = append(bound.fields, m)
		}
		p.sets.add(bound)
	}
	return nil
}

// valueSet replaces all members of a set. The message is kept, in its canonical form, because a
// controller must read what it wrote.
func (b *batch) valueSet(kind p4v1.Update_Type, e *p4v1.ValueSetEntry) error {
	v, err := b.p.sets.get(e.GetValueSetId())
	if err != nil {
		return err
	}
	if err := onlyModify(kind, "value set", v.name); err != nil {
		return err
	}
	message := &p4v1.ValueSetEntry{ValueSetId: v.id}
	out := &v1model.ValueSet{Name: v.name, Meta: message}
	seen := make(map[string]bool)
	for i, sent := range e.GetMembers() {
		match, err := matches(v.fields, sent.GetMatch())
		if err != nil {
			return wrap(err, "value set %q, member %d", v.name, i)
		}
		m := v.member(match)
		if key := string(m.Value) + string(m.Mask); seen[key] {
			return status.Errorf(codes.AlreadyExists, "value set %q: member %d is there twice", v.name, i)
		} else {
			seen[key] = true
		}
		out.Members = append(out.Members, m)
		message.Members = append(message.Members,
			&p4v1.ValueSetMember{Match: fieldMatches(v.fields, match)})
	}
	b.op(v1model.OpModify, out)
	return nil
}

// member joins the parts of a key, each of which the switch pads to whole bytes.
func (v *valueSet) member(match []v1model.Match) v1model.ValueSetMember {
	var m v1model.ValueSetMember
	for i := range v.fields {
		width := v.fields[i].width
		value, mask := match[i].Value, ones(width)
		switch {
		case match[i].Any:
			value, mask = make([]byte, len(mask)), make([]byte, len(mask))
		case v.fields[i].kind == p4config.MatchField_TERNARY:
			mask = match[i].Mask
		case v.fields[i].kind == p4config.MatchField_LPM:
			mask = prefixMask(width, match[i].PrefixLen)
		}
		m.Value = append(m.Value, value...)
		m.Mask = append(m.Mask, mask...)
	}
	return m
}

// prefixMask returns a number of the given width whose highest n bits are set.
func prefixMask(width, n int) []byte {
	out := ones(width)
	for i := range width - n {
		out[len(out)-1-i/8] &^= 1 << (i % 8)
	}
	return out
}

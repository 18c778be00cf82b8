package p4rt

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
)

// object is what all objects of P4Info have: an id, which controllers use, and a name, which the
// switch knows.
type object struct {
	id   uint32
	name string
}

func (o *object) objectID() uint32 { return o.id }

// objects are all objects of one kind, in the order of P4Info.
type objects[T interface{ objectID() uint32 }] struct {
	kind string // for messages
	list []T
	byID map[uint32]T
}

// add files an object; ids that are taken were refused by [names.claim].
func (o *objects[T]) add(x T) {
	if o.byID == nil {
		o.byID = make(map[uint32]T)
	}
	o.byID[x.objectID()] = x
	o.list = append(o.list, x)
}

// get returns the object with an id that a controller sent.
func (o *objects[T]) get(id uint32) (T, error) {
	x, ok := o.byID[id]
	if !ok {
		return x, invalid("no %s has the id %#x", o.kind, id)
	}
	return x, nil
}

// wanted returns the objects that a read is about: one, or with id 0 all, as far as the role may
// see them.
func (o *objects[T]) wanted(id uint32, allowed *scope) ([]T, error) {
	if id != 0 {
		x, err := o.get(id)
		if err != nil || !allowed.allows(id) {
			return nil, err
		}
		return []T{x}, nil
	}
	if allowed == nil {
		return o.list, nil
	}
	var out []T
	for _, x := range o.list {
		if allowed.allows(x.objectID()) {
			out = append(out, x)
		}
	}
	return out, nil
}

// names are the ids and names that a P4Info has used so far.
type names struct {
	ids   map[uint32]string
	named map[string]bool // kind and name
}

// claim returns the object of a preamble, and refuses ids and names that are missing or taken.
func (n *names) claim(kind string, p *p4config.Preamble) (object, error) {
	o := object{p.GetId(), p.GetName()}
	switch {
	case o.name == "":
		return o, invalid("P4Info: a %s with id %#x has no name", kind, o.id)
	case o.id == 0:
		return o, invalid("P4Info: %s %q has no id", kind, o.name)
	case n.ids[o.id] != "":
		return o, invalid("P4Info: %s %q has id %#x, and so has %s", kind, o.name, o.id, n.ids[o.id])
	case n.named[kind+" "+o.name]:
		return o, invalid("P4Info: two objects are called %s %q", kind, o.name)
	}
	if n.ids == nil {
		n.ids, n.named = make(map[uint32]string), make(map[string]bool)
	}
	n.ids[o.id], n.named[kind+" "+o.name] = kind+" "+o.name, true
	return o, nil
}

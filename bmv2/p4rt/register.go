package p4rt

import (
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

func (p *pipeline) register(id uint32) (*register, error) {
	if r := p.registers[id]; r != nil {
		return r, nil
	}
	return nil, invalid("no register has the id %#x", id)
}

// writeRegister sets one cell. Unlike the rest of a batch it takes effect at once, as registers
// belong to the packets' state and not to the snapshot of the tables.
func (p *pipeline) writeRegister(kind p4v1.Update_Type, e *p4v1.RegisterEntry) error {
	r, err := p.register(e.GetRegisterId())
	if err != nil {
		return err
	}
	if kind != p4v1.Update_MODIFY {
		return invalid("register %q: update type %v, registers take MODIFY only", r.name, kind)
	}
	if e.GetIndex() == nil {
		return unimplemented("register %q: writing all cells at once is not supported", r.name)
	}
	i, err := cell(r.name, e.GetIndex(), r.size)
	if err != nil {
		return err
	}
	sent, ok := e.GetData().GetData().(*p4v1.P4Data_Bitstring)
	if !ok {
		return unimplemented("register %q: only bit strings can be written", r.name)
	}
	value, err := fit(sent.Bitstring, r.width)
	if err != nil {
		return invalid("register %q: %s", r.name, text(err))
	}
	return fromEngine(p.sw.WriteRegister(r.name, i, value))
}

// readRegister emits one cell, or all when no index is given.
func (p *pipeline) readRegister(e *p4v1.RegisterEntry, emit emitter) error {
	r, err := p.register(e.GetRegisterId())
	if err != nil {
		return err
	}
	first, last := 0, r.size-1
	if e.GetIndex() != nil {
		i, err := cell(r.name, e.GetIndex(), r.size)
		if err != nil {
			return err
		}
		first, last = i, i
	}
	for i := first; i <= last; i++ {
		value, err := p.sw.ReadRegister(r.name, i)
		if err != nil {
			return fromEngine(err)
		}
		err = emit(&p4v1.Entity{Entity: &p4v1.Entity_RegisterEntry{RegisterEntry: &p4v1.RegisterEntry{
			RegisterId: r.id,
			Index:      &p4v1.Index{Index: int64(i)},
			Data:       &p4v1.P4Data{Data: &p4v1.P4Data_Bitstring{Bitstring: canonical(value)}},
		}}})
		if err != nil {
			return err
		}
	}
	return nil
}

package p4rt

import (
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// register sets one cell, or all when there is no index.
func (b *batch) register(kind p4v1.Update_Type, e *p4v1.RegisterEntry) error {
	r, err := b.p.registers.get(e.GetRegisterId())
	if err != nil {
		return err
	}
	if err := onlyModify(kind, "register", r.name); err != nil {
		return err
	}
	i, err := cell(&r.object, e.GetIndex(), r.size)
	if err != nil {
		return err
	}
	value, err := r.data.value(e.GetData())
	if err != nil {
		return wrap(err, "register %q", r.name)
	}
	b.live = append(b.live, b.now)
	b.op(v1model.OpModify, &v1model.RegisterCell{Register: r.name, Index: i, Value: value})
	return nil
}

package v1model

import (
	"math/big"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// RegisterAccess is a cell of a register array that was read or written.
type RegisterAccess struct {
	Name  string `json:"name"`
	Index uint64 `json:"index"`
	Write bool   `json:"write"`
	// Value is what the cell holds then; empty if the index is out of range, and nothing happens.
	Value Bytes `json:"value,omitempty"`
}

// Result is a number that an extern made.
type Result struct {
	Extern string `json:"extern"`         // hash or random
	Algo   string `json:"algo,omitempty"` // of a hash
	Value  Bytes  `json:"value"`
}

// Sample is a digest message.
type Sample struct {
	Name   string  `json:"name"`
	Fields []Field `json:"fields"`
}

// recorderOf returns who follows a packet; nil if nobody does, or it is only looked at.
func recorderOf(st *engine.State) *recorder {
	r, _ := st.Watcher.(*recorder)
	return r
}

// glance is the Watcher of a packet that is parsed only to see whether anybody follows it, and will be
// parsed again.
type glance struct{}

// glanced reports whether the packet is in such a parser.
func glanced(st *engine.State) bool { return st.Watcher == glance{} }

// tellingRegister makes access tell which cell it read or wrote.
func tellingRegister(
	c *engine.Compiler, array, index bmv2.Expr, write bool, access compiled,
) (compiled, error) {
	at, err := c.Index(index)
	if err != nil {
		return nil, err
	}
	name := array.(*bmv2.RegisterArrayExpr).Register.Name // access exists for nothing else
	cells := c.Machine().Registers[name]
	return func(st *engine.State) {
		if st.Watcher == nil {
			access(st)
			return
		}
		x := &RegisterAccess{Name: name, Index: at(st), Write: write} // before access changes the index
		access(st)
		if x.Index < uint64(cells.Size()) {
			x.Value, _ = cells.Bytes(int(x.Index)) // the index is in range
		}
		recorderOf(st).step(Step{Register: x})
	}, nil
}

// tellingNumber makes a function tell the number that it returns.
func tellingNumber(extern, algo string, f func(*engine.State) uint64) func(*engine.State) uint64 {
	return func(st *engine.State) uint64 {
		v := f(st)
		if st.Watcher != nil {
			number := new(big.Int).SetUint64(v).FillBytes(make([]byte, 8))
			recorderOf(st).step(Step{Result: &Result{extern, algo, number}})
		}
		return v
	}
}

// sample tells a digest.
func (r *recorder) sample(list *bmv2.FieldList, values [][]byte) {
	s := &Sample{Name: list.Name}
	for i, v := range values {
		s.Fields = append(s.Fields, Field{list.Fields[i].Name, append(Bytes(nil), v...)})
	}
	r.step(Step{Digest: s})
}

package v1model

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// runtime is a compiled program with everything the architecture needs to run it.
type runtime struct {
	prog     *bmv2.Program
	machine  *engine.Machine
	parser   *engine.Parser
	deparser *engine.Deparser
	ingress  *engine.Control
	egress   *engine.Control
	meta     *metadata
	lists    map[uint64]func(dst, src *engine.State) // by id of field list
	digests  map[uint64]*digest                      // by id of learn list
	locks    *locks
}

// digest knows how to collect the values of a learn list.
type digest struct {
	list  *bmv2.FieldList
	fill  func(st *engine.State, dst []byte) []byte
	sizes []int // bytes
}

// Verify reports whether a switch could run prog.
func Verify(prog *bmv2.Program) error {
	cfg, err := Config{}.withDefaults()
	if err != nil {
		return err
	}
	_, err = newRuntime(prog, &cfg)
	return err
}

func newRuntime(prog *bmv2.Program, cfg *Config) (*runtime, error) {
	m, err := engine.Compile(prog, &arch{cfg})
	if err != nil {
		return nil, err
	}
	rt := &runtime{
		prog: prog, machine: m,
		parser: m.Parser("parser"), deparser: m.Deparser("deparser"),
		ingress: m.Control("ingress"), egress: m.Control("egress"),
		lists:   map[uint64]func(dst, src *engine.State){},
		digests: map[uint64]*digest{},
	}
	if rt.parser == nil || rt.deparser == nil || rt.ingress == nil || rt.egress == nil {
		return nil, fmt.Errorf("program %q is not for v1model: want a parser named \"parser\", "+
			"a deparser named \"deparser\", and pipelines \"ingress\" and \"egress\"", prog.Name)
	}
	if rt.meta, err = newMetadata(m); err != nil {
		return nil, err
	}
	for _, l := range prog.FieldLists {
		rt.lists[uint64(l.ID)] = m.Copier(l)
	}
	for _, l := range prog.LearnLists {
		fill, sizes, err := m.Appender(l)
		if err != nil {
			return nil, err
		}
		rt.digests[uint64(l.ID)] = &digest{l, fill, sizes}
	}
	rt.locks = newLocks(rt)
	return rt, nil
}

// copyList copies the fields of a list; an unknown id names no fields.
func (rt *runtime) copyList(id uint64, dst, src *engine.State) {
	if fn := rt.lists[id]; fn != nil {
		fn(dst, src)
	}
}

// errorName returns the name of a parser error.
func (rt *runtime) errorName(value uint32) string {
	for _, e := range rt.prog.Errors {
		if e.Value == value {
			return e.Name
		}
	}
	return fmt.Sprintf("error %d", value)
}

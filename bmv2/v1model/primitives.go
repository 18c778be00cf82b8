package v1model

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// Words of engine.State.Regs: what primitives leave for the end of the control. Zero means that
// the primitive was not called; ids are kept with requested added, since 0 is a valid id.
const (
	regClone       = iota // clone session
	regCloneList          // its field list
	regResubmit           // field list
	regRecirculate        // field list
	regDigest             // learn list
	regTruncate           // bytes
	regFailed             // an assertion failed
)

const requested = 1 << 32

// arch implements engine.Arch.
type arch struct{ cfg *Config }

type (
	args     = []bmv2.Expr
	compile  = func(*arch, *engine.Compiler, args) (func(*engine.State), error)
	compiled = func(*engine.State)
)

// primitives are the externs of v1model as p4c names them, and those of P4_14 that still appear.
var primitives = map[string]struct {
	args    int
	compile compile
}{
	"mark_to_drop":                        {1, (*arch).markToDrop},
	"drop":                                {0, (*arch).drop},
	"clone_ingress_pkt_to_egress":         {2, (*arch).clone},
	"clone_egress_pkt_to_egress":          {2, (*arch).clone},
	"resubmit":                            {1, request(regResubmit)},
	"recirculate":                         {1, request(regRecirculate)},
	"truncate":                            {1, (*arch).truncate},
	"generate_digest":                     {2, (*arch).digest},
	"count":                               {2, (*arch).count},
	"execute_meter":                       {3, (*arch).executeMeter},
	"register_read":                       {3, (*arch).registerRead},
	"register_write":                      {3, (*arch).registerWrite},
	"modify_field_with_hash_based_offset": {4, (*arch).hash},
	"modify_field_rng_uniform":            {3, (*arch).random},
	"assert":                              {1, assertion("assert")},
	"assume":                              {1, assertion("assume")},
	"log_msg":                             {2, (*arch).log},
	"no_op":                               {0, (*arch).noOp},
}

// Now implements engine.Arch.
func (a *arch) Now() uint64 { return a.cfg.Now() }

// Primitives implements engine.Arch.
func (a *arch) Primitives() []string { return slices.Collect(maps.Keys(primitives)) }

// Random implements engine.Arch.
func (a *arch) Random() uint64 { return a.cfg.Rand() }

// Primitive implements engine.Arch.
func (a *arch) Primitive(c *engine.Compiler, p *bmv2.Primitive) (func(*engine.State), error) {
	known, ok := primitives[p.Op]
	if !ok {
		return nil, nil
	}
	if len(p.Args) != known.args {
		return nil, fmt.Errorf("%d arguments: want %d", len(p.Args), known.args)
	}
	return known.compile(a, c, p.Args)
}

// drop sets egress_spec to the drop port and cancels multicast.
func (a *arch) drop(c *engine.Compiler, _ args) (compiled, error) {
	spec, err := fieldOf(c, "standard_metadata", "egress_spec")
	if err != nil {
		return nil, err
	}
	group, err := fieldOf(c, "intrinsic_metadata", "mcast_grp")
	if err != nil {
		group, _ = fieldOf(c, "standard_metadata", "mcast_grp") // absent: ignores writes
	}
	return a.dropping(spec, group), nil
}

func (a *arch) dropping(spec, group engine.Field) compiled {
	port := uint64(a.cfg.DropPort)
	return func(st *engine.State) {
		spec.Set(st, port)
		group.Set(st, 0)
	}
}

// markToDrop does the same to the struct that it is given. p4c copies standard metadata to a struct
// of its own and back where an action takes it as a parameter.
func (a *arch) markToDrop(c *engine.Compiler, in args) (compiled, error) {
	whole, ok := in[0].(*bmv2.HeaderExpr)
	if !ok || whole.Header.Type.FieldIndex("egress_spec") < 0 {
		return nil, errors.New("want a struct with a field egress_spec")
	}
	m := c.Machine()
	spec, err := m.Field(bmv2.FieldRef{
		Header: whole.Header, Index: whole.Header.Type.FieldIndex("egress_spec")})
	if err != nil {
		return nil, err
	}
	var group engine.Field // absent: ignores writes
	if i := whole.Header.Type.FieldIndex("mcast_grp"); i >= 0 {
		group, err = m.Field(bmv2.FieldRef{Header: whole.Header, Index: i})
	}
	return a.dropping(spec, group), err
}

func fieldOf(c *engine.Compiler, header, name string) (engine.Field, error) {
	m := c.Machine()
	ref, ok := m.Program.Field(header, name)
	if !ok {
		return engine.Field{}, fmt.Errorf("program %q has no field %s.%s",
			m.Program.Name, header, name)
	}
	return m.Field(ref)
}

// request compiles a primitive that stores its only argument for the end of the control.
func request(reg int) compile {
	return func(_ *arch, c *engine.Compiler, in args) (compiled, error) {
		v, err := c.Index(in[0])
		return func(st *engine.State) { st.Regs[reg] = requested | v(st)&(requested-1) }, err
	}
}

// truncate cuts the packet to a length; the smallest one wins. As in simple_switch, checksums that
// are updated afterwards see no more of the payload than that.
func (a *arch) truncate(c *engine.Compiler, in args) (compiled, error) {
	length, err := c.Index(in[0])
	return func(st *engine.State) {
		n := requested | min(length(st), requested-1)
		if old := st.Regs[regTruncate]; old == 0 || n < old {
			st.Regs[regTruncate] = n
			st.PayloadEnd = int(n&^requested) + 1
		}
	}, err
}

// clone takes a session and a field list.
func (a *arch) clone(c *engine.Compiler, in args) (compiled, error) {
	session, err := c.Index(in[0])
	if err != nil {
		return nil, err
	}
	list, err := c.Index(in[1])
	return func(st *engine.State) {
		st.Regs[regClone] = requested | session(st)&0x7fff // bmv2 keeps 15 bits
		st.Regs[regCloneList] = list(st) & 0xffff
	}, err
}

// digest takes a receiver, which v1model ignores, and a learn list.
func (a *arch) digest(c *engine.Compiler, in args) (compiled, error) {
	list, err := c.Index(in[1])
	return func(st *engine.State) { st.Regs[regDigest] = requested | list(st)&0xffff }, err
}

func (a *arch) count(c *engine.Compiler, in args) (compiled, error) {
	cells, err := c.Counters(in[0])
	if err != nil {
		return nil, err
	}
	index, err := c.Index(in[1])
	name := in[0].(*bmv2.CounterExpr).Counter.Name // cells exist for nothing else
	return func(st *engine.State) {
		i := index(st)
		if cell := cells.Cell(i); cell != nil {
			cell.Add(len(st.Packet()))
		}
		if st.Watcher != nil {
			recorderOf(st).count(name, i)
		}
	}, err
}

// executeMeter takes an array, an index and the field for the colour. An index out of range leaves the
// field alone.
func (a *arch) executeMeter(c *engine.Compiler, in args) (compiled, error) {
	cells, err := c.Meters(in[0])
	if err != nil {
		return nil, err
	}
	index, err := c.Index(in[1])
	if err != nil {
		return nil, err
	}
	now, name := a.cfg.Now, in[0].(*bmv2.MeterExpr).Meter.Name // cells exist for nothing else
	color := func(st *engine.State) uint64 {
		i := index(st)
		color := cells.Cell(i).Color(now, cells.Units(st))
		if st.Watcher != nil {
			recorderOf(st).meter(name, i, color)
		}
		return color
	}
	store, err := c.Store(in[2], color)
	size := uint64(cells.Size())
	return func(st *engine.State) {
		if index(st) < size {
			store(st)
		}
	}, err
}

func (a *arch) registerRead(c *engine.Compiler, in args) (compiled, error) {
	read, err := c.ReadRegister(in[0], in[1], in[2])
	if err != nil {
		return nil, err
	}
	return tellingRegister(c, in[1], in[2], false, read)
}

func (a *arch) registerWrite(c *engine.Compiler, in args) (compiled, error) {
	write, err := c.WriteRegister(in[0], in[1], in[2])
	if err != nil {
		return nil, err
	}
	return tellingRegister(c, in[0], in[1], true, write)
}

// hash computes dst = base + calculation % size.
func (a *arch) hash(c *engine.Compiler, in args) (compiled, error) {
	base, err := c.Number(in[1])
	if err != nil {
		return nil, err
	}
	sum, err := c.Calculation(in[2])
	if err != nil {
		return nil, err
	}
	size, err := c.Number(in[3])
	if err != nil {
		return nil, err
	}
	algo := in[2].(*bmv2.CalcExpr).Calc.Algo // sum exists for nothing else
	return c.Store(in[0], tellingNumber("hash", algo, func(st *engine.State) uint64 {
		return base(st) + sum(st)%max(size(st), 1)
	}))
}

// random computes a number from lo to hi, both inclusive. It writes nothing when lo > hi.
func (a *arch) random(c *engine.Compiler, in args) (compiled, error) {
	lo, err := c.Number(in[1])
	if err != nil {
		return nil, err
	}
	hi, err := c.Number(in[2])
	if err != nil {
		return nil, err
	}
	random := a.cfg.Rand
	store, err := c.Store(in[0], tellingNumber("random", "", func(st *engine.State) uint64 {
		span := hi(st) - lo(st) + 1 // 0: all 64-bit numbers
		if span == 0 {
			return random()
		}
		return lo(st) + random()%span
	}))
	return func(st *engine.State) {
		if lo(st) <= hi(st) {
			store(st)
		}
	}, err
}

// assertion marks the packet if its condition does not hold; it is dropped and counted at the end of
// the control. simple_switch would abort the whole process.
func assertion(name string) compile {
	return func(_ *arch, c *engine.Compiler, in args) (compiled, error) {
		ok, err := c.Condition(in[0])
		return func(st *engine.State) {
			if ok(st) {
				return
			}
			st.Regs[regFailed] = requested
			if st.Watcher != nil {
				recorderOf(st).step(Step{Failed: name})
			}
		}, err
	}
}

func (a *arch) noOp(*engine.Compiler, args) (compiled, error) {
	return func(*engine.State) {}, nil
}

package stf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// run is a test in progress.
type run struct {
	sw      *v1model.Switch
	worker  *v1model.Worker
	output  map[uint16][][]byte // frames that left, by port
	expects map[uint16][]numbered
	any     map[uint16]bool // ports on which everything is allowed
	ports   map[uint16]bool // ports that the test mentions: others are not connected
	nothing bool            // no_packet was said
	line    int             // of the command under way
	labels  map[string]*v1model.Entry
	nodes   []node
	groups  map[uint16][]int // nodes of a group
	byGroup map[uint16]uint16
}

// node is a multicast node: copies with one instance for several ports.
type node struct {
	instance uint16
	ports    []uint16
}

// Run executes a test on a switch, which should be fresh. The error says which line failed, or is a
// [Mismatch] of the frames that left.
func Run(sw *v1model.Switch, f *File) error {
	r := newRun(sw)
	for _, s := range f.Steps {
		r.line = s.Line
		if err := r.step(s.Command); err != nil {
			return fmt.Errorf("%s:%d: %w", f.Name, s.Line, err)
		}
	}
	err := r.compare()
	if m := (*Mismatch)(nil); errors.As(err, &m) {
		m.Test = f.Name
	}
	return err
}

func newRun(sw *v1model.Switch) *run {
	return &run{sw: sw, worker: sw.NewWorker(), output: map[uint16][][]byte{},
		expects: map[uint16][]numbered{}, any: map[uint16]bool{}, ports: map[uint16]bool{},
		labels: map[string]*v1model.Entry{}, groups: map[uint16][]int{},
		byGroup: map[uint16]uint16{}}
}

// Fill executes only the commands of a test that fill a switch: entries, default actions, multicast
// groups, clone sessions, counters and registers. So a test can be the configuration of a switch as
// well. What is said of packets is left out.
func Fill(sw *v1model.Switch, f *File) error {
	r := newRun(sw)
	for _, s := range f.Steps {
		switch s.Command.(type) {
		case Packet, Expect, NoPacket, CheckCounter, Wait:
			continue
		}
		if err := r.step(s.Command); err != nil {
			return fmt.Errorf("%s:%d: %w", f.Name, s.Line, err)
		}
	}
	return nil
}

func (r *run) step(c Command) error {
	switch c := c.(type) {
	case Packet:
		r.ports[c.Port] = true
		r.worker.Process(c.Port, c.Data, func(port uint16, frame []byte) {
			r.output[port] = append(r.output[port], append([]byte(nil), frame...))
		})
	case Expect:
		r.expect(c)
	case NoPacket:
		r.nothing = true
	case Add:
		return r.add(c)
	case SetDefault:
		return r.setDefault(c)
	case SetValueSet:
		return r.setValueSet(c)
	case RemoveAll:
		return r.removeAll()
	case CheckCounter:
		return r.checkCounter(c)
	case WriteCounter:
		return r.sw.WriteCounter(c.Counter, c.Index,
			v1model.CounterValue{Packets: c.Packets, Bytes: c.Bytes})
	case SetMeter:
		return r.setMeter(c)
	case WriteRegister:
		return r.writeRegister(c)
	case Wait:
	default:
		return r.replication(c)
	}
	return nil
}

func (r *run) expect(e Expect) {
	r.ports[e.Port] = true
	if e.Any {
		r.any[e.Port] = true
		return
	}
	r.expects[e.Port] = append(r.expects[e.Port], numbered{e, r.line})
}

func (r *run) add(c Add) error {
	t, err := findTable(r.sw.Program(), c.Table)
	if err != nil {
		return err
	}
	e := &v1model.Entry{Table: t.Name, Match: make([]v1model.Match, len(t.Key))}
	for i, k := range t.Key {
		e.Match[i].Any = k.Kind != bmv2.MatchExact
	}
	for _, m := range c.Match {
		i, err := findKey(t, m.Name)
		if err != nil {
			return err
		}
		if e.Match[i], err = match(t.Key[i], m.Value); err != nil {
			return fmt.Errorf("key %q: %w", m.Name, err)
		}
	}
	if t.MatchKind >= bmv2.MatchTernary {
		e.Priority = int32(c.Priority) + 1 // priorities of files start at 0
	}
	if e.Action, e.Params, err = call(t, c.Action); err != nil {
		return err
	}
	if c.Label != "" {
		r.labels[c.Label] = e
	}
	return r.sw.Insert(e)
}

// call orders the arguments of an action as the program declares them.
func call(t *bmv2.Table, c Call) (string, [][]byte, error) {
	a, err := findAction(t, c.Action)
	if err != nil {
		return "", nil, err
	}
	params := make([][]byte, len(a.Params))
	for _, arg := range c.Args {
		i := paramIndex(a, arg.Name)
		if i < 0 {
			return "", nil, fmt.Errorf("action %q has no parameter %q", a.Name, arg.Name)
		}
		if params[i], err = number(arg.Value); err != nil {
			return "", nil, fmt.Errorf("parameter %q: %w", arg.Name, err)
		}
	}
	for i, p := range params {
		if p == nil {
			return "", nil, fmt.Errorf("parameter %q of action %q is missing",
				a.Params[i].Name, a.Name)
		}
	}
	return a.Name, params, nil
}

func paramIndex(a *bmv2.Action, name string) int {
	for i, p := range a.Params {
		if p.Name == name {
			return i
		}
	}
	return -1
}

func (r *run) setDefault(c SetDefault) error {
	t, err := findTable(r.sw.Program(), c.Table)
	if err != nil {
		return err
	}
	d := &v1model.DefaultEntry{Table: t.Name}
	if d.Action, d.Params, err = call(t, c.Action); err != nil {
		return err
	}
	return r.sw.SetDefault(d)
}

func (r *run) removeAll() error {
	for _, t := range r.sw.Program().Tables() {
		if t.Const() {
			continue
		}
		entries, err := r.sw.Entries(t.Name)
		if err != nil {
			return err
		}
		var ops []v1model.Op
		for _, e := range entries {
			ops = append(ops, v1model.Op{Type: v1model.OpDelete, Entity: e})
		}
		if err := errors.Join(r.sw.Update(ops)...); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) checkCounter(c CheckCounter) error {
	v, err := r.counter(c)
	if err != nil {
		return err
	}
	got, unit := v.Packets, "packets"
	if c.Bytes {
		got, unit = v.Bytes, "bytes"
	}
	if !comparisons[c.Op](got, c.Value) {
		return fmt.Errorf("counter %s(%s) has %d %s, want %s %d",
			c.Counter, c.Index, got, unit, c.Op, c.Value)
	}
	return nil
}

// counter reads an indirect counter, or the direct counter of a labelled entry.
func (r *run) counter(c CheckCounter) (v1model.CounterValue, error) {
	if e := r.labels[strings.TrimPrefix(c.Index, "$")]; e != nil {
		return r.sw.DirectCounter(e)
	}
	i, err := strconv.Atoi(c.Index)
	if err != nil {
		return v1model.CounterValue{}, fmt.Errorf("index %q: want a number or a label", c.Index)
	}
	all := r.sw.Program().Counters
	names := make([]string, len(all))
	for k, counter := range all {
		names[k] = counter.Name
	}
	k, err := pick("counter", c.Counter, names)
	if err != nil {
		return v1model.CounterValue{}, err
	}
	return r.sw.ReadCounter(names[k], i)
}

func (r *run) writeRegister(c WriteRegister) error {
	if c.Index >= 0 {
		v, err := number(c.Value)
		if err != nil {
			return err
		}
		return r.sw.WriteRegister(c.Register, c.Index, v)
	}
	reg := r.sw.Program().Register(c.Register)
	if reg == nil {
		return fmt.Errorf("unknown register %q", c.Register)
	}
	for i := range reg.Size {
		if err := r.sw.WriteRegister(c.Register, i, nil); err != nil {
			return err
		}
	}
	return nil
}

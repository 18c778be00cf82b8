package v1model

import (
	"sync"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// locks make what a part of the program does with registers one step for all other packets: P4
// programs read, compute and write registers in separate steps, and simple_switch has one ingress
// thread. A part that uses no registers has no lock. Parts that share a register array share a
// lock.
type locks struct {
	parser, ingress, egress, deparser *sync.Mutex
	cells                             map[string]*sync.Mutex // by register array, for the control plane
}

func newLocks(rt *runtime) *locks {
	l := &locks{cells: map[string]*sync.Mutex{}}
	for _, r := range rt.prog.Registers {
		l.cells[r.Name] = new(sync.Mutex)
	}
	parts := []struct {
		uses []*bmv2.Register
		lock **sync.Mutex
	}{
		{rt.parser.Registers(), &l.parser}, {rt.ingress.Registers(), &l.ingress},
		{rt.egress.Registers(), &l.egress}, {rt.deparser.Registers(), &l.deparser},
	}
	for _, p := range parts {
		for _, r := range p.uses {
			l.join(p.uses[0].Name, r.Name)
		}
	}
	for _, p := range parts {
		if len(p.uses) > 0 {
			*p.lock = l.cells[p.uses[0].Name]
		}
	}
	return l
}

// join gives two arrays, and all that share a lock with them, one lock.
func (l *locks) join(a, b string) {
	from, to := l.cells[a], l.cells[b]
	for name, lock := range l.cells {
		if lock == from {
			l.cells[name] = to
		}
	}
}

// parse runs the parser. As in the two below, what takes a lock stands apart from what nearly all
// programs do.
func (rt *runtime) parse(st *engine.State) {
	if rt.locks.parser != nil {
		rt.parseLocked(st)
		return
	}
	rt.parser.Run(st)
}

func (rt *runtime) parseLocked(st *engine.State) {
	rt.locks.parser.Lock()
	defer rt.locks.parser.Unlock()
	rt.parser.Run(st)
}

// control runs ingress or egress, and has r write down what happens unless it is nil.
func (rt *runtime) control(k *engine.Control, l *sync.Mutex, st *engine.State, r *recorder) {
	switch {
	case l != nil:
		rt.controlLocked(k, l, st, r)
	case r != nil:
		r.run(k, st)
	default:
		k.Run(st)
	}
}

func (rt *runtime) controlLocked(k *engine.Control, l *sync.Mutex, st *engine.State, r *recorder) {
	l.Lock()
	defer l.Unlock()
	rt.control(k, nil, st, r)
}

// deparse appends the packet to dst, or makes it where it was received, if that is wanted.
func (rt *runtime) deparse(st *engine.State, dst []byte, inPlace bool) (frame []byte, there bool) {
	switch {
	case rt.locks.deparser != nil:
		return rt.deparseLocked(st, dst, inPlace)
	case inPlace:
		return rt.deparser.RunOver(st, dst)
	}
	return rt.deparser.Run(st, dst), false
}

func (rt *runtime) deparseLocked(st *engine.State, dst []byte, inPlace bool) ([]byte, bool) {
	rt.locks.deparser.Lock()
	defer rt.locks.deparser.Unlock()
	if inPlace {
		return rt.deparser.RunOver(st, dst)
	}
	return rt.deparser.Run(st, dst), false
}

package v1model

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// Switch is a live v1model switch. Its methods are safe for concurrent use; packets go through
// a [Worker].
type Switch struct {
	cfg  Config
	snap atomic.Pointer[snapshot]
	// watchers is nil, not empty, when nobody watches: packets pay for one look at it.
	watchers atomic.Pointer[[]*watcher]

	mu       sync.Mutex // guards everything below and serializes writers of snap
	tables   map[string]*store
	profiles map[string]*profile
	down     map[uint16]bool // ports
	workers  []*Worker
	past     Stats // of workers that were closed
}

// snapshot is the forwarding state that packets see. It is immutable.
type snapshot struct {
	rt       *runtime
	tables   []*engine.Table // indexed as engine.State.Tables
	sessions map[uint16]*CloneSession
	groups   map[uint16]*MulticastGroup
	sets     []*engine.ValueSet // as in bmv2.Program.ValueSets
	// setEntities are the same as the control plane wrote them.
	setEntities []*ValueSet
}

// NewSwitch returns a switch that runs prog with the tables as the program declares them.
func NewSwitch(prog *bmv2.Program, cfg Config) (*Switch, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Switch{cfg: cfg, down: map[uint16]bool{}}
	return s, s.SetProgram(prog)
}

// Program returns the program that is running.
func (s *Switch) Program() *bmv2.Program { return s.snap.Load().rt.prog }

// SetProgram replaces the program and forgets all tables, sessions, groups and cells. Packets in
// flight finish on the old program. On error the old program keeps running.
func (s *Switch) SetProgram(prog *bmv2.Program) error {
	rt, err := newRuntime(prog, &s.cfg)
	if err != nil {
		return err
	}
	next := &snapshot{rt: rt, tables: rt.machine.NewTables(),
		sessions: map[uint16]*CloneSession{}, groups: map[uint16]*MulticastGroup{}}
	next.clearSets(prog)
	stores, profiles := map[string]*store{}, newProfiles(prog)
	for _, t := range prog.Tables() {
		st := newStore(rt, t, s.cfg.Clock)
		if t.Profile != nil {
			st.profile = profiles[t.Profile.Name]
		}
		i := rt.machine.TableIndex(t)
		if next.tables[i], err = st.declared(next.tables[i]); err != nil {
			return fmt.Errorf("table %q: %w", t.Name, err)
		}
		stores[t.Name] = st
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables, s.profiles = stores, profiles
	s.snap.Store(next)
	return nil
}

// NewWorker returns a context that processes packets, for one goroutine.
func (s *Switch) NewWorker() *Worker {
	w := &Worker{sw: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers = append(s.workers, w)
	return w
}

// Close makes the switch forget the worker, which must not be used again; its counts remain.
func (w *Worker) Close() {
	w.sw.mu.Lock()
	defer w.sw.mu.Unlock()
	if i := slices.Index(w.sw.workers, w); i >= 0 {
		w.sw.workers = slices.Delete(w.sw.workers, i, i+1)
		w.sw.past.add(&w.stats)
	}
}

// Stats returns the sum over all workers.
func (s *Switch) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.past
	for _, w := range s.workers {
		sum.add(&w.stats)
	}
	return sum
}

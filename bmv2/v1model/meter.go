package v1model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/bmv2/engine"
)

// MeterConfig configures a meter.
type MeterConfig = engine.MeterConfig

// MeterCell names and configures one cell of an indirect meter array. Only OpModify applies. A
// Config fills the buckets; nil removes the configuration, so that all packets are green.
type MeterCell struct {
	Meter  string
	Index  int
	Config *MeterConfig
}

// DirectMeter configures the meter of the table entry with the given match. Only OpModify applies.
type DirectMeter struct {
	Entry  *Entry // Table, Match and Priority identify it
	Config *MeterConfig
}

// meter returns a cell of an indirect meter array.
func (rt *runtime) meter(name string, index int) (*engine.Meter, error) {
	a := rt.machine.Meters[name]
	if a == nil {
		return nil, fmt.Errorf("%w: indirect meter %q, the program has %s", ErrUnknown, name,
			strings.Join(slices.Sorted(maps.Keys(rt.machine.Meters)), ", "))
	}
	if index < 0 || index >= a.Size() {
		return nil, fmt.Errorf("%w: %d, the array has %d cells", ErrRange, index, a.Size())
	}
	return a.Cell(uint64(index)), nil
}

// Meter returns the configuration of a cell of an indirect meter array; nil: none, all is green.
func (s *Switch) Meter(name string, index int) (*MeterConfig, error) {
	m, err := s.snap.Load().rt.meter(name, index)
	if err != nil {
		return nil, in(err, "meter", name)
	}
	return m.Config(), nil
}

// directMeter returns the meter of an entry. The lock must be held.
func (s *Switch) directMeter(e *Entry) (*engine.Meter, error) {
	d, t, err := s.direct(e)
	if err != nil {
		return nil, err
	}
	if t.Meter == nil {
		return nil, fmt.Errorf("%w: table %q has no direct meter", ErrUnknown, e.Table)
	}
	return &d.Meter, nil
}

// DirectMeter returns the configuration of the meter of the table entry with the match and priority
// of e; nil: none, all is green.
func (s *Switch) DirectMeter(e *Entry) (*MeterConfig, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.directMeter(e)
	if err != nil {
		return nil, err
	}
	return m.Config(), nil
}

func (u *update) meter(t OpType, c *MeterCell) error {
	m, err := u.next.rt.meter(c.Meter, max(c.Index, 0))
	switch {
	case err != nil:
		return err
	case c.Index == AllCells:
		a := u.next.rt.machine.Meters[c.Meter]
		return u.configure(t, a.Size(), func(i int) *engine.Meter { return a.Cell(uint64(i)) }, c.Config)
	case c.Index < 0:
		return fmt.Errorf("%w: %d", ErrRange, c.Index)
	}
	return u.configure(t, 1, func(int) *engine.Meter { return m }, c.Config)
}

func (u *update) directMeter(t OpType, d *DirectMeter) error {
	m, err := u.sw.directMeter(d.Entry)
	if err != nil {
		return err
	}
	return u.configure(t, 1, func(int) *engine.Meter { return m }, d.Config)
}

// configure changes some meters when the batch takes effect.
func (u *update) configure(t OpType, n int, meter func(int) *engine.Meter, c *MeterConfig) error {
	if t != OpModify {
		return fmt.Errorf("%w: a meter can only be modified", ErrInvalid)
	}
	if c != nil {
		if err := c.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		config := *c
		c = &config
	}
	now := u.sw.cfg.Clock
	u.later = append(u.later, func() {
		for i := range n {
			meter(i).Configure(c, now())
		}
	})
	return nil
}

package bmv2

import "fmt"

// meterRates is the number of rates of a meter in v1model: committed and peak.
const meterRates = 2

func (l *loader) loadMeters(raw *rawProgram) error {
	for i := range raw.Meters {
		r := &raw.Meters[i]
		m, err := l.meter(r)
		if err != nil {
			return in(err, "meter", r.Name)
		}
		l.meters[r.Name] = m
		l.prog.Meters = append(l.prog.Meters, m)
	}
	return nil
}

func (l *loader) meter(r *rawMeter) (m *Meter, err error) {
	m = &Meter{Name: r.Name, ID: r.ID, Size: r.Size, Direct: r.Direct, Rates: r.Rates}
	switch r.Type {
	case "bytes":
		m.Bytes = true
	case "packets":
	default:
		return nil, unsupported(fmt.Sprintf("meter type %q", r.Type), "packets", "bytes")
	}
	const meterBytes = 128 // of a configured one
	if err := l.cells(r.Size, meterBytes); err != nil {
		return nil, err
	}
	if r.Rates != meterRates {
		return nil, unsupported(fmt.Sprintf("rate_count %d", r.Rates), fmt.Sprint(meterRates))
	}
	if r.Direct {
		m.Result, err = l.fieldRef(r.Result)
	}
	return m, err
}

func (l *loader) profiles(raw []rawProfile) error {
	for i := range raw {
		r := &raw[i]
		p := &ActionProfile{Name: r.Name, ID: r.ID, MaxSize: r.MaxSize}
		var err error
		if r.MaxSize < 0 || r.MaxSize > maxCells {
			err = fmt.Errorf("max_size %d: want 0 to %d", r.MaxSize, maxCells)
		}
		if err == nil && r.Selector != nil {
			p.Selector, err = l.selector(r.Selector)
		}
		if err == nil && l.prog.Profile(r.Name) != nil {
			err = fmt.Errorf("declared twice")
		}
		if err != nil {
			return in(err, "action profile", r.Name)
		}
		l.prog.Profiles = append(l.prog.Profiles, p)
	}
	return nil
}

func (l *loader) selector(r *rawSelector) (*Selector, error) {
	s := &Selector{Algo: r.Algo}
	for _, el := range r.Input {
		input, err := l.calcInput(el)
		if err != nil {
			return nil, fmt.Errorf("selector: %w", err)
		}
		s.Input = append(s.Input, input)
	}
	return s, nil
}

// resources binds a table to its profile and its direct meter.
func (l *loader) resources(t *Table, r *rawTable) error {
	if err := l.implementation(t, r); err != nil {
		return err
	}
	t.IdleTimeout = r.Timeout
	if r.DirectMeter == nil {
		return nil
	}
	m := l.meters[*r.DirectMeter]
	if m == nil || !m.Direct {
		return fmt.Errorf("unknown direct meter %q", *r.DirectMeter)
	}
	if m.Table != nil {
		return fmt.Errorf("direct meter %q belongs to table %q already", m.Name, m.Table.Name)
	}
	t.Meter, m.Table = m, t
	return nil
}

func (l *loader) implementation(t *Table, r *rawTable) error {
	switch r.Type {
	case "simple":
		return nil
	case "indirect", "indirect_ws":
	default:
		return unsupported(fmt.Sprintf("table type %q", r.Type), "simple", "indirect", "indirect_ws")
	}
	p := l.prog.Profile(r.Profile)
	if p == nil {
		return fmt.Errorf("unknown action profile %q", r.Profile)
	}
	if r.Type == "indirect_ws" && p.Selector == nil {
		return fmt.Errorf("action profile %q has no selector: a table of type indirect_ws needs one",
			p.Name)
	}
	if len(r.Entries) > 0 {
		return unsupported("const entries of a table with an action profile")
	}
	t.Profile = p
	p.Tables = append(p.Tables, t)
	return nil
}

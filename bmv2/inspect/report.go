package inspect

import (
	"fmt"
	"maps"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// Report is what a program consists of.
type Report struct {
	// Refused are the constructs that keep the program from running; empty: it runs.
	Refused []string `json:"refused,omitempty"`
	// Program is the P4 file that p4c compiled. It and what follows is there if the program can be
	// decoded.
	Program  string `json:"program,omitempty"`
	Compiler string `json:"compiler,omitempty"`
	Format   string `json:"format,omitempty"` // version of the JSON format

	Headers      []Array  `json:"headers,omitempty"` // Width: all fields, at most
	Unions       []string `json:"header_unions,omitempty"`
	ParserStates []string `json:"parser_states,omitempty"`
	ValueSets    []string `json:"value_sets,omitempty"`
	Tables       []Table  `json:"tables,omitempty"`
	Actions      []string `json:"actions,omitempty"`
	Counters     []Array  `json:"counters,omitempty"`
	Meters       []Array  `json:"meters,omitempty"`
	Registers    []Array  `json:"registers,omitempty"`
	Digests      []string `json:"digests,omitempty"`
	Checksums    []string `json:"checksums,omitempty"`
	Primitives   []string `json:"primitives,omitempty"` // externs and operations that actions call
}

// Array is something of which there are several.
type Array struct {
	Name  string `json:"name"`
	Size  int    `json:"size,omitempty"`  // cells; 0: one for each entry of a table
	Width int    `json:"width,omitempty"` // bits
}

// Table is a match-action table.
type Table struct {
	Name    string   `json:"name"`
	Control string   `json:"control"` // ingress or egress
	Key     []string `json:"key"`     // "name: kind, bits"
	Actions []string `json:"actions"`
	Size    int      `json:"size"`
	Const   int      `json:"const_entries,omitempty"`
	Default string   `json:"default_action,omitempty"`
	// Of the entries: a direct counter, a direct meter, an action profile, idle timeouts.
	Counter     string `json:"direct_counter,omitempty"`
	Meter       string `json:"direct_meter,omitempty"`
	Profile     string `json:"action_profile,omitempty"`
	IdleTimeout bool   `json:"idle_timeout,omitempty"`
}

// Program inspects the JSON that p4c-bm2-ss wrote.
func Program(data []byte) Report {
	var r Report
	if p, err := bmv2.Load(data); err == nil {
		r.describe(p)
	}
	r.Refused = refusals(data)
	return r
}

func (r *Report) describe(p *bmv2.Program) {
	r.Program, r.Compiler = p.Name, p.Compiler
	r.Format = fmt.Sprintf("%d.%d", p.Version[0], p.Version[1])
	for _, h := range p.Headers {
		if !h.Metadata {
			width := 0
			for _, f := range h.Type.Fields {
				width += f.Width
			}
			r.Headers = append(r.Headers, Array{Name: h.Name, Width: width})
		}
	}
	for _, u := range p.Unions {
		r.Unions = append(r.Unions, u.Name)
	}
	for _, parser := range p.Parsers {
		for _, s := range parser.States {
			r.ParserStates = append(r.ParserStates, s.Name)
		}
	}
	for _, v := range p.ValueSets {
		r.ValueSets = append(r.ValueSets, v.Name)
	}
	for _, control := range p.Pipelines {
		for _, t := range control.Tables {
			r.Tables = append(r.Tables, table(control.Name, t))
		}
	}
	r.describeActions(p)
	r.describeState(p)
}

func table(control string, t *bmv2.Table) Table {
	out := Table{Name: t.Name, Control: control, Size: t.MaxSize, Const: len(t.Entries),
		IdleTimeout: t.IdleTimeout, Key: []string{}, Actions: []string{}}
	for _, k := range t.Key {
		out.Key = append(out.Key, fmt.Sprintf("%s: %v, %d", k.Name, k.Kind, k.Width))
	}
	for _, a := range t.Actions {
		out.Actions = append(out.Actions, a.Name)
	}
	if t.Default != nil && t.Default.Action != nil {
		out.Default = t.Default.Action.Name
	}
	if t.Counter != nil {
		out.Counter = t.Counter.Name
	}
	if t.Meter != nil {
		out.Meter = t.Meter.Name
	}
	if t.Profile != nil {
		out.Profile = t.Profile.Name
	}
	return out
}

func (r *Report) describeActions(p *bmv2.Program) {
	names, primitives := map[string]bool{}, map[string]bool{}
	for _, a := range p.Actions {
		names[a.Name] = true
		for _, x := range a.Body {
			primitives[x.Op] = true
		}
	}
	r.Actions = slices.Sorted(maps.Keys(names))
	r.Primitives = slices.Sorted(maps.Keys(primitives))
}

func (r *Report) describeState(p *bmv2.Program) {
	for _, c := range p.Counters {
		a := Array{Name: c.Name}
		if !c.Direct {
			a.Size = c.Size
		}
		r.Counters = append(r.Counters, a)
	}
	for _, m := range p.Meters {
		a := Array{Name: m.Name}
		if !m.Direct {
			a.Size = m.Size
		}
		r.Meters = append(r.Meters, a)
	}
	for _, x := range p.Registers {
		r.Registers = append(r.Registers, Array{x.Name, x.Size, x.Width})
	}
	for _, l := range p.LearnLists {
		r.Digests = append(r.Digests, l.Name)
	}
	for _, c := range p.Checksums {
		what := "verified"
		if c.Update {
			what = "updated"
		}
		r.Checksums = append(r.Checksums, fmt.Sprintf("%v %s, %s", c.Target, what, c.Calc.Algo))
	}
}

// verify decodes and compiles a program.
func verify(data []byte) error {
	p, err := bmv2.Load(data)
	if err != nil {
		return err
	}
	return v1model.Verify(p)
}

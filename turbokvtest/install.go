package turbokvtest

import (
	"fmt"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

// install makes a switch hold exactly the entries and clone sessions that the controller desires,
// as the controller's P4Runtime client would, without the messages in between.
func install(sw *v1model.Switch, s tables.State) error {
	for _, t := range sw.Program().Tables() {
		if err := empty(sw, t); err != nil {
			return err
		}
	}
	var ops []v1model.Op
	for _, e := range s.Entries {
		entry, err := entryOf(sw.Program(), e)
		if err != nil {
			return err
		}
		ops = append(ops, v1model.Op{Type: v1model.OpInsert, Entity: entry})
	}
	if len(sw.CloneSessions()) == 0 {
		for _, c := range s.CloneSessions {
			ops = append(ops, v1model.Op{Type: v1model.OpInsert, Entity: cloneSession(c)})
		}
	}
	for i, err := range sw.Update(ops) {
		if err != nil {
			return fmt.Errorf("update %d: %w", i, err)
		}
	}
	return nil
}

// empty removes all entries of a table that the program does not fix.
func empty(sw *v1model.Switch, t *bmv2.Table) error {
	entries, err := sw.Entries(t.Name)
	if err != nil || t.Const() {
		return err
	}
	for _, e := range entries {
		if err := sw.Delete(e); err != nil {
			return err
		}
	}
	return nil
}

// named reports whether a full name of the program ends in the alias that P4Info gives.
func named(full, alias string) bool { return full == alias || strings.HasSuffix(full, "."+alias) }

func entryOf(p *bmv2.Program, e tables.Entry) (*v1model.Entry, error) {
	for _, t := range p.Tables() {
		if !named(t.Name, e.Table) {
			continue
		}
		for _, a := range t.Actions {
			if named(a.Name, e.Action) {
				return fill(t, a, e), nil
			}
		}
	}
	return nil, fmt.Errorf("no table %s with action %s", e.Table, e.Action)
}

func fill(t *bmv2.Table, a *bmv2.Action, e tables.Entry) *v1model.Entry {
	out := &v1model.Entry{Table: t.Name, Action: a.Name, Priority: e.Priority}
	for _, k := range t.Key {
		m := v1model.Match{Any: true}
		for _, f := range e.Match {
			if named(k.Name, f.Field) {
				m = v1model.Match{Value: pad(f.Value, k.Width), PrefixLen: f.Prefix}
			}
		}
		out.Match = append(out.Match, m)
	}
	for _, p := range a.Params {
		out.Params = append(out.Params, pad(e.Param(p.Name), p.Width))
	}
	return out
}

// pad returns a number in as many bytes as its field has.
func pad(v tables.Value, width int) []byte {
	b := make([]byte, (width+7)/8)
	if !v.Fill(b) {
		panic(fmt.Sprintf("turbokvtest: %v does not fit %d bits", v, width))
	}
	return b
}

func cloneSession(c tables.CloneSession) *v1model.CloneSession {
	out := &v1model.CloneSession{ID: uint16(c.ID)}
	for _, r := range c.Replicas {
		out.Replicas = append(out.Replicas,
			v1model.Replica{Port: uint16(r.Port), Instance: uint16(r.Instance)})
	}
	return out
}

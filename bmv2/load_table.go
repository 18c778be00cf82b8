package bmv2

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

func bigInt(n int) *big.Int { return big.NewInt(int64(n)) }

var kindByName = map[string]MatchKind{"exact": MatchExact, "valid": MatchExact,
	"lpm": MatchLPM, "ternary": MatchTernary, "range": MatchRange}

func matchKind(name string) (MatchKind, error) {
	k := kindByName[name]
	if k == 0 {
		return 0, unsupported(fmt.Sprintf("match type %q", name),
			"exact", "lpm", "ternary", "range", "valid")
	}
	return k, nil
}

func (l *loader) loadPipelines(raw *rawProgram) error {
	for i := range raw.Pipelines {
		p, err := l.pipeline(&raw.Pipelines[i])
		if err != nil {
			return in(err, "pipeline", raw.Pipelines[i].Name)
		}
		l.prog.Pipelines = append(l.prog.Pipelines, p)
	}
	return nil
}

func (l *loader) pipeline(r *rawPipeline) (*Pipeline, error) {
	if err := l.profiles(r.Profiles); err != nil {
		return nil, err
	}
	p := &Pipeline{Name: r.Name, ID: r.ID}
	nodes := map[string]Node{}
	for i := range r.Tables {
		t, err := l.table(&r.Tables[i])
		if err != nil {
			return nil, in(err, "table", r.Tables[i].Name)
		}
		p.Tables = append(p.Tables, t)
		nodes[t.Name] = t
	}
	prepared := l.prepareKeys(p.Tables, nodes)
	if err := l.steps(p, r, nodes); err != nil {
		return nil, err
	}
	if len(nodes) != len(r.Tables)+len(r.Conditionals)+len(r.Calls) {
		return nil, fmt.Errorf("two tables, conditionals or calls have the same name")
	}
	if err := link(p, r, nodes); err != nil {
		return nil, err
	}
	p.ActionCalls = append(p.ActionCalls, prepared...)
	return p, checkAcyclic(p)
}

// steps decodes the conditionals and action calls.
func (l *loader) steps(p *Pipeline, r *rawPipeline, nodes map[string]Node) error {
	for _, rc := range r.Conditionals {
		cond, err := l.expr(rc.Expr)
		if err != nil {
			return in(err, "conditional", rc.Name)
		}
		c := &Conditional{Name: rc.Name, ID: rc.ID, Source: fragment(rc.Source), Cond: cond}
		p.Conditionals = append(p.Conditionals, c)
		nodes[c.Name] = c
	}
	for _, rc := range r.Calls {
		a := l.actions[rc.Action]
		if a == nil || len(a.Params) > 0 {
			return in(fmt.Errorf("action %d is unknown or has parameters", rc.Action),
				"action call", rc.Name)
		}
		c := &ActionCall{Name: rc.Name, ID: rc.ID, Action: a}
		p.ActionCalls = append(p.ActionCalls, c)
		nodes[c.Name] = c
	}
	return nil
}

// link resolves the edges between the nodes of a control.
func link(p *Pipeline, r *rawPipeline, nodes map[string]Node) (err error) {
	next := func(name *string) Node {
		if name == nil || err != nil {
			return nil
		}
		n, ok := nodes[*name]
		err = known(ok, "control node", *name)
		return n
	}
	p.Init = next(r.Init)
	for i, c := range p.Conditionals {
		c.True, c.False = next(r.Conditionals[i].True), next(r.Conditionals[i].False)
	}
	for i, c := range p.ActionCalls {
		c.Next = next(r.Calls[i].Next)
	}
	for i, t := range p.Tables {
		linkTable(t, &r.Tables[i], next)
	}
	return err
}

func linkTable(t *Table, r *rawTable, next func(*string) Node) {
	base := next(r.BaseNext)
	t.Hit, t.Miss = base, base
	if n, ok := r.Next["__HIT__"]; ok {
		t.ByHit, t.Hit = true, next(n)
	}
	if n, ok := r.Next["__MISS__"]; ok {
		t.ByHit, t.Miss = true, next(n)
	}
	t.Next = map[*Action]Node{}
	for _, a := range t.Actions {
		t.Next[a] = base
		if n, ok := r.Next[a.Name]; ok {
			t.Next[a] = next(n)
		}
	}
}

// checkAcyclic refuses a control that could run forever: P4 controls have no loops.
func checkAcyclic(p *Pipeline) error {
	const visiting, done = 1, 2
	state := map[Node]int{}
	var visit func(Node) error
	visit = func(n Node) error {
		if n == nil || state[n] == done {
			return nil
		}
		if state[n] == visiting {
			return fmt.Errorf("control node %q follows itself", n.NodeName())
		}
		state[n] = visiting
		for _, s := range successors(n) {
			if err := visit(s); err != nil {
				return err
			}
		}
		state[n] = done
		return nil
	}
	return visit(p.Init)
}

func successors(n Node) []Node {
	switch n := n.(type) {
	case *Conditional:
		return []Node{n.True, n.False}
	case *ActionCall:
		return []Node{n.Next}
	case *Table:
		next := []Node{n.Hit, n.Miss}
		for _, a := range n.Actions {
			next = append(next, n.Next[a])
		}
		return next
	}
	return nil
}

func (l *loader) table(r *rawTable) (*Table, error) {
	if r.MaxSize < 0 || r.MaxSize > maxCells {
		return nil, fmt.Errorf("max_size %d: want 0 to %d", r.MaxSize, maxCells)
	}
	t := &Table{Name: r.Name, ID: r.ID, MaxSize: r.MaxSize}
	err := l.resources(t, r)
	if err != nil {
		return nil, err
	}
	if t.MatchKind, err = matchKind(r.Match); err != nil {
		return nil, err
	}
	for _, id := range r.ActionIDs {
		a := l.actions[id]
		if a == nil {
			return nil, fmt.Errorf("unknown action id %d", id)
		}
		t.Actions = append(t.Actions, a)
	}
	if err := l.tableKey(t, r.Key); err != nil {
		return nil, err
	}
	if r.Default != nil {
		if t.Default, err = l.defaultEntry(r.Default); err != nil {
			return nil, err
		}
	}
	return t, l.entries(t, r.Entries)
}

func (l *loader) tableKey(t *Table, raw []rawKey) error {
	for _, r := range raw {
		k, err := l.keyField(t, r)
		if err != nil {
			return in(err, "key field", r.Name)
		}
		if k.Kind > t.MatchKind {
			return fmt.Errorf("key field %q is %s in a table of match type %s",
				k.Name, k.Kind, t.MatchKind)
		}
		t.Key = append(t.Key, k)
	}
	lpm := 0
	for _, k := range t.Key {
		if k.Kind == MatchLPM {
			lpm++
		}
	}
	if t.MatchKind == MatchLPM && lpm != 1 {
		return fmt.Errorf("%d lpm fields: an lpm table has one", lpm)
	}
	return nil
}

func (l *loader) keyField(t *Table, r rawKey) (k KeyField, err error) {
	if k.Kind, err = matchKind(r.Match); err != nil {
		return k, err
	}
	if r.Match == "valid" {
		var name string
		if err = json.Unmarshal(r.Target, &name); err != nil {
			return k, fmt.Errorf("target: %w", err)
		}
		k.Field = FieldRef{l.headers[name], ValidField}
		err = known(k.Field.Header != nil, "header", name)
	} else if len(r.Target) > 0 && r.Target[0] == '{' {
		k.Field, err = l.computedKey(t, r.Target)
	} else {
		k.Field, err = l.fieldRef(r.Target)
	}
	if err != nil {
		return k, err
	}
	if k.Field.Var() {
		return k, unsupported("variable-length field "+k.Field.String(), "fixed widths")
	}
	k.Width = k.Field.Width()
	if k.Name = r.Name; k.Name == "" {
		k.Name = k.Field.String()
	}
	if r.Mask != nil {
		k.Mask, err = number(*r.Mask)
	}
	return k, err
}

// arguments decodes the values for the parameters of an action.
func (l *loader) arguments(id int, raw []string) (*Action, []*big.Int, error) {
	a := l.actions[id]
	if a == nil {
		return nil, nil, fmt.Errorf("unknown action id %d", id)
	}
	if len(raw) != len(a.Params) {
		return nil, nil, fmt.Errorf("action %q has %d arguments: want %d",
			a.Name, len(raw), len(a.Params))
	}
	args := make([]*big.Int, len(raw))
	for i, s := range raw {
		v, err := number(s)
		if err == nil {
			err = checkUnsigned(v, a.Params[i].Width)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("argument %q of action %q: %w", a.Params[i].Name, a.Name,
				err)
		}
		args[i] = v
	}
	return a, args, nil
}

func (l *loader) defaultEntry(r *rawDefault) (*DefaultEntry, error) {
	a, args, err := l.arguments(r.Action, r.Args)
	if err != nil {
		return nil, fmt.Errorf("default entry: %w", err)
	}
	d := &DefaultEntry{Action: a, Args: args}
	d.ConstAction, d.ConstArgs = r.ConstAction, r.ConstArgs
	return d, nil
}

func (l *loader) entries(t *Table, raw []rawEntry) error {
	for i := range raw {
		e, err := l.constEntry(t, &raw[i])
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		t.Entries = append(t.Entries, e)
	}
	return nil
}

func (l *loader) constEntry(t *Table, r *rawEntry) (e ConstEntry, err error) {
	e.Priority = r.Priority
	if e.Action, e.Args, err = l.arguments(r.Action.ID, r.Action.Args); err != nil {
		return e, err
	}
	if len(r.Key) != len(t.Key) {
		return e, fmt.Errorf("%d key fields: want %d", len(r.Key), len(t.Key))
	}
	for i := range r.Key {
		k := &r.Key[i]
		m := ConstMatch{PrefixLen: k.PrefixLen}
		width := t.Key[i].Width
		if k.PrefixLen < 0 || k.PrefixLen > width {
			return e, fmt.Errorf("prefix length %d of %q: want 0 to %d",
				k.PrefixLen, t.Key[i].Name, width)
		}
		for _, v := range []struct {
			dst  **big.Int
			text string
		}{{&m.Value, keyText(k.Key, k.Start)}, {&m.Mask, k.Mask}, {&m.High, k.End}} {
			if *v.dst, err = optionalNumber(v.text, width); err != nil {
				return e, fmt.Errorf("key field %q: %w", t.Key[i].Name, err)
			}
		}
		if kindByName[k.Match] != t.Key[i].Kind {
			return e, fmt.Errorf("key field %q: match type %q, want %s",
				t.Key[i].Name, k.Match, t.Key[i].Kind)
		}
		e.Match = append(e.Match, m)
	}
	return e, nil
}

// keyText returns the value of a match: a hexstr, the start of a range, or a bool for "valid".
func keyText(key json.RawMessage, start string) string {
	switch text := strings.Trim(string(key), `"`); text {
	case "", "null":
		return start
	case "true":
		return "1"
	case "false":
		return "0"
	default:
		return text
	}
}

// optionalNumber is zero for an absent text.
func optionalNumber(text string, width int) (*big.Int, error) {
	if text == "" {
		return new(big.Int), nil
	}
	v, err := number(text)
	if err != nil {
		return nil, err
	}
	return v, checkUnsigned(v, width)
}

package p4src_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	configv1 "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/p4src"
)

// controlNames finds objects of P4Info by name.
type controlNames struct {
	ids      map[string]uint32 // of counters and digests
	tables   map[string]*configv1.Table
	actions  map[string]*configv1.Action
	counters []*configv1.Counter
}

func newControlNames(t testing.TB) controlNames {
	t.Helper()
	info, err := p4src.P4Info()
	if err != nil {
		t.Fatal(err)
	}
	names := controlNames{
		ids: map[string]uint32{}, tables: map[string]*configv1.Table{},
		actions: map[string]*configv1.Action{}, counters: info.GetCounters(),
	}
	for _, x := range info.GetTables() {
		names.tables[x.GetPreamble().GetAlias()] = x
	}
	for _, x := range info.GetActions() {
		names.actions[x.GetPreamble().GetAlias()] = x
	}
	for _, x := range info.GetCounters() {
		names.ids[x.GetPreamble().GetAlias()] = x.GetPreamble().GetId()
	}
	for _, x := range info.GetDigests() {
		names.ids[x.GetPreamble().GetAlias()] = x.GetPreamble().GetId()
	}
	return names
}

func (c controlNames) tableEntry(e entry) (*p4v1.TableEntry, error) {
	table, action := c.tables[e.table], c.actions[e.action]
	if table == nil || action == nil {
		return nil, fmt.Errorf("program has no table %q or no action %q", e.table, e.action)
	}
	call := &p4v1.Action{ActionId: action.GetPreamble().GetId()}
	for _, p := range action.GetParams() {
		value, err := number(e.params[p.GetName()], p.GetBitwidth())
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.GetName(), err)
		}
		call.Params = append(call.Params, &p4v1.Action_Param{ParamId: p.GetId(), Value: value})
	}
	row := &p4v1.TableEntry{
		TableId: table.GetPreamble().GetId(),
		Action:  &p4v1.TableAction{Type: &p4v1.TableAction_Action{Action: call}},
	}
	for _, f := range table.GetMatchFields() {
		m, err := fieldMatch(f, e.match[f.GetName()])
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", f.GetName(), err)
		}
		if m != nil {
			row.Match = append(row.Match, m)
		}
	}
	return row, nil
}

// fieldMatch is nil for a prefix of length 0: P4Runtime leaves out what does not matter.
func fieldMatch(f *configv1.MatchField, text string) (*p4v1.FieldMatch, error) {
	text, length, isPrefix := strings.Cut(text, "/")
	value, err := number(text, f.GetBitwidth())
	if err != nil {
		return nil, err
	}
	m := &p4v1.FieldMatch{FieldId: f.GetId()}
	if !isPrefix {
		m.FieldMatchType = &p4v1.FieldMatch_Exact_{Exact: &p4v1.FieldMatch_Exact{Value: value}}
		return m, nil
	}
	bits, err := strconv.Atoi(length)
	if err != nil || bits == 0 {
		return nil, err
	}
	m.FieldMatchType = &p4v1.FieldMatch_Lpm{
		Lpm: &p4v1.FieldMatch_LPM{Value: value, PrefixLen: int32(bits)},
	}
	return m, nil
}

// number parses a value of the given width into P4Runtime's canonical, shortest form.
func number(text string, bits int32) ([]byte, error) {
	b, err := parseValue(text, int(bits+7)/8)
	if err != nil {
		return nil, err
	}
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b, nil
}

// shortest is the canonical form of a number.
func shortest(n uint64) []byte {
	b, _ := number(strconv.FormatUint(n, 10), 64)
	return b
}

package bmv2

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func readSample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestLoadResolvesEverything(t *testing.T) {
	p, err := Load(readSample(t, "tables.json"))
	if err != nil {
		t.Fatal(err)
	}
	lpm := p.Table("ingress.lpm_table")
	if lpm == nil || lpm.MatchKind != MatchLPM || len(lpm.Key) != 2 {
		t.Fatalf("lpm_table is %+v", lpm)
	}
	key := lpm.Key[0]
	if key.Name != "h.key.wide" || key.Kind != MatchLPM || key.Width != 128 ||
		key.Field.String() != "key.wide" {
		t.Errorf("key %+v", key)
	}
	if a := lpm.Action("ingress.send"); a == nil || len(a.Params) != 1 ||
		a.Params[0] != (Param{"port", 9}) {
		t.Errorf("action %+v", a)
	}
	if hits := p.Counter("ingress.exact_hits"); hits == nil || !hits.Direct ||
		hits.Table.Name != "ingress.exact_table" {
		t.Errorf("direct counter %+v", hits)
	}
	if r := p.Register("ingress.wides"); r == nil || r.Width != 128 || r.Size != 2 {
		t.Errorf("register %+v", r)
	}
	h := p.Header("key")
	if f := h.Type.Fields[h.Type.FieldIndex("small")]; f.Offset != 24 || f.Width != 16 {
		t.Errorf("field small %+v", f)
	}
	if ref, ok := p.Field("intrinsic_metadata", "mcast_grp"); !ok ||
		ref.String() != "standard_metadata.mcast_grp" {
		t.Errorf("alias leads to %v", ref)
	}
	if c := p.Table("ingress.const_table"); !c.Const() || len(c.Entries) != 3 ||
		c.Entries[0].Match[0].Mask.Int64() != 0xff00 {
		t.Errorf("const entries %+v", c.Entries)
	}
}

func TestLoadResolvesDigests(t *testing.T) {
	p, err := Load(readSample(t, "copies.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.LearnLists) != 1 || p.LearnLists[0].Name != "news_t" {
		t.Fatalf("digests %+v", p.LearnLists)
	}
	var widths []int
	for _, f := range p.LearnLists[0].Fields {
		widths = append(widths, f.Width)
	}
	if len(widths) != 3 || widths[0] != 9 || widths[1] != 16 || widths[2] != 8 {
		t.Errorf("widths %v", widths)
	}
}

func TestLoadBindsStatefulObjects(t *testing.T) {
	p, err := Load(readSample(t, "stateful.json"))
	if err != nil {
		t.Fatal(err)
	}
	flow := p.Meter("ingress.flow_meter")
	if !flow.Direct || flow.Bytes || flow.Table != p.Table("ingress.metered_table") ||
		flow.Table.Meter != flow || flow.Result.Width() != 2 {
		t.Errorf("direct meter %+v", flow)
	}
	if m := p.Meter("ingress.byte_meter"); !m.Bytes || m.Direct || m.Size != 4 || m.Table != nil {
		t.Errorf("meter %+v", m)
	}
	if m := p.Meter("nope"); m != nil {
		t.Errorf("a meter that does not exist: %+v", m)
	}
	hops, paths := p.Profile("ingress.nexthops"), p.Profile("ingress.paths")
	if hops.Selector != nil || hops.MaxSize != 8 || len(hops.Tables) != 2 ||
		hops.Tables[1] != p.Table("ingress.second_table") || hops.Tables[1].Profile != hops {
		t.Errorf("profile %+v", hops)
	}
	if s := paths.Selector; s == nil || s.Algo != "crc16" || len(s.Input) != 2 {
		t.Errorf("selector %+v", paths.Selector)
	}
	for _, table := range p.Tables() {
		if table.IdleTimeout != (table.Name == "ingress.aging_table") {
			t.Errorf("idle timeouts of table %q: %t", table.Name, table.IdleTimeout)
		}
	}
}

// minimal is a complete program that does nothing; %s takes more members.
const minimal = `{"__meta__": {"version": [2, 23]}, "program": "p", ` +
	`"header_types": [{"name": "t", "id": 0, "fields": [["f", 8, false]]}], ` +
	`"headers": [{"name": "h", "id": 0, "header_type": "t", "metadata": false}]%s}`

func TestLoadNamesWhatItDoesNotSupport(t *testing.T) {
	for _, c := range []struct{ more, want string }{
		{`, "meter_arrays": [{"name": "m", "type": "cheese"}]`,
			`meter type "cheese" in meter "m" is not supported; supported: packets, bytes`},
		{`, "meter_arrays": [{"name": "m", "type": "bytes", "rate_count": 3}]`,
			`rate_count 3 in meter "m" is not supported; supported: 2`},
		{`, "extern_instances": [{"name": "x"}]`, `extern instance "x"`},
		{`, "novelty": []`, `attribute "novelty"`},
		{`, "pipelines": [{"name": "i", "tables": [` +
			`{"name": "x", "type": "cheese", "match_type": "exact"}]}]`,
			`table type "cheese" in table "x" is not supported; supported: simple, indirect`},
		{`, "pipelines": [{"name": "i", "action_profiles": [{"name": "ap"}], "tables": [` +
			`{"name": "x", "type": "indirect", "match_type": "exact", "action_profile": "ap", ` +
			`"entries": [{}]}]}]`, `const entries of a table with an action profile in table "x"`},
		{`, "pipelines": [{"name": "i", "conditionals": [` +
			`{"name": "c", "expression": {"type": "expression", ` +
			`"value": {"op": "<=>", "left": null, "right": {"type": "bool", "value": true}}}}]}]`,
			`operator "<=>" in conditional "c" is not supported; supported: +,`},
		{`, "actions": [{"name": "a", "id": 0, "runtime_data": [], "primitives": [` +
			`{"op": "assign", ` +
			`"parameters": [{"type": "cheese", "value": "x"}]}]}]`,
			`value of type "cheese" in primitive "assign"`},
		{`, "parsers": [{"name": "p", "init_state": null, "parse_states": [` +
			`{"name": "s", "parser_ops": [` +
			`{"op": "extract_XL", "parameters": []}]}]}]`, `parser operation "extract_XL"`},
	} {
		_, err := Load([]byte(strings.Replace(minimal, "%s", c.more, 1)))
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.more, err, c.want)
		}
	}
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ more, want string }{
		{`, "deparsers": [{"name": "d", "order": ["nope"]}]`,
			`deparser "d": "nope" is not a header`},
		{`, "register_arrays": [{"name": "r", "size": 1, "bitwidth": 4096}]`,
			`width 4096: want 1 to 2048`},
		{`, "counter_arrays": [{"name": "c", "size": -1}]`, `counter "c": size -1`},
		{`, "register_arrays": [{"name": "r", "size": 16000000, "bitwidth": 2048}]`,
			`register "r": size 16000000: all cells together have more than`},
		{`, "meter_arrays": [{"name": "m", "type": "bytes", "rate_count": 2, "size": -1}]`,
			`meter "m": size -1`},
		{`, "meter_arrays": [{"name": "m", "type": "bytes", "rate_count": 2, "size": 1, ` +
			`"is_direct": true, "result_target": ["h", "g"]}]`, `header "h" has no field "g"`},
		{`, "pipelines": [{"name": "i", "action_profiles": [{"name": "ap", "max_size": -1}]}]`,
			`action profile "ap": max_size -1`},
		{`, "pipelines": [{"name": "i", "action_profiles": [{"name": "a"}, {"name": "a"}]}]`,
			`action profile "a": declared twice`},
		{`, "pipelines": [{"name": "i", "tables": [` +
			`{"name": "x", "type": "indirect", "match_type": "exact", "action_profile": "ap"}]}]`,
			`table "x": unknown action profile "ap"`},
		{`, "pipelines": [{"name": "i", "action_profiles": [{"name": "ap"}], "tables": [` +
			`{"name": "x", "type": "indirect_ws", "match_type": "exact", "action_profile": "ap"}]}]`,
			`action profile "ap" has no selector`},
		{`, "pipelines": [{"name": "i", "tables": [` +
			`{"name": "x", "type": "simple", "match_type": "exact", "direct_meters": "dm"}]}]`,
			`table "x": unknown direct meter "dm"`},
		{`, "field_aliases": [["x", ["h", "g"]]]`, `header "h" has no field "g"`},
		{`, "actions": [{"name": "a", "id": 1}, {"name": "b", "id": 1}]`,
			`action "b": id 1 is taken`},
		{`, "parsers": [{"name": "p", "init_state": "s"}]`, `unknown parse state "s"`},
		{`, "pipelines": [{"name": "i", "init_table": "t"}]`, `unknown control node "t"`},
		{`, "pipelines": [{"name": "i", "init_table": "c", "conditionals": [` +
			`{"name": "c", "true_next": "c", ` +
			`"expression": {"type": "bool", "value": true}}]}]`, `control node "c" follows itself`},
		{`, "field_lists": [{"name": "l", "elements": [{"type": "hexstr", "value": "0xzz"}]}]`,
			`hexstr "0xzz"`},
		{`, "parse_vsets": [{"name": "v", "max_size": 1}]`, `compressed_bitwidth 0: want 1`},
		{`, "header_unions": [{"name": "u", "union_type": "U"}]`,
			`header union "u": unknown header union type "U"`},
		{`, "header_union_types": [{"name": "U", "headers": [["m", "t"]]}], "header_unions": [` +
			`{"name": "u", "union_type": "U", "header_ids": [0]}, ` +
			`{"name": "w", "id": 1, "union_type": "U", "header_ids": [0]}]`,
			`header union "w": header id 0 is not a free header of type "t"`},
		{`, "header_union_stacks": [{"name": "s", "union_type": "U"}]`,
			`header union stack "s": unknown header union type "U"`},
		{`, "parsers": [{"name": "p", "init_state": null, "parse_states": [` +
			`{"name": "s", "parser_ops": [{"op": "extract_VL", "parameters": [` +
			`{"type": "regular", "value": "h"}, {"type": "hexstr", "value": "0x8"}]}]}]}]`,
			`type "t" has no variable-length field`},
	} {
		_, err := Load([]byte(strings.Replace(minimal, "%s", c.more, 1)))
		if err == nil || errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.more, err, c.want)
		}
	}
	if _, err := Load([]byte(`{"__meta__": {"version": [3, 0]}}`)); err == nil ||
		!strings.Contains(err.Error(), "version") {
		t.Errorf("version 3: %v", err)
	}
	if _, err := Load([]byte(strings.Replace(minimal, "%s", "", 1))); err != nil {
		t.Errorf("the minimal program: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(strings.Replace(minimal, "%s", "", 1)))
	for _, name := range append(samples[:len(samples):len(samples)], "handmade") {
		f.Add(readSample(f, name+".json"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Load(data)
		if (p == nil) == (err == nil) {
			t.Errorf("program %v with error %v", p, err)
		}
		if err == nil {
			again, err := Load(bytes.Clone(data))
			if err != nil || len(again.Tables()) != len(p.Tables()) {
				t.Errorf("the second time: %v", err)
			}
		}
	})
}

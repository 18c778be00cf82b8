package inspect

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func program(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("../p4rt/testdata/basic.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReport(t *testing.T) {
	r := Program([]byte(program(t)))
	if len(r.Refused) > 0 || r.Program == "" || r.Compiler == "" || !strings.HasPrefix(r.Format, "2.") {
		t.Errorf("report %+v", r)
	}
	i := slices.IndexFunc(r.Tables, func(x Table) bool { return x.Name == "ingress.forward_table" })
	if i < 0 || r.Tables[i].Control != "ingress" || r.Tables[i].Size == 0 ||
		!slices.Contains(r.Tables[i].Actions, "ingress.forward") ||
		!strings.Contains(r.Tables[i].Key[0], ": exact, ") {
		t.Errorf("tables %+v", r.Tables)
	}
	if !slices.Contains(r.Primitives, "mark_to_drop") || !slices.Contains(r.ParserStates, "start") ||
		len(r.Headers) == 0 || r.Headers[0].Width == 0 || len(r.Actions) == 0 {
		t.Errorf("report %+v", r)
	}
}

// All programs of the rooms below can be described.
func TestReportOfAllSamples(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if r := Program(data); r.Program == "" || len(r.Refused) > 0 || len(r.Actions) == 0 {
			t.Errorf("%s: %+v", f, r)
		}
	}
}

func TestEveryRefusalIsNamed(t *testing.T) {
	text := program(t)
	for name, c := range map[string]struct {
		edits []string // what is replaced, and by what
		want  []string
	}{
		"two primitives": {[]string{`"op" : "mark_to_drop"`, `"op" : "teleport"`,
			`"op" : "assign"`, `"op" : "levitate"`}, []string{`"teleport"`, `"levitate"`}},
		"an attribute and an extern": {[]string{`"extern_instances" : []`,
			`"extern_instances" : [{"name" : "magic", "id" : 0, "type" : "wand"}], "spells" : []`},
			[]string{`attribute "spells"`, `"magic"`}},
		"no JSON":       {[]string{`{`, `[`}, []string{"bmv2 JSON"}},
		"no v1model":    {[]string{`"name" : "egress"`, `"name" : "outgress"`}, []string{"is not for v1model"}},
		"a bad version": {[]string{`"version" : [2`, `"version" : [3`}, []string{"want [2, minor]"}},
	} {
		changed := strings.NewReplacer(c.edits...).Replace(text)
		if changed == text {
			t.Fatalf("%s: nothing was replaced", name)
		}
		got := Program([]byte(changed)).Refused
		if len(got) != len(c.want) {
			t.Errorf("%s: %d refusals %q, want %d", name, len(got), got, len(c.want))
		}
		for _, w := range c.want {
			if !slices.ContainsFunc(got, func(g string) bool { return strings.Contains(g, w) }) {
				t.Errorf("%s: %q, want %q", name, got, w)
			}
		}
	}
}

// Whatever the file holds, the inspection ends, and says something about what does not run.
func FuzzProgram(f *testing.F) {
	text := program(f)
	f.Add([]byte(text))
	f.Add([]byte(strings.ReplaceAll(text, `"op" : "assign"`, `"op" : "levitate"`)))
	f.Add([]byte(`{"__meta__":{"version":[2,1]},"x":[{"x":1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := Program(data)
		if runs := verify(data) == nil; runs != (len(r.Refused) == 0) || len(r.Refused) > mostRefusals {
			t.Errorf("runs: %v, refused %q", runs, r.Refused)
		}
	})
}

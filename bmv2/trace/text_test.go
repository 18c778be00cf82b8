package trace

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/stf"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

var rewrite = flag.Bool("rewrite", false, "write what is told into the golden files")

// TestText compares what is told of packets of the test programs with testdata/NAME.txt: of the test of
// that name there, which has all that a step can be.
func TestText(t *testing.T) {
	tests, err := filepath.Glob("testdata/*.stf")
	if err != nil || len(tests) == 0 {
		t.Fatal(tests, err)
	}
	for _, test := range tests {
		name := strings.TrimSuffix(filepath.Base(test), ".stf")
		t.Run(name, func(t *testing.T) { compareText(t, test, name) })
	}
}

func compareText(t *testing.T, test, name string) {
	var told strings.Builder
	c := stf.Case{Test: test, Program: filepath.Join("..", "testdata", name+".json")}
	load := func(path string) (*bmv2.Program, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return bmv2.Load(data)
	}
	verdict, err := c.Run(load, func(x *v1model.Trace) {
		_, text, _ := strings.Cut(Text(Line{Time: time.Unix(0, 0), Trace: x}), " ") // the time
		told.WriteString(text)
	})
	if verdict != stf.Passed {
		t.Fatal(verdict, err)
	}
	golden := filepath.Join("testdata", name+".txt")
	if *rewrite {
		if err := os.WriteFile(golden, []byte(told.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if told.String() != string(want) {
		t.Errorf("told is something else than %s: run with -rewrite and look at the difference\n%s", golden, &told)
	}
}

func TestTextTellsLosses(t *testing.T) {
	x := Line{Lost: 3, Trace: &v1model.Trace{Omitted: 2, Passes: []*v1model.Pass{{
		Out: &v1model.Out{Port: 9, NoPort: true, Frame: v1model.Bytes{1}}}}}}
	text := Text(x)
	for _, want := range []string{"(3 packets were lost here", "and 2 more passes",
		"sent to port 9, where no port is: lost, 1 bytes: 0x01"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestTextTellsWhatWasChosen(t *testing.T) {
	port := []v1model.Field{{Name: "port", Value: v1model.Bytes{2}}}
	for _, c := range []struct {
		lookup v1model.Lookup
		want   string
	}{
		{v1model.Lookup{Name: "t", Hit: true, Color: "yellow", Action: "send", Params: port},
			"table t: hit, yellow -> send(port=0x02)"},
		{v1model.Lookup{Name: "t", Hit: true, Group: 7, Member: 2, Action: "send", Params: port},
			"table t: hit, group 7, member 2 -> send(port=0x02)"},
		{v1model.Lookup{Name: "t", Hit: true, Group: 7}, "table t: hit, group 7, nothing to choose from"},
		{v1model.Lookup{Name: "t", Key: port}, "table t: port=0x02, miss, no default action"},
	} {
		if got := lookup(&c.lookup); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	meter := v1model.Step{Meter: &v1model.Metering{Name: "m", Index: 3, Color: "red"}}
	if got := step(meter); got != "meter m[3] says red" {
		t.Error(got)
	}
}

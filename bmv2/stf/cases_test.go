package stf_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/stf"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCases(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"p.json", "a.stf", "b.stf", "b.json"} {
		write(t, at(name), "")
	}
	for _, c := range []struct {
		paths string
		want  []stf.Case
	}{
		{"p.json a.stf b.stf", []stf.Case{{at("a.stf"), at("p.json")}, {at("b.stf"), at("p.json")}}},
		{"a.stf b.json b.stf", []stf.Case{{at("a.stf"), at("a.json")}, {at("b.stf"), at("b.json")}}},
		{".", []stf.Case{{at("a.stf"), at("a.json")}, {at("b.stf"), at("b.json")}}},
		{"p.json", nil},
		{"p.json b.json b.stf", nil},
		{"p.txt", nil},
	} {
		var paths []string
		for path := range strings.FieldsSeq(c.paths) {
			paths = append(paths, at(path))
		}
		write(t, at("p.txt"), "")
		got, err := stf.Cases(paths)
		if c.want == nil && !errors.Is(err, stf.ErrCases) || c.want != nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.paths, got, err, c.want)
		}
	}
	if _, err := stf.Cases([]string{t.TempDir()}); !errors.Is(err, stf.ErrCases) {
		t.Errorf("a directory without tests: %v", err)
	}
}

func TestVerdicts(t *testing.T) {
	dir := t.TempDir()
	program, err := os.ReadFile(filepath.Join(testdata, "tables.json"))
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(dir, "p.json"), string(program))
	odd := write(t, filepath.Join(dir, "odd.json"), strings.ReplaceAll(string(program), "mark_to_drop", "teleport"))
	const good = "packet 0 00 1000 0002 00000000000000000000000000000000\n"
	load := func(path string) (*bmv2.Program, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return bmv2.Load(data)
	}
	for _, c := range []struct {
		program, test string
		want          stf.Verdict
		packets       int
	}{
		{path, good, stf.Passed, 1},
		{path, good + "expect 3 00", stf.Failed, 1},
		{path, "teleport 3", stf.Broken, 0},
		{odd, good, stf.Refused, 0},
		{filepath.Join(dir, "absent.json"), good, stf.Broken, 0},
	} {
		packets := 0
		test := write(t, filepath.Join(dir, "t.stf"), c.test)
		got, err := stf.Case{Test: test, Program: c.program}.Run(load, func(*v1model.Trace) { packets++ })
		if got != c.want || (err == nil) != (got == stf.Passed) || packets != c.packets {
			t.Errorf("%q: %v, %v, %d packets, want %v and %d", c.test, got, err, packets, c.want, c.packets)
		}
	}
}

func TestMismatchNamesEveryDifference(t *testing.T) {
	f, err := stf.Parse("x.stf", "add exact_table nibble:1 small:2 send(port:3)\n"+
		"packet 0 00 1000 0002 00000000000000000000000000000000\n"+
		"expect 3 00 1* 00 0003\nexpect 3 77\nexpect 4 1234$\n")
	if err != nil {
		t.Fatal(err)
	}
	err = stf.Run(newSwitch(t, "tables"), f)
	const want = `x.stf: other frames left than expected
  port 3, frame 1: differs at byte 4 (line 3)
    want 001*000003
    got  001000000200000000000000000000000000000000
                  ^
  port 3, frame 2: is missing (line 4)
    want 77
  port 4, frame 1: is missing (line 5)
    want 1234$`
	if m := (*stf.Mismatch)(nil); !errors.As(err, &m) || err.Error() != want || len(m.Differences) != 3 {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// A test fills a switch, without its packets.
func TestFill(t *testing.T) {
	f, err := stf.Parse("x.stf", "packet 0 00\nexpect 9 00\nno_packet\n"+
		"add exact_table nibble:1 small:2 send(port:3)\nregister_write ingress.seen 2 41\n")
	if err != nil {
		t.Fatal(err)
	}
	sw := newSwitch(t, "tables")
	if err := stf.Fill(sw, f); err != nil {
		t.Fatal(err)
	}
	if v, err := sw.ReadRegister("ingress.seen", 2); err != nil || v[len(v)-1] != 41 ||
		sw.TableSizes()["ingress.exact_table"] != 1 || sw.Stats().Received != 0 {
		t.Errorf("register %v, %v, tables %v, %+v", v, err, sw.TableSizes(), sw.Stats())
	}
	if err := stf.Fill(sw, f); err == nil || !strings.Contains(err.Error(), "x.stf:4: ") {
		t.Errorf("the same entry again: %v", err)
	}
}

package stf_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2/stf"
)

func parseOne(t *testing.T, line string) stf.Command {
	t.Helper()
	f, err := stf.Parse("test", line)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Steps) != 1 {
		t.Fatalf("%q has %d steps", line, len(f.Steps))
	}
	return f.Steps[0].Command
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		line string
		want stf.Command
	}{
		{"packet 3 0A 0b0c # comment", stf.Packet{Port: 3, Data: []byte{10, 11, 12}}},
		{"expect 3", stf.Expect{Port: 3, Any: true}},
		{"expect 3 1*$", stf.Expect{Port: 3, Value: []byte{1, 0}, Care: []bool{true, false},
			Exact: true}},
		{"add t 7 a.b:0x1 hs[1].c:2/3 x.act(p:1, q:0x2) = first", stf.Add{Table: "t", Priority: 7,
			Match:  []stf.Arg{{"a.b", "0x1"}, {"hs[1].c", "2/3"}},
			Action: stf.Call{Action: "x.act", Args: []stf.Arg{{"p", "1"}, {"q", "0x2"}}},
			Label:  "first"}},
		{"add t drop()", stf.Add{Table: "t", Action: stf.Call{Action: "drop"}}},
		{"setdefault t act(p:1)", stf.SetDefault{Table: "t",
			Action: stf.Call{Action: "act", Args: []stf.Arg{{"p", "1"}}}}},
		{"check_counter c(4)", stf.CheckCounter{Counter: "c", Index: "4", Op: "=="}},
		{"check_counter c(e) bytes >= 0x10", stf.CheckCounter{Counter: "c", Index: "e", Bytes: true,
			Op: ">=", Value: 16}},
		{"mirroring_add 5 6", stf.AddSession{Session: 5, Port: 6}},
		{"mirroring_add_mc 5 6", stf.AddSession{Session: 5, Group: 6, UseGroup: true}},
		{"mc_node_create 400 6 7", stf.CreateNode{Instance: 400, Ports: []uint16{6, 7}}},
		{"mc_node_associate 1 0", stf.Associate{Group: 1}},
		{"register_write r 1 0xff", stf.WriteRegister{Register: "r", Index: 1, Value: "0xff"}},
		{"register_reset r", stf.WriteRegister{Register: "r", Index: -1}},
		{"counter_write c 1 2 3", stf.WriteCounter{Counter: "c", Index: 1, Packets: 2, Bytes: 3}},
		{"remove all", stf.RemoveAll{}},
		{"no_packet", stf.NoPacket{}},
	} {
		if got := parseOne(t, c.line); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q:\n got %#v\nwant %#v", c.line, got, c.want)
		}
	}
}

func TestParseNamesLineAndReason(t *testing.T) {
	for line, want := range map[string]string{
		"dance 1":                           `test:2: unknown command "dance"`,
		"packet x 00":                       "want a number up to 65535",
		"packet 1 0":                        "test:2: packet: frame",
		"expect 1 0g":                       "pattern digit",
		"add t 1":                           "no action",
		"add t a:1 act(p:1":                 "no closing parenthesis",
		"add t a act()":                     `priority "a"`,
		"add t 1 a act()":                   `match "a"`,
		"add t act(p)":                      `argument "p"`,
		"setdefault t act":                  "want table action(args)",
		"check_counter c":                   "want name(index)",
		"check_counter c(1) packets 3":      "condition",
		"check_counter c(1) bytes ~ 3":      `operator "~"`,
		"remove one":                        `"remove all"`,
		"mirroring_add 1":                   "1 arguments: want 2",
		"register_write r 1":                "want name, index and value",
		"meter_set_rates m x 1:1 2:2":       `index "x"`,
		"meter_set_rates m 1 1:1":           "1 rates: want",
		"meter_array_set_rates m 1 2":       `rate "1"`,
		"meter_array_set_rates m NaN:1 2:2": `rate "NaN:1"`,
		"meter_array_set_rates m 1:x 2:2":   `burst "x"`,
	} {
		_, err := stf.Parse("test", "# first line\n"+line)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}

func TestExpectMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, frame string
		want           bool
	}{
		{"01**", "0123", true},
		{"01**", "012345", true},
		{"01** $", "012345", false},
		{"01** $", "0123", true},
		{"01**", "01", false},
		{"0*2", "0a2f", true},
		{"0*2", "0a3f", false},
	} {
		e := parseOne(t, "expect 1 "+c.pattern).(stf.Expect)
		frame, err := hex.DecodeString(c.frame)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Matches(frame); got != c.want {
			t.Errorf("%s against %s: %v", c.pattern, c.frame, got)
		}
		if want := strings.ReplaceAll(c.pattern, " ", ""); e.String() != want {
			t.Errorf("String is %s, want %s", e, want)
		}
	}
}

// TestRunFails shows that each kind of check can fail.
func TestRunFails(t *testing.T) {
	const hit = "add exact_table nibble:1 small:2 send(port:3)\n" +
		"packet 0 00 1000 0002 00000000000000000000000000000000\n"
	for text, want := range map[string]string{
		hit + "expect 3 00 1000 0003":                    "port 3, frame 1: differs at byte 4 (line 3)",
		hit + "expect 3 00 1000 0002\nexpect 3 00":       "port 3, frame 2: is missing (line 4)",
		hit + "expect 3 00\nexpect 4 00":                 "port 4, frame 1: is missing (line 4)",
		hit + "packet 3 08":                              "port 3, frame 1: nothing was expected",
		hit + "no_packet":                                "port 3, frame 1: nothing was expected",
		hit + "check_counter kinds(0) packets == 2":      "kinds(0) has 1 packets, want == 2",
		hit + "check_counter kinds(9) packets == 2":      "out of range",
		hit + "check_counter nope(0) packets == 2":       `unknown counter "nope"`,
		hit + "add exact_table nibble:1 small:2 drop()":  "already exists",
		"add nope a:1 drop()":                            `unknown table "nope"`,
		"add table nibble:1 drop()":                      "ambiguous",
		"add exact_table bit:1 drop()":                   "has no key",
		"add exact_table nibble:1 dance()":               `unknown action "dance"`,
		"add exact_table nibble:1 send()":                `of action "ingress.send" is missing`,
		"add exact_table nibble:1 send(port:1, q:1)":     `no parameter "q"`,
		"add exact_table nibble:x drop()":                `value "x"`,
		"add const_table small:1 drop()":                 "fixed by the program",
		"mc_node_associate 1 0":                          "unknown group 1",
		"register_reset nope":                            `unknown register "nope"`,
		"meter_array_set_rates nope 1:1 2:2":             `unknown meter "nope"`,
		"add lpm_table wide:0x1ffffffff/33 odd:1 drop()": "",
		"add lpm_table wide:0x1/129 odd:1 drop()":        `prefix "0x1/129"`,
	} {
		f, err := stf.Parse("t.stf", text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		err = stf.Run(newSwitch(t, "tables"), f)
		if want == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(testdata, "*.stf"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		test, err := stf.Parse("fuzz", text)
		if (test == nil) == (err == nil) {
			t.Errorf("test %v with error %v", test, err)
		}
	})
}

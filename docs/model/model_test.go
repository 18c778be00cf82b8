// Package model_test has spin look through every state of the epoch model: the rules as they are
// must hold everywhere, and without any one of them spin must find what goes wrong.
package model_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience ends a search that has gone out of hand. A usual one takes seconds.
const patience = 5 * time.Minute

// worlds are the constants under which the rules are checked, each with the least number of states
// that it must have: a model that can do nothing breaks no rule.
var worlds = []struct {
	name   string
	flags  string
	states int
	large  bool // only with TURBOKV_MODEL=large
}{
	{"one joins, two writes", "-DFIRST=1 -DEPOCHS=3 -DSWITCHES=1", 3e4, false},
	{"one joins, any change", "-DFIRST=1 -DEPOCHS=4 -DSWITCHES=1 -DWRITES=1", 5e4, false},
	{"two join, the first leaves",
		"-DTWO_JOINS -DFIRST=1 -DEPOCHS=6 -DSWITCHES=1 -DWRITES=1 -DCRASHES=0", 1e5, false},
	{"two switches", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=2 -DWRITES=1 -DCRASHES=0", 2e5, false},
	{"three members, crash", "-DFIRST=3 -DEPOCHS=3 -DSWITCHES=1 -DWRITES=1", 1e5, false},
	{"three members", "-DFIRST=3 -DEPOCHS=3 -DSWITCHES=1 -DCRASHES=0", 5e5, false},
	{"two members, two changes", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=1", 1e6, true},
	{"three members, two writes, crash", "-DFIRST=3 -DEPOCHS=3 -DSWITCHES=1", 2e6, true},
	{"two switches, crash", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=2 -DWRITES=1", 1e6, true},
	{"two switches, two writes", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=2 -DCRASHES=0", 1e6, true},
	{"two switches, three members", "-DFIRST=3 -DEPOCHS=3 -DSWITCHES=2 -DWRITES=1 -DCRASHES=0", 5e5, true},
	{"two switches, three moves", "-DFIRST=1 -DEPOCHS=4 -DSWITCHES=2 -DWRITES=1 -DCRASHES=0", 1e6, true},
	{"one joins, any change, two writes", "-DFIRST=1 -DEPOCHS=4 -DSWITCHES=1", 1e6, true},
	{"two join, the first leaves, crash",
		"-DTWO_JOINS -DFIRST=1 -DEPOCHS=6 -DSWITCHES=1 -DWRITES=1", 5e5, true},
	{"two crashes", "-DFIRST=1 -DEPOCHS=4 -DSWITCHES=1 -DCRASHES=2", 2e6, true},
}

// breaks leave out one rule each. found is what spin has to say about it.
var breaks = []struct {
	name, flags, found string
}{
	{"BREAK_I1", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=1", `committed`},
	{"BREAK_I3", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=1", `log.*!=0`},
	{"BREAK_I4", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=1", `violated`},
	{"BREAK_I5", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=1", `committed.*!=log`},
	{"BREAK_I6", "-DFIRST=1 -DEPOCHS=3 -DSWITCHES=1", `violated 0`},
	{"BREAK_I7", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=1", `violated 0`},
	{"BREAK_ORDER", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=1", `violated 0`},
	{"BREAK_STAMPERS", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=2 -DWRITES=1 -DCRASHES=0", `violated 0`},
	{"BREAK_TAILS", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=2 -DWRITES=1 -DCRASHES=0", `violated 0`},
	{"BREAK_NEWTAIL", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=2 -DWRITES=1 -DCRASHES=0", `violated 0`},
	{"BREAK_LATE", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=2 -DWRITES=1 -DCRASHES=0", `violated 0`},
	{"BREAK_SINCE", "-DFIRST=2 -DEPOCHS=4 -DSWITCHES=1", `violated`},
	{"BREAK_DOUBT", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=1", `violated 0`},
	{"BREAK_JOINED", "-DFIRST=1 -DEPOCHS=3 -DSWITCHES=1", `violated`},
	{"BREAK_STABLE", "-DFIRST=1 -DEPOCHS=3 -DSWITCHES=1", `violated`},
	{"BREAK_GATECRASH", "-DFIRST=1 -DEPOCHS=3 -DSWITCHES=1", `violated 0`},
	{"BREAK_GATEDOUBT", "-DFIRST=1 -DEPOCHS=3 -DSWITCHES=1", `violated 0`},
	{"BREAK_HELLO", "-DTWO_JOINS -DFIRST=1 -DEPOCHS=6 -DSWITCHES=1 -DWRITES=1 -DCRASHES=0",
		`violated 0`},
	{"REACH_JOIN", "-DFIRST=1 -DEPOCHS=3 -DSWITCHES=1 -DCRASHES=0", `violated 0`},
	{"REACH_ALONE", "-DFIRST=1 -DEPOCHS=4 -DSWITCHES=1 -DCRASHES=0", `violated 0`},
	{"REACH_AWAY", "-DFIRST=2 -DEPOCHS=3 -DSWITCHES=2 -DCRASHES=0", `violated 0`},
}

func TestTheRulesHold(t *testing.T) {
	needSpin(t)
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			if w.large && os.Getenv("TURBOKV_MODEL") != "large" {
				t.Skip("takes minutes; set TURBOKV_MODEL=large")
			}
			t.Parallel()
			optimize := "-O0" // compiles in a third of the time of -O1
			if w.large {
				optimize = "-O2"
			}
			r := search(t, w.flags, optimize)
			if r.errors != 0 {
				t.Fatalf("a rule does not hold; see docs/model/README.md for how to read it:\n%s", r.output)
			}
			if r.states < w.states || strings.Contains(r.output, "not completed") ||
				strings.Contains(r.output, "too small") {
				t.Fatalf("%d states, want all, at least %d:\n%s", r.states, w.states, r.output)
			}
			t.Logf("%d states", r.states)
		})
	}
}

func TestEveryRuleIsNeeded(t *testing.T) {
	needSpin(t)
	for _, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			r := search(t, "-D"+b.name+" "+b.flags, "-O0")
			if r.errors == 0 || !regexp.MustCompile(b.found).MatchString(r.output) {
				t.Fatalf("spin does not see it:\n%s", r.output)
			}
		})
	}
}

func needSpin(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the model is not checked: no %s on PATH (apt-get install %s)", tool, tool)
		}
	}
}

// result is what a search has found.
type result struct {
	output         string
	states, errors int
}

var (
	statesLine = regexp.MustCompile(`(?m)^\s*(\d+) states, stored`)
	errorsLine = regexp.MustCompile(`errors: (\d+)`)
)

// search builds the verifier for the model with these constants and runs it to its end, or to the
// first violation.
func search(t *testing.T, flags, optimize string) (r result) {
	t.Helper()
	model, err := os.ReadFile("epoch.pml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "epoch.pml"), model, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	run := func(name string, args ...string) string {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("spin", append(append([]string{"-a"}, strings.Fields(flags)...), "epoch.pml")...)
	run("gcc", optimize, "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=4000", "-o", "pan", "pan.c")
	r.output = run(filepath.Join(dir, "pan"), "-E", "-m100000")
	r.states, r.errors = number(t, statesLine, r.output), number(t, errorsLine, r.output)
	return r
}

func number(t *testing.T, line *regexp.Regexp, output string) int {
	t.Helper()
	m := line.FindStringSubmatch(output)
	if m == nil {
		t.Fatalf("no %v in:\n%s", line, output)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(fmt.Errorf("%v: %w", line, err))
	}
	return n
}

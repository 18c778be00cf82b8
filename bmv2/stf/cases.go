package stf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// ErrCases is reported for paths that name no tests.
var ErrCases = errors.New("valid are PROGRAM.json TEST.stf..., TEST.stf beside its TEST.json, " +
	"and directories of such tests")

// Case is a test and the program that it is for.
type Case struct {
	Test    string // path of the .stf file
	Program string // path of the .json file
}

// Cases finds the tests that paths name. A .json file is the program of the .stf files after it; other
// .stf files belong to the .json file of the same name beside them, and so do those of a directory,
// which is searched in full.
func Cases(paths []string) (cases []Case, err error) {
	program, used := "", true
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		switch {
		case info.IsDir():
			found, err := inDirectory(path)
			if err != nil {
				return nil, err
			}
			cases = append(cases, found...)
		case filepath.Ext(path) == ".json":
			if !used {
				return nil, fmt.Errorf("%s: no test follows: %w", program, ErrCases)
			}
			program, used = path, false
		case filepath.Ext(path) != ".stf":
			return nil, fmt.Errorf("%s: %w", path, ErrCases)
		case program != "":
			cases, used = append(cases, Case{path, program}), true
		default:
			cases = append(cases, Case{path, beside(path)})
		}
	}
	if !used {
		return nil, fmt.Errorf("%s: no test follows: %w", program, ErrCases)
	}
	return cases, nil
}

// beside is the program that has the name of a test.
func beside(test string) string { return strings.TrimSuffix(test, ".stf") + ".json" }

func inDirectory(dir string) (cases []Case, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && filepath.Ext(path) == ".stf" {
			cases = append(cases, Case{path, beside(path)})
		}
		return err
	})
	if err == nil && len(cases) == 0 {
		err = fmt.Errorf("%s: no file ends with .stf: %w", dir, ErrCases)
	}
	return cases, err
}

// Verdict is what came of a case.
type Verdict string

// The verdicts.
const (
	Passed  Verdict = "passed"
	Failed  Verdict = "failed"  // other frames left, or a command was refused
	Refused Verdict = "refused" // the program needs what this switch does not have
	Broken  Verdict = "broken"  // a file is missing or malformed
)

// Run runs the test on a fresh switch. load reads the program; follow, unless nil, is told the trace of
// each packet. The error says what was wrong with all verdicts but Passed.
func (c Case) Run(
	load func(path string) (*bmv2.Program, error), follow func(*v1model.Trace),
) (Verdict, error) {
	text, err := os.ReadFile(c.Test)
	if err != nil {
		return Broken, err
	}
	f, err := Parse(filepath.Base(c.Test), string(text))
	if err != nil {
		return Broken, err
	}
	program, err := load(c.Program)
	if errors.Is(err, bmv2.ErrUnsupported) {
		return Refused, err
	}
	if err != nil {
		return Broken, err
	}
	sw, err := v1model.NewSwitch(program, v1model.Config{})
	if err != nil {
		return Refused, err
	}
	if follow != nil {
		if _, err := sw.Watch(v1model.Filter{}, follow); err != nil {
			return Broken, err
		}
	}
	if err := Run(sw, f); err != nil {
		return Failed, err
	}
	return Passed, nil
}

// Mismatch is the error of a test after which other frames had left than it expected.
type Mismatch struct {
	Test        string
	Differences []Difference
}

// Difference is one frame that left and should not have, or the other way round, or is another one.
type Difference struct {
	Port  uint16
	Index int     // of the frame, among those that left by the port
	Line  int     // of the test, that expected Want
	Want  *Expect // nil: nothing
	Got   []byte  // nil: nothing
}

// Error implements error, with one or several lines for each difference.
func (m *Mismatch) Error() string {
	lines := []string{m.Test + ": other frames left than expected"}
	for _, d := range m.Differences {
		lines = append(lines, d.lines()...)
	}
	return strings.Join(lines, "\n")
}

func (d Difference) lines() []string {
	where := fmt.Sprintf("  port %d, frame %d", d.Port, d.Index+1)
	switch {
	case d.Want == nil:
		return []string{where + ": nothing was expected", fmt.Sprintf("    got  %x", d.Got)}
	case d.Got == nil:
		return []string{fmt.Sprintf("%s: is missing (line %d)", where, d.Line), "    want " + d.Want.String()}
	}
	got := fmt.Sprintf("%x", d.Got)
	at := d.Want.differsAt(got)
	what := fmt.Sprintf("differs at byte %d", at/2)
	if at >= len(got) {
		what = fmt.Sprintf("ends after %d bytes", len(d.Got))
	}
	return []string{fmt.Sprintf("%s: %s (line %d)", where, what, d.Line),
		"    want " + d.Want.String(), "    got  " + got, strings.Repeat(" ", len("    got  ")+at) + "^"}
}

// differsAt returns the index of the first hexadecimal digit that is not as expected.
func (e Expect) differsAt(digits string) int {
	for i := range min(len(digits), len(e.Value)) {
		if e.Care[i] && digits[i] != "0123456789abcdef"[e.Value[i]] {
			return i
		}
	}
	return min(len(digits), len(e.Value))
}

// numbered is an expectation and its line.
type numbered struct {
	Expect
	line int
}

// differences compares what left by one port.
func differences(port uint16, want []numbered, got [][]byte) (out []Difference) {
	for i := range max(len(want), len(got)) {
		d := Difference{Port: port, Index: i}
		if i < len(want) {
			d.Want, d.Line = &want[i].Expect, want[i].line
		}
		if i < len(got) {
			d.Got = append([]byte{}, got[i]...)
		}
		if d.Want == nil || d.Got == nil || !d.Want.Matches(d.Got) {
			out = append(out, d)
		}
	}
	return out
}

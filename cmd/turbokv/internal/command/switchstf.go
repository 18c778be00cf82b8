package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/stf"
	"github.com/turbokv/turbokv/bmv2/trace"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// stfFlags say how packet tests are run.
type stfFlags struct {
	info  string
	trace bool
}

func (a *app) switchSTFCommand() *cobra.Command {
	var f stfFlags
	c := &cobra.Command{
		Use:   "stf PROGRAM.json TEST.stf... | TEST.stf... | DIRECTORY...",
		Short: "Run packet tests, as p4c has them, on the built-in switch",
		Long: `Run packet tests in p4c's simple test framework (.stf) on the built-in switch, without
ports and without root: entries, packets that come in, and what must leave.

A .json file, as p4c-bm2-ss writes it, is the program of the .stf files after it. Other
.stf files belong to the .json file of the same name beside them, and so do all of a
directory.

Each test gets a fresh switch. It is passed, failed (other frames left, or a command was
refused), refused (the program needs what this switch does not have) or broken (a file is
missing or malformed). The exit code is 0 if all passed, else 1.`,
		Example: `  turbokv switch stf basic.json basic.stf
  turbokv switch stf --trace basic.json basic.stf      # and what each packet met
  turbokv switch stf tests/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.runSTF(c.Context(), args, f) },
	}
	c.Flags().StringVar(&f.info, "p4info", "", "P4Info `file` that must belong to the programs")
	c.Flags().BoolVar(&f.trace, "trace", false, "print what each packet meets")
	return c
}

// stfOutput is the JSON form of a test.
type stfOutput struct {
	Test    string      `json:"test"`
	Program string      `json:"program"`
	Verdict stf.Verdict `json:"verdict"`
	Reason  string      `json:"reason,omitempty"`
}

func (a *app) runSTF(ctx context.Context, paths []string, f stfFlags) error {
	cases, err := stf.Cases(paths)
	if err != nil {
		return usagef("%w", err)
	}
	counts := map[stf.Verdict]int{}
	for _, c := range cases {
		if err := ctx.Err(); err != nil {
			return err
		}
		verdict, err := c.Run(f.load, a.follow(f))
		counts[verdict]++
		if err := a.printVerdict(c, verdict, err); err != nil {
			return err
		}
	}
	if a.output == outputTable {
		fmt.Fprintf(a.Out, "%s\n", summary(counts))
	}
	if counts[stf.Passed] < len(cases) {
		return &passed{exitFailure}
	}
	return nil
}

func (f stfFlags) load(path string) (*bmv2.Program, error) {
	program, _, err := daemon.ReadPipeline(path, f.info)
	return program, err
}

// follow prints traces, if they are wanted.
func (a *app) follow(f stfFlags) func(*v1model.Trace) {
	if !f.trace {
		return nil
	}
	return func(t *v1model.Trace) {
		line := trace.Line{Time: time.Now(), Trace: t}
		_ = a.printLine(line, func(w io.Writer) error { // nobody is left to tell
			_, err := io.WriteString(w, trace.Text(line))
			return err
		})
	}
}

func (a *app) printVerdict(c stf.Case, verdict stf.Verdict, reason error) error {
	out := stfOutput{Test: c.Test, Program: c.Program, Verdict: verdict}
	if reason != nil {
		out.Reason = reason.Error()
	}
	return a.printLine(out, func(w io.Writer) error {
		fmt.Fprintf(w, "%-7s  %s\n", verdict, c.Test)
		if out.Reason == "" {
			return nil
		}
		_, err := fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(out.Reason, "\n", "\n  "))
		return err
	})
}

func summary(counts map[stf.Verdict]int) string {
	text, total := "", 0
	for _, v := range []stf.Verdict{stf.Passed, stf.Failed, stf.Refused, stf.Broken} {
		total += counts[v]
		if counts[v] > 0 || v == stf.Passed {
			text += fmt.Sprintf(", %d %s", counts[v], v)
		}
	}
	return fmt.Sprintf("%d tests%s", total, text)
}

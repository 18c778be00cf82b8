package command

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/inspect"
)

func (a *app) switchCheckCommand() *cobra.Command {
	var info string
	c := &cobra.Command{
		Use:   "check PROGRAM.json",
		Short: "Say whether the built-in switch runs a program, and what is in it",
		Long: `Say whether the built-in switch runs a program that p4c-bm2-ss compiled, and what the
program consists of. What the switch does not have is named, each construct once; the
exit code is 1 then.`,
		Example: `  turbokv switch check basic.json
  turbokv switch check basic.json --p4info basic.p4info.txt -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.checkProgram(args[0], info) },
	}
	c.Flags().StringVar(&info, "p4info", "", "P4Info `file` that must belong to the program")
	return c
}

func (a *app) checkProgram(path, info string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return usagef("program: %w", err)
	}
	r := inspect.Program(data)
	if len(r.Refused) == 0 && info != "" {
		if _, _, err := daemon.ReadPipeline(path, info); err != nil {
			r.Refused = append(r.Refused, err.Error())
		}
	}
	err = a.print(r, func(w io.Writer) error { return printReport(w, path, r) })
	if err == nil && len(r.Refused) > 0 {
		return &passed{exitFailure}
	}
	return err
}

// printReport prints one line for each kind of thing, and one for each table.
func printReport(w io.Writer, path string, r inspect.Report) error {
	var b strings.Builder
	if len(r.Refused) == 0 {
		fmt.Fprintf(&b, "%s runs on this switch\n", path)
	} else {
		fmt.Fprintf(&b, "%s does not run on this switch:\n", path)
		for _, text := range r.Refused {
			fmt.Fprintf(&b, "  %s\n", text)
		}
	}
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-13s %s\n", name, text)
		}
	}
	line("program", r.Program)
	line("compiler", r.Compiler)
	line("format", r.Format)
	line("headers", arrays(r.Headers))
	line("header unions", strings.Join(r.Unions, ", "))
	line("parser states", strings.Join(r.ParserStates, ", "))
	line("value sets", strings.Join(r.ValueSets, ", "))
	for _, t := range r.Tables {
		if len(t.Key) > 0 || len(t.Actions) != 1 { // p4c makes tables without a key of statements
			line(t.Control, tableLine(t))
		}
	}
	line("counters", arrays(r.Counters))
	line("meters", arrays(r.Meters))
	line("registers", arrays(r.Registers))
	line("digests", strings.Join(r.Digests, ", "))
	line("checksums", strings.Join(r.Checksums, "; "))
	line("primitives", strings.Join(r.Primitives, ", "))
	_, err := io.WriteString(w, b.String())
	return err
}

// arrays are names with what is known of them, as in name[cells] (bits).
func arrays(all []inspect.Array) string {
	var out []string
	for _, a := range all {
		text := a.Name
		if a.Size > 0 {
			text += fmt.Sprintf("[%d]", a.Size)
		}
		if a.Width > 0 {
			text += fmt.Sprintf(" (%d bits)", a.Width)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func tableLine(t inspect.Table) string {
	text := fmt.Sprintf("table %s (%s), %d entries", t.Name, strings.Join(t.Key, "; "), t.Size)
	if t.Const > 0 {
		text += fmt.Sprintf(", %d const", t.Const)
	}
	for _, x := range []struct{ what, name string }{
		{"profile", t.Profile}, {"counter", t.Counter}, {"meter", t.Meter},
	} {
		if x.name != "" {
			text += ", " + x.what + " " + x.name
		}
	}
	if t.IdleTimeout {
		text += ", idle timeouts"
	}
	return text + ": " + strings.Join(t.Actions, ", ")
}

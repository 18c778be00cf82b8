package command

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/differ"
)

func (a *app) switchDiffCommand() *cobra.Command {
	var opt differ.Options
	c := &cobra.Command{
		Use:   "diff PROGRAM.json P4INFO",
		Short: "Compare the built-in switch with simple_switch_grpc on random entries and packets",
		Long: `Run a program on the built-in switch and on simple_switch_grpc, which must be installed,
with the same random table entries and packets, and compare everything that comes out:
packets, packet-ins, digests, counters, and what a controller reads back.

Entries and packets come from the program: packets are ways through its parser, and
entries match values that the packets carry. The seed decides all of them. A difference is
repeated, and shown with the fewest entries and packets that still cause it. The exit code
is 0 if there was none, else 1.`,
		Example: `  turbokv switch diff basic.json basic.p4info.txt
  turbokv switch diff --seed 42 --cases 100 basic.json basic.p4info.txt`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.runDiff(c.Context(), args[0], args[1], opt)
		},
	}
	flags := c.Flags()
	flags.Uint64Var(&opt.Seed, "seed", 1, "`number` that decides all random choices")
	flags.IntVar(&opt.Cases, "cases", differ.DefaultCases, "`number` of times that the tables are filled anew")
	flags.IntVar(&opt.Frames, "packets", differ.DefaultFrames, "`number` of packets of each case")
	flags.IntVar(&opt.Entries, "entries", differ.DefaultEntries, "average `number` of entries of a table")
	flags.StringVar(&opt.Path, "simple-switch", differ.SimpleSwitch, "the `program` to compare with")
	return c
}

// diffOutput is the JSON form of a comparison, or of a difference.
type diffOutput struct {
	Program    string        `json:"program"`
	Difference string        `json:"difference,omitempty"`
	Stats      *differ.Stats `json:"stats,omitempty"`
}

func (a *app) runDiff(ctx context.Context, program, info string, opt differ.Options) error {
	if opt.Cases < 1 || opt.Frames < 1 || opt.Entries < 1 {
		return usagef("--cases, --packets and --entries: must be positive")
	}
	if _, err := exec.LookPath(opt.Path); err != nil {
		return fmt.Errorf("nothing to compare with: %w", err)
	}
	_, config, err := daemon.ReadPipeline(program, info)
	if err != nil {
		return usagef("%w", err)
	}
	name := strings.TrimSuffix(filepath.Base(program), ".json")
	subject, err := differ.NewSubject(name, config)
	if err != nil {
		return err
	}
	if why := subject.Disputed(); why != "" {
		a.logger("diff").Warn("differences are to be expected", "reason", why)
	}
	z := differ.NewFuzzer(opt)
	defer z.Close()
	found, err := z.Run(ctx, subject)
	for _, d := range found {
		if err := a.printLine(diffOutput{Program: name, Difference: d.String()}, text(d.String())); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := a.printLine(diffOutput{Program: name, Stats: &z.Stats}, text(z.Stats.String())); err != nil {
		return err
	}
	if len(found) > 0 {
		return &passed{exitFailure}
	}
	return nil
}

// text prints a line.
func text(line string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := fmt.Fprintln(w, line)
		return err
	}
}

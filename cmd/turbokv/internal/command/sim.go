package command

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/turbokvtest"
)

func (a *app) simCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "sim",
		GroupID: groupMeasure,
		Short:   "Simulate clusters under virtual time",
	}
	c.AddCommand(a.chaosCommand())
	return c
}

// chaosFlags are the options of a sweep.
type chaosFlags struct {
	seeds   uint64
	first   uint64
	seed    uint64
	workers int
	most    int
	seconds time.Duration
}

func (a *app) chaosCommand() *cobra.Command {
	var f chaosFlags
	c := &cobra.Command{
		Use:   "chaos",
		Short: "Play whole clusters in which everything goes wrong, by seed, and judge them",
		Long: `Play whole clusters in one process under virtual time: the real client sessions, the
real P4 program, the real storage servers and the real controller. A seed draws the
topology (one switch, or a tree of racks and spines), the work of the clients, and what
goes wrong: packets lost, repeated, held back, late by seconds and damaged; partitions;
crashes, restarts and wiped disks of nodes; disks that fail; nodes that freeze or are
slow; switches that reboot; cables between switches that are lost; racks that are lost
or cut off as a whole; a controller that crashes or loses some switches; operators who
move, split, merge and drain meanwhile.

Every run is judged: the history of each key must be linearizable, every increment
must have happened exactly once, and after everything was mended the cluster must come
to rest, with all replicas equal, within a minute of virtual time. The exit code is 1
if a run fails; what is printed for it replays it exactly.`,
		Example: `  turbokv sim chaos --seeds 1000 --first-seed 1
  turbokv sim chaos --seed 4711 --verbose`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("seed") {
				return a.playSeed(f.seed)
			}
			return a.chaos(cmd.Context(), f)
		},
	}
	flags := c.Flags()
	flags.Uint64Var(&f.seeds, "seeds", 1000, "how many seeds to play")
	flags.Uint64Var(&f.first, "first-seed", 1, "the first of them")
	flags.Uint64Var(&f.seed, "seed", 0, "play this seed only; with --verbose, say what happens")
	flags.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "runs at a time")
	flags.IntVar(&f.most, "most-failures", 10, "stop after so many failures")
	flags.DurationVar(&f.seconds, "for", 0, "stop after this time; 0 for no limit")
	return c
}

// playSeed plays one run, and tells its story if that is wanted.
func (a *app) playSeed(seed uint64) error {
	o := turbokvtest.Draw(seed)
	fmt.Fprintln(a.Out, o)
	if a.verbose {
		o.Verbose = func(line string) { fmt.Fprintln(a.Out, line) }
	}
	stats, err := turbokvtest.Play(o)
	if err != nil {
		return fmt.Errorf("seed %d: %w", seed, err)
	}
	_, err = fmt.Fprintf(a.Out, "passed: %s\n", figures(stats))
	return err
}

// chaosGCPercent trades memory for time: runs allocate a lot and keep little, some 10 MB.
const chaosGCPercent = 800

// chaos plays many.
func (a *app) chaos(ctx context.Context, f chaosFlags) error {
	if f.workers < 1 || f.seeds < 1 || f.most < 1 || f.seconds < 0 {
		return usagef("--seeds %d --workers %d --most-failures %d --for %v: must be at least 1, 1, 1, 0",
			f.seeds, f.workers, f.most, f.seconds)
	}
	if f.seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.seconds)
		defer cancel()
	}
	debug.SetGCPercent(chaosGCPercent)
	failed := 0
	sweep := turbokvtest.Sweep{First: f.first, Seeds: f.seeds, Workers: f.workers}
	sweep.Ended = func(_ uint64, failure *turbokvtest.Failure) bool {
		if failure != nil {
			failed++
			fmt.Fprintf(a.Out, "FAILED %v\n%v\nreplay: turbokv sim chaos --seed %d --verbose\n\n",
				failure.Options, failure.Err, failure.Seed)
		}
		return failed < f.most
	}
	r := sweep.Run(ctx)
	if err := a.print(r, func(w io.Writer) error { return writeChaos(w, r) }); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d seeds failed", failed, r.Seeds)
	}
	return nil
}

func writeChaos(w io.Writer, r turbokvtest.Result) error {
	var kinds []string
	for _, m := range turbokvtest.Kinds() {
		kinds = append(kinds, fmt.Sprintf("%d x %v", r.Stats.Mishaps[m], m))
	}
	_, err := fmt.Fprintf(w, "%d seeds in %v, %.1f seeds/s, %d failed\n%s\nmishaps: %s\n",
		r.Seeds, r.Elapsed.Round(time.Millisecond), float64(r.Seeds)/r.Elapsed.Seconds(),
		len(r.Failures), figures(r.Stats), strings.Join(kinds, ", "))
	return err
}

// figures says how much was tested.
func figures(s turbokvtest.Stats) string {
	text := fmt.Sprintf("%d operations, %d of unknown outcome; %d frames; %d commands of operators; "+
		"%v of virtual time, at rest %v after mending; %d sub-ranges lost with all their copies",
		s.Operations, s.Unknown, s.Frames, s.Actions, s.Virtual.Round(time.Millisecond),
		s.Healing.Round(time.Millisecond), s.Lost)
	if s.Undecided > 0 {
		text += fmt.Sprintf("; %d histories too hard to judge", s.Undecided)
	}
	return text
}

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// Streams are what a command reads and writes. Err is written by several goroutines at a time, which an
// os.File takes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Size tells the size of the terminal that Out is, if it is one; nil: Out is asked.
	Size func() (columns, rows int, terminal bool)
}

// app is what all commands share: the streams and the global flags.
type app struct {
	Streams
	started bool // flags and arguments were understood

	clusterPath string
	output      string
	timeout     time.Duration
	verbose     bool
	cpuProfile  string
	stopProfile func() error
}

// defaultTimeout bounds a command that asks the cluster once: longer than a failover takes.
const defaultTimeout = 5 * time.Second

// Run executes one command line, without the program's name, and returns its exit code.
func Run(ctx context.Context, args []string, s Streams) int {
	a := &app{Streams: s}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	cmd, err := root.ExecuteContextC(ctx)
	if a.stopProfile != nil {
		err = errors.Join(err, a.stopProfile())
	}
	if err == nil {
		return exitOK
	}
	if !a.started {
		err = &usageError{err}
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errInterrupted
	}
	if _, told := err.(*passed); told {
		return codeOf(err)
	}
	fmt.Fprintf(s.Err, "turbokv: %v\n", err)
	if !a.started {
		fmt.Fprintf(s.Err, "usage: %s\n", cmd.UseLine())
	}
	return codeOf(err)
}

// root assembles the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "turbokv",
		Short: "A replicated key-value store coordinated by a P4 switch",
		Long: `TurboKV is a replicated, linearizable key-value store whose coordinator is the network
switch.

` + exitHelp,
		Example: `  turbokv demo                    # everything in one process, some benchmarks, one table
  turbokv up                      # a cluster on this machine, until ctrl-C; then elsewhere:
  turbokv put greeting hello
  turbokv get greeting`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := c.ValidateRequiredFlags(); err != nil { // cobra does so later
				return err
			}
			a.started = true
			return a.checkGlobals()
		},
	}
	a.addGlobals(root)
	root.AddGroup(
		&cobra.Group{ID: groupData, Title: "Records:"},
		&cobra.Group{ID: groupCluster, Title: "Clusters:"},
		&cobra.Group{ID: groupMeasure, Title: "Measurements:"},
	)
	for _, c := range a.commands() {
		root.AddCommand(c)
	}
	a.addCompletions(root)
	return root
}

// The groups of the help text.
const (
	groupData    = "data"
	groupCluster = "cluster"
	groupMeasure = "measure"
)

func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.getCommand(), a.putCommand(), a.delCommand(), a.casCommand(), a.incrCommand(),
		a.scanCommand(), a.loadCommand(),
		a.addCommand(), a.admitCommand(), a.controllerCommand(), a.drainCommand(), a.eventsCommand(),
		a.forgetCommand(),
		a.keyspaceCommand(), a.mergeCommand(), a.mininetCommand(), a.moveCommand(), a.netCommand(),
		a.netnsCommand(), a.nodeCommand(), a.nodesCommand(), a.plansCommand(), a.rebalanceCommand(),
		a.splitCommand(), a.statusCommand(), a.switchCommand(), a.traceCommand(), a.indexCommand(),
		a.upCommand(), a.benchCommand(), a.compareCommand(), a.demoCommand(), a.faultsCommand(), a.skewCommand(),
		a.masterCommand(),
		a.simCommand(),
	}
}

func (a *app) addGlobals(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&a.clusterPath, "cluster", "",
		"cluster `file` written by turbokv up (default $TURBOKV_CLUSTER, or turbokv-data/cluster.json)")
	flags.StringVarP(&a.output, "output", "o", outputTable, "output `format`: table or json")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log more")
	flags.StringVar(&a.cpuProfile, "cpuprofile", "",
		"write a CPU profile of the command to this `file`")
	flags.DurationVar(&a.timeout, "timeout", defaultTimeout, "how long a request may take")
}

func (a *app) checkGlobals() error {
	if a.output != outputTable && a.output != outputJSON {
		return usagef("--output %q: must be table or json", a.output)
	}
	if a.timeout <= 0 {
		return usagef("--timeout %v: must be above 0", a.timeout)
	}
	if a.cpuProfile == "" {
		return nil
	}
	var err error
	a.stopProfile, err = profile(a.cpuProfile)
	return err
}

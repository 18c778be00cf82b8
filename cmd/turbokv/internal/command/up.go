package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/procs"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

// upFlags are the options of a cluster on this machine.
type upFlags struct {
	processes  bool
	nodes      int
	dataDir    string
	base       int
	durability string

	controllers int
	store       string
	http        string
}

// Bounds on the start and stop of a cluster.
const (
	readyTimeout = 30 * time.Second
	readyPoll    = 50 * time.Millisecond
	stopTimeout  = 10 * time.Second // of one process, before it is killed
)

func (a *app) upCommand() *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:     "up",
		GroupID: groupCluster,
		Short:   "Run a cluster on this machine until ctrl-C",
		Long: `Run a cluster on this machine, without root: the built-in switch, the controller that
programs it over P4Runtime, and storage nodes. It serves until ctrl-C and keeps its
data in --data-dir. There is a range-partitioned keyspace "default" at once.

Everything runs in this process or, with --processes, the switch, the controller and
every node in a process of its own. One of them may be killed: the others go on without
it.

Clients on this machine find the cluster by the file cluster.json in the data
directory.`,
		Example: `  turbokv up
  turbokv up --processes --nodes 7 --data-dir seven
  turbokv put greeting hello              # in another terminal, in the same directory`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.up(cmd.Context(), f) },
	}
	flags := c.Flags()
	flags.BoolVar(&f.processes, "processes", false, "run every part in a process of its own")
	flags.IntVar(&f.nodes, "nodes", 0, fmt.Sprintf(
		"storage nodes, 1 to %d (default: as many as the data directory has, or %d)", cluster.MaxNodes,
		cluster.DefaultNodes))
	flags.StringVar(&f.dataDir, "data-dir", clusterfile.DefaultDataDir,
		"`directory` of all that is kept")
	flags.IntVar(&f.base, "base-port", layout.DefaultBase,
		"lowest `port` number on 127.0.0.1; some hundred above it are used as well")
	flags.IntVar(&f.controllers, "controllers", 1,
		"with --processes: controllers, of which one leads; several need --store")
	flags.StringVar(&f.store, "store", "",
		"with --processes: etcd://host:port/prefix keeps the directory instead of a file")
	flags.StringVar(&f.durability, "durability", kv.DurabilitySync.String(),
		`of the keyspace "default": sync or memory`)
	flags.StringVar(&f.http, "http", "", fmt.Sprintf("`address` of the web page and the metrics (default: "+
		"127.0.0.1 and the base port + 3); port 0 for a free one; %s for none", httpOff))
	return c
}

func (a *app) up(ctx context.Context, f upFlags) error {
	durability, err := kv.ParseDurability(f.durability)
	if err != nil {
		return usagef("--durability: %w", err)
	}
	if f.nodes == 0 {
		f.nodes = cmp.Or(layout.NodesIn(f.dataDir), cluster.DefaultNodes)
	}
	plan := layout.Plan{
		Nodes: f.nodes, Base: f.base, DataDir: f.dataDir, Controllers: f.controllers, Store: f.store,
	}
	if !f.processes && (f.controllers > 1 || f.store != "") {
		return usagef("--controllers and --store need --processes")
	}
	if err := plan.Validate(); err != nil {
		return usagef("%w", err)
	}
	if err := os.MkdirAll(f.dataDir, 0o755); err != nil {
		return err
	}
	self, err := claimPlan(ctx, plan, cmp.Or(f.http, plan.HTTP()))
	if err != nil {
		return err
	}
	if f.processes {
		return a.upProcesses(ctx, plan, durability, self)
	}
	return a.upHere(ctx, plan, durability, self)
}

// upProcesses runs every part as a child.
func (a *app) upProcesses(
	ctx context.Context, plan layout.Plan, d kv.Durability, self *upSelf,
) (err error) {
	group := procs.NewGroup(a.Err)
	defer func() { err = errors.Join(err, self.stop(), group.Stop(stopTimeout), withdraw(plan)) }()
	for _, p := range plan.Processes() {
		if err := a.startPart(group, p); err != nil {
			return err
		}
	}
	self.serve(ctx, a.processAdder(group, plan, self))
	if err := self.openConsole(ctx, a, plan, self.gatherer(plan)); err != nil {
		return err
	}
	ready := make(chan error, 1)
	readyCtx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	go func() { ready <- prepare(readyCtx, plan.Controller(), d) }()
	select {
	case err = <-group.Ended():
	case err = <-ready:
	case <-ctx.Done():
		return nil
	}
	if err == nil {
		err = a.announce(plan, self)
	}
	if err != nil {
		return err
	}
	a.warn(ctx, plan.Controller())
	for {
		select {
		case err := <-group.Ended():
			a.logger("cluster").Warn("goes on without a part", "error", err)
		case <-ctx.Done():
			return nil
		}
	}
}

// startPart starts one part of a cluster as a child.
func (a *app) startPart(group *procs.Group, p layout.Process) error {
	if a.verbose {
		p.Args = append(p.Args, "--verbose")
	}
	return group.Start(p.Name, p.Args...)
}

// settleTime is how long the nodes of a started cluster are given to report what they have.
const settleTime = 2 * time.Second

// warn tells what needs an operator in a cluster that came up, as after a restart with fewer nodes
// or without the records of a keyspace of durability memory.
func (a *app) warn(ctx context.Context, controller string) {
	select {
	case <-time.After(settleTime):
	case <-ctx.Done():
		return
	}
	client, err := dialAdmin(controller)
	if err != nil {
		return
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil || len(status.Problems) == 0 {
		return // what is wrong with the controller itself shows elsewhere
	}
	fmt.Fprintf(a.Err, "turbokv: the cluster has %d problems, the first of which: %s\n"+
		"turbokv: see turbokv status; a keyspace that is lost can be dropped and created anew\n",
		len(status.Problems), status.Problems[0])
}

// prepare waits until the cluster takes orders and has the default keyspace.
func prepare(ctx context.Context, controller string, d kv.Durability) error {
	client, err := dialAdmin(controller)
	if err != nil {
		return err
	}
	defer client.Close()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		_, err := client.CreateKeyspace(ctx, admin.KeyspaceSpec{
			Name: defaultKeyspace, Partitioner: kv.RangePartitioned, Durability: d,
		})
		switch {
		case err == nil || errors.Is(err, admin.ErrExists):
			return nil
		case !errors.Is(err, admin.ErrNotReady) && !errors.Is(err, admin.ErrUnavailable):
			return fmt.Errorf("cluster: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("cluster: not ready after %v: %w", readyTimeout, err)
		}
	}
}

// announce writes the cluster file and tells how to talk to the cluster.
func (a *app) announce(plan layout.Plan, self *upSelf) error {
	path := clusterfile.Path(plan.DataDir)
	if err := plan.ClusterFile().Write(path); err != nil {
		return err
	}
	option := ""
	if plan.DataDir != clusterfile.DefaultDataDir {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		option = " --cluster " + path
	}
	_, err := fmt.Fprintf(a.Out, `TurboKV is ready: %d nodes, data in %s. Try in another terminal:

  turbokv put greeting hello%[3]s
  turbokv get greeting%[3]s
  turbokv status%[3]s

%[4]sctrl-C stops it.
`, plan.Nodes, plan.DataDir, option, self.pageNote())
	return err
}

// withdraw removes the cluster file, if it was written.
func withdraw(plan layout.Plan) error {
	err := os.Remove(clusterfile.Path(plan.DataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/outage"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/procs"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/suite"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/target"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/workload"
)

// faultFlags are the options of the measurement of failures.
type faultFlags struct {
	kills      []string
	nodes      int
	records    uint64
	valueSize  int
	subRanges  int
	durability string
	base       int
	threads    int
	inFlight   int

	controllers int
	store       string
}

// What can be killed. Several names joined by + are killed at once.
const (
	killNode       = "node"
	killController = "controller"
	killSwitch     = "switch"
)

var defaultKills = []string{killNode, killController, killNode + "+" + killNode, killSwitch}

func (a *app) faultsCommand() *cobra.Command {
	var f faultFlags
	c := &cobra.Command{
		Use:     "faults",
		GroupID: groupMeasure,
		Short:   "Kill the parts of a cluster under load and measure what clients notice",
		Long: `Start a cluster in which every part is a process, put YCSB A on it, and kill its parts
with SIGKILL, one after the other. For each it says how long the sub-ranges gave no
answer, to reads and to writes, by the role that the killed node had in them; when the
chains were short one member and complete again; and at which rate they were repaired.
At the end every acknowledged write is read back, and counters tell whether every
acknowledged increment happened exactly once: the exit code is 0 only then.

A part that was killed is started again when its kill has been measured, the switch at
once, because the cluster cannot serve without it.`,
		Example: `  turbokv faults
  turbokv faults --kill node,node+node --records 200000 --durability sync`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.faults(cmd.Context(), f) },
	}
	flags := c.Flags()
	flags.StringSliceVar(&f.kills, "kill", defaultKills,
		"what to kill: node, controller, switch, or several at once joined by +")
	flags.IntVar(&f.nodes, "nodes", cluster.DefaultNodes, "storage nodes, at least 4")
	flags.Uint64Var(&f.records, "records", 50_000, "records loaded before")
	flags.IntVar(&f.valueSize, "value-size", workload.DefaultValueSize, "`bytes` of a value")
	flags.IntVar(&f.subRanges, "sub-ranges", 16, "of the keyspace")
	flags.StringVar(&f.durability, "durability", "memory", "memory or sync")
	flags.IntVar(&f.base, "base-port", layout.DefaultBase+1000, "lowest `port` number on 127.0.0.1")
	flags.IntVar(&f.controllers, "controllers", 1, "controllers, of which the one that leads is killed")
	flags.StringVar(&f.store, "store", "", "etcd://host:port/prefix, for several controllers")
	flags.IntVar(&f.threads, "threads", 4, "client threads of the load")
	flags.IntVar(&f.inFlight, "in-flight", 8, "requests in flight a thread")
	return c
}

// Bounds of the phases of one kill.
const (
	faultWarmUp   = 3 * time.Second // of load before a kill
	faultCoolDown = 2 * time.Second // of load after everything is well again
	faultRepair   = 3 * time.Minute
	faultPoll     = 10 * time.Millisecond
	faultTimeout  = 30 * time.Second // of one request
)

// faultKeyspace is the keyspace under test.
const faultKeyspace = "faults"

// replicationOfFaults is what most keyspaces have.
const replicationOfFaults = 3

func (f faultFlags) check() (kv.Durability, error) {
	d, err := kv.ParseDurability(f.durability)
	switch {
	case err != nil:
		return d, usagef("--durability: %w", err)
	case f.nodes < replicationOfFaults+1:
		return d, usagef("--nodes %d: must be at least %d, so that there is a node for repair",
			f.nodes, replicationOfFaults+1)
	}
	for _, kill := range f.kills {
		if _, err := parseKill(kill, f.nodes); err != nil {
			return d, err
		}
	}
	return d, nil
}

// faults runs the whole measurement.
func (a *app) faults(ctx context.Context, f faultFlags) (err error) {
	d, err := f.check()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "turbokv-faults-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	a.timeout = faultTimeout
	lab, err := a.openLab(ctx, layout.Plan{
		Nodes: f.nodes, Base: f.base, DataDir: dir, Controllers: f.controllers, Store: f.store,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.close()) }()
	out, err := lab.measureKills(ctx, f, d)
	if err != nil {
		return err
	}
	return errors.Join(a.print(out, out.table), out.err())
}

// faultLab is a cluster of processes that are about to be killed.
type faultLab struct {
	app   *app
	plan  layout.Plan
	group *procs.Group
	site  *remoteSite
}

func (a *app) openLab(ctx context.Context, plan layout.Plan) (lab *faultLab, err error) {
	if err := plan.Validate(); err != nil {
		return nil, usagef("%w", err)
	}
	log := io.Discard
	if a.verbose {
		log = a.Err
	}
	lab = &faultLab{app: a, plan: plan, group: procs.NewGroup(log)}
	defer func() {
		if err != nil {
			err = errors.Join(err, lab.group.Stop(stopTimeout))
		}
	}()
	for _, p := range plan.Processes() {
		if err := lab.group.Start(p.Name, p.Args...); err != nil {
			return nil, err
		}
	}
	if err := lab.prepare(ctx); err != nil {
		return nil, err
	}
	a.clusterPath = clusterfile.Path(plan.DataDir)
	if err := plan.ClusterFile().Write(a.clusterPath); err != nil {
		return nil, err
	}
	lab.site, err = a.openRemote()
	return lab, err
}

// prepare waits until the cluster takes orders, unless a part of it ends.
func (l *faultLab) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ready := make(chan error, 1)
	go func() { ready <- prepare(ctx, l.plan.Controller(), kv.DurabilityMemory) }()
	select {
	case err := <-ready:
		return err
	case err := <-l.group.Ended():
		cancel()
		<-ready
		return err
	}
}

func (l *faultLab) close() error {
	return errors.Join(l.site.Close(), l.group.Stop(stopTimeout))
}

// measureKills loads records, kills what is to be killed, and verifies.
func (l *faultLab) measureKills(
	ctx context.Context, f faultFlags, d kv.Durability,
) (out faultOutput, err error) {
	client, err := createAndDial(ctx, l.site, admin.KeyspaceSpec{
		Name: faultKeyspace, Partitioner: kv.HashPartitioned, Durability: d,
		Replication: replicationOfFaults, SubRanges: f.subRanges,
	})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	probes, err := l.site.Dial(ctx, faultKeyspace) // a session of its own
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, probes.Close()) }()
	load, err := suite.New(target.New(client), suite.Config{
		Population: f.records, Threads: f.threads, InFlight: f.inFlight, Verify: true, Seed: 1,
		Records: workload.Records{ValueSize: f.valueSize}, Meter: l.app.meter(),
	})
	if err != nil {
		return out, err
	}
	if err := load.Load(ctx); err != nil {
		return out, err
	}
	k := &killer{lab: l, load: load, flags: f}
	if k.chains, err = l.chains(ctx); err != nil {
		return out, err
	}
	watch, err := outage.Start(ctx, incrementer{probes}, k.parts())
	if err != nil {
		return out, err
	}
	k.watch = watch
	for _, name := range f.kills {
		what, err := parseKill(name, f.nodes)
		if err != nil {
			return out, err
		}
		result, err := k.kill(ctx, name, what)
		if err != nil {
			_, _ = watch.Stop(ctx) // what it found is of no use any more
			return out, fmt.Errorf("kill %s: %w", name, err)
		}
		out.Kills = append(out.Kills, result)
	}
	if out.Counters, err = watch.Stop(ctx); err != nil {
		return out, err
	}
	out.Verification, err = load.Verify(ctx)
	return out, err
}

// parseKill returns the processes to kill. Nodes are taken from the first on.
func parseKill(text string, nodes int) (names []string, err error) {
	next := 1
	for _, word := range splitPlus(text) {
		switch word {
		case killNode:
			names = append(names, fmt.Sprintf("node%d", next))
			next++
		case killController, killSwitch:
			names = append(names, word)
		default:
			return nil, usagef("--kill %q: must be node, controller, switch or several joined by +", text)
		}
	}
	if next-1 > nodes-replicationOfFaults || next > replicationOfFaults {
		return nil, usagef("--kill %q: of %d nodes and %d replicas at most %d may go at once", text, nodes,
			replicationOfFaults, min(nodes-replicationOfFaults, replicationOfFaults-1))
	}
	return names, nil
}

// chains returns the sub-ranges of the keyspace under test.
func (l *faultLab) chains(ctx context.Context) ([]admin.SubRange, error) {
	s, err := l.status(ctx)
	if err != nil {
		return nil, err
	}
	id := s.Keyspaces[slices.IndexFunc(s.Keyspaces, func(k admin.Keyspace) bool {
		return k.Name == faultKeyspace
	})].ID
	return slices.DeleteFunc(s.SubRanges, func(r admin.SubRange) bool { return r.Keyspace != id }), nil
}

// status asks the controller, which may just have been killed, until it answers.
func (l *faultLab) status(ctx context.Context) (admin.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	for {
		s, err := l.site.Status(ctx)
		if err == nil || ctx.Err() != nil || !errors.Is(err, admin.ErrUnavailable) {
			return s, err
		}
	}
}

// await polls the status until it is as wanted.
func (l *faultLab) await(
	ctx context.Context, what string, limit time.Duration, holds func(admin.Status) bool,
) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(faultPoll)
	defer ticker.Stop()
	for {
		s, err := l.status(ctx)
		if err == nil && holds(s) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %v: %q", what, limit, s.Problems)
		}
	}
}

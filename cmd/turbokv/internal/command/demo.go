package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/suite"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/target"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/workload"
	"github.com/turbokv/turbokv/workload/trace"
)

// demoMixes are the workloads of the demo. D is left out: it differs from B by its distribution
// only.
var demoMixes = []string{"A", "B", "C", "E", "F"}

// demoFlags are the options of the demo.
type demoFlags struct {
	records    uint64
	duration   time.Duration
	threads    int
	inFlight   int
	nodes      int
	durability string
	trace      string
}

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:     "demo",
		GroupID: groupMeasure,
		Short:   "Run a cluster in this process, measure and verify it, and print one table",
		Long: `Start a whole cluster in this process: the built-in switch with the P4 program, the
controller that programs it over P4Runtime, storage nodes with 3 replicas of
everything. Load records, run the YCSB workloads A, B, C, E and F, then A once more while a
node stops and the controller mends the chains, replay a trace if one is given, read back
every acknowledged write, print one table, and stop. The exit code is 0 only if nothing
acknowledged is missing and everything has all its replicas again.`,
		Example: `  turbokv demo
  turbokv demo --trace cluster052.csv.zst`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), f) },
	}
	flags := c.Flags()
	flags.Uint64Var(&f.records, "records", 50_000, "records to load")
	flags.DurationVar(&f.duration, "duration", 5*time.Second,
		"of each workload, and at most of the trace")
	flags.IntVar(&f.threads, "threads", 8, "client threads")
	flags.IntVar(&f.inFlight, "in-flight", 16, "requests in flight a thread")
	flags.IntVar(&f.nodes, "nodes", cluster.DefaultNodes, "storage nodes")
	flags.StringVar(&f.durability, "durability", "memory", "memory or sync")
	flags.StringVar(&f.trace, "trace", "", "also replay this Twitter or CacheLib trace `file`")
	return c
}

// check refuses what cannot work before anything is measured.
func (f demoFlags) check() (kv.Durability, error) {
	d, err := kv.ParseDurability(f.durability)
	switch {
	case err != nil:
		return d, usagef("--durability: %w", err)
	case f.duration <= 0 || f.records == 0:
		return d, usagef("--duration %v --records %d: must be above 0", f.duration, f.records)
	case f.threads < 1 || f.inFlight < 1:
		return d, usagef("--threads %d --in-flight %d: must be at least 1", f.threads, f.inFlight)
	case f.trace == "":
		return d, nil
	}
	file, err := trace.OpenFile(f.trace)
	if err != nil {
		return d, err
	}
	return d, file.Close()
}

// demo runs everything on an embedded cluster.
func (a *app) demo(ctx context.Context, f demoFlags) (err error) {
	durability, err := f.check()
	if err != nil {
		return err
	}
	s, err := embeddedSite(ctx, f.nodes, durability)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	out, err := a.demoYCSB(ctx, s, f, durability)
	if err != nil {
		return err
	}
	verdict := out.err()
	if f.trace != "" {
		replayed, err := a.demoTrace(ctx, s, f, durability)
		if err != nil {
			return err
		}
		verdict = errors.Join(verdict, replayed.err())
		out = out.join(replayed)
	}
	return errors.Join(a.printBench(out), verdict)
}

// join adds the results of another benchmark.
func (o benchOutput) join(p benchOutput) benchOutput {
	o.Reports = append(o.Reports, p.Reports...)
	o.Trace = p.Trace
	if o.Verification != nil && p.Verification != nil {
		sum := *o.Verification
		sum.Checked += p.Verification.Checked
		sum.Violations += p.Verification.Violations
		sum.Unread += p.Verification.Unread
		sum.First = append(sum.First, p.Verification.First...)
		o.Verification = &sum
	}
	return o
}

// demoConfig is what both parts of the demo have in common.
func (a *app) demoConfig(f demoFlags) suite.Config {
	return suite.Config{
		Population: f.records, Threads: f.threads, InFlight: f.inFlight, Duration: f.duration,
		Verify: true, Seed: 1, Meter: a.meter(),
	}
}

func (a *app) demoYCSB(
	ctx context.Context, s embedded, f demoFlags, d kv.Durability,
) (out benchOutput, err error) {
	spec := admin.KeyspaceSpec{Name: "demo", Partitioner: kv.RangePartitioned, Durability: d}
	client, err := createAndDial(ctx, s, spec)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	run, err := suite.New(target.New(client), a.demoConfig(f))
	if err != nil {
		return out, err
	}
	if err := run.Load(ctx); err != nil {
		return out, err
	}
	for _, name := range demoMixes {
		mix, err := workload.ParseMix(name)
		if err != nil {
			return out, err
		}
		if err := run.Mix(ctx, mix); err != nil {
			return out, err
		}
	}
	crash, err := a.demoCrash(ctx, s, run, f)
	if err != nil {
		return out, err
	}
	v, err := run.Verify(ctx)
	return benchOutput{Reports: run.Reports(), Verification: &v, Crash: crash}, err
}

// demoTrace replays in a hash-partitioned keyspace: the keys of real caches begin alike.
func (a *app) demoTrace(
	ctx context.Context, s site, f demoFlags, d kv.Durability,
) (out benchOutput, err error) {
	spec := admin.KeyspaceSpec{Name: "trace", Partitioner: kv.HashPartitioned, Durability: d}
	client, err := createAndDial(ctx, s, spec)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	return a.replay(ctx, f.trace, a.demoConfig(f), target.New(client))
}

// createAndDial creates a keyspace and connects to it.
func createAndDial(
	ctx context.Context, s site, spec admin.KeyspaceSpec,
) (*clientlib.Client, error) {
	if err := s.CreateKeyspace(ctx, spec); err != nil {
		return nil, fmt.Errorf("keyspace %s: %w", spec.Name, err)
	}
	return s.Dial(ctx, spec.Name)
}

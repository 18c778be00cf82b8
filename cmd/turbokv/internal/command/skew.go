package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/antihax/optional"
	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/cpulimit"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/suite"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/target"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/workload"
	"github.com/turbokv/turbokv/workload/runner"
)

// skewFlags are the options of the measurement of balancing.
type skewFlags struct {
	nodes     int
	cores     float64
	records   uint64
	subRanges int
	theta     float64
	mix       string
	duration  time.Duration
	threads   int
	inFlight  int
	base      int
}

func (a *app) skewCommand() *cobra.Command {
	var f skewFlags
	c := &cobra.Command{
		Use:     "skew",
		GroupID: groupMeasure,
		Short:   "Measure what balancing is worth: all hot keys begin on one node",
		Long: `Start a cluster in which every part is a process and every storage node has a small part of
a processor (by a control group, which takes root: without it, nodes on one machine share
its processors, and spreading load over them gains nothing). Move all of a keyspace with
one replica to the first node, put a zipfian load on it, and let the controller balance.
Prints the throughput second by second, with the plans in progress, and the ratio of the
last seconds to the first.`,
		Example: `  turbokv skew
  turbokv skew --theta 0.99 --nodes 8 --cores 0.05 --duration 60s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.skew(cmd.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.nodes, "nodes", cluster.DefaultNodes, "storage nodes")
	flags.Float64Var(&f.cores, "cores", 0.05, "processor `cores` of each node")
	flags.Uint64Var(&f.records, "records", 20_000, "records loaded before")
	flags.IntVar(&f.subRanges, "sub-ranges", 32, "of the keyspace")
	flags.Float64Var(&f.theta, "theta", 1.2, "exponent of the zipfian distribution")
	flags.StringVarP(&f.mix, "workload", "w", "B", "YCSB workload, `letter` A, B or C")
	flags.DurationVar(&f.duration, "duration", 45*time.Second, "of the load")
	flags.IntVar(&f.threads, "threads", 8, "client threads")
	flags.IntVar(&f.inFlight, "in-flight", 16, "requests in flight a thread")
	flags.IntVar(&f.base, "base-port", layout.DefaultBase+2000, "lowest `port` number on 127.0.0.1")
	return c
}

// skewEdge is how many seconds at both ends of a run are compared.
const skewEdge = 4

func (f skewFlags) check() (workload.Mix, error) {
	mix, err := workload.ParseMix(f.mix)
	switch {
	case err != nil:
		return mix, usagef("--workload: %w", err)
	case f.nodes < 2 || f.cores <= 0 || f.theta <= 0:
		return mix, usagef("--nodes %d --cores %v --theta %v: must be at least 2 and above 0", f.nodes,
			f.cores, f.theta)
	case f.duration < 3*skewEdge*time.Second:
		return mix, usagef("--duration %v: must be at least %v", f.duration, 3*skewEdge*time.Second)
	}
	return mix, nil
}

func (a *app) skew(ctx context.Context, f skewFlags) (err error) {
	mix, err := f.check()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "turbokv-skew-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	a.timeout = faultTimeout
	lab, err := a.openLab(ctx, layout.Plan{Nodes: f.nodes, Base: f.base, DataDir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.close()) }()
	out, err := lab.measureSkew(ctx, f, mix)
	if err != nil {
		return err
	}
	return errors.Join(a.print(out, out.table), out.Verification.Err())
}

// measureSkew puts everything on one node, limits the nodes, and loads the cluster.
func (l *faultLab) measureSkew(
	ctx context.Context, f skewFlags, mix workload.Mix,
) (out skewOutput, err error) {
	client, err := createAndDial(ctx, l.site, admin.KeyspaceSpec{
		Name: faultKeyspace, Partitioner: kv.HashPartitioned, Durability: kv.DurabilityMemory,
		Replication: 1, SubRanges: f.subRanges,
	})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := l.gather(ctx, nodeNamed("node1")); err != nil {
		return out, err
	}
	watch := newThroughput(l)
	load, err := suite.New(target.New(client), suite.Config{
		Population: f.records, Threads: f.threads, InFlight: f.inFlight, Verify: true, Seed: 1,
		Distribution: workload.Zipfian, Theta: f.theta, Duration: f.duration, Meter: watch,
	})
	if err != nil {
		return out, err
	}
	if err := load.Load(ctx); err != nil {
		return out, err
	}
	release, err := l.limitNodes(f)
	if err != nil {
		return out, err
	}
	watch.begin(ctx)
	err = load.Mix(ctx, mix)
	out.Seconds = watch.end()
	if err = errors.Join(err, release()); err != nil {
		return out, err
	}
	out.sum()
	out.Verification, err = load.Verify(ctx)
	return out, err
}

// gather moves every sub-range of the keyspace to one node.
func (l *faultLab) gather(ctx context.Context, to kv.NodeID) error {
	chains, err := l.chains(ctx)
	if err != nil {
		return err
	}
	for _, r := range chains {
		if r.Chain.Head() == to {
			continue
		}
		opts := &admin.MoveOpts{
			From: optional.NewUint32(uint32(r.Chain.Head())), To: optional.NewUint32(uint32(to)),
		}
		if _, err := l.site.Move(ctx, r.ID, opts); err != nil {
			return fmt.Errorf("move %v to %v: %w", r.ID, to, err)
		}
	}
	return l.await(ctx, "everything is on one node", faultRepair, func(admin.Status) bool {
		chains, err := l.chains(ctx)
		return err == nil && !slices.ContainsFunc(chains, func(r admin.SubRange) bool {
			return len(r.Chain) != 1 || r.Chain.Head() != to
		})
	})
}

// limitNodes makes the machines of the nodes small. Without control groups it says so and goes on.
func (l *faultLab) limitNodes(f skewFlags) (release func() error, err error) {
	var releases []func() error
	release = func() error {
		var errs []error
		for _, r := range releases {
			errs = append(errs, r())
		}
		return errors.Join(errs...)
	}
	for i := range f.nodes {
		pid, err := l.group.PID(fmt.Sprintf("node%d", i+1))
		if err != nil {
			return nil, errors.Join(err, release())
		}
		one, err := cpulimit.Limit(pid, f.cores)
		if errors.Is(err, cpulimit.ErrUnavailable) {
			fmt.Fprintf(l.app.Err, "turbokv: the nodes are not limited and share this machine: %v\n", err)
			return release, nil
		}
		if err != nil {
			return nil, errors.Join(err, release())
		}
		releases = append(releases, one)
	}
	return release, nil
}

// throughput is a suite.Meter that keeps what was done second by second, and the plans of the moment.
type throughput struct {
	lab *faultLab

	mu      sync.Mutex
	done    uint64
	seconds []skewSecond
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

func newThroughput(l *faultLab) *throughput { return &throughput{lab: l} }

// Begin implements suite.Meter.
func (t *throughput) Begin(string, uint64, time.Duration) { t.Update(0, 0) }

// Update implements suite.Meter.
func (t *throughput) Update(done uint64, _ time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = done
}

// End implements suite.Meter.
func (t *throughput) End() {}

func (t *throughput) begin(ctx context.Context) {
	ctx, t.stop = context.WithCancel(ctx)
	t.ended.Go(func() { t.watch(ctx) })
}

func (t *throughput) end() []skewSecond {
	t.stop()
	t.ended.Wait()
	return t.seconds
}

func (t *throughput) watch(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last, before := time.Now(), uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		t.mu.Lock()
		done := t.done
		t.mu.Unlock()
		s := skewSecond{Rate: float64(done-before) / now.Sub(last).Seconds()}
		last, before = now, done
		if status, err := t.lab.site.Status(ctx); err == nil {
			s.describe(status)
			t.seconds = append(t.seconds, s)
		}
	}
}

// skewSecond is what was seen in one second.
type skewSecond struct {
	Rate      float64   `json:"operations_per_second"`
	Plans     int       `json:"plans"`
	SubRanges int       `json:"sub_ranges"`
	Loads     []float64 `json:"node_loads"` // by node, 1 being the average
}

func (s *skewSecond) describe(status admin.Status) {
	s.Plans = len(status.Plans)
	s.SubRanges = len(status.SubRanges)
	for _, n := range status.Nodes {
		s.Loads = append(s.Loads, n.Load)
	}
}

// skewOutput is what the command skew prints.
type skewOutput struct {
	Before       float64             `json:"operations_per_second_before"`
	After        float64             `json:"operations_per_second_after"`
	Ratio        float64             `json:"ratio"`
	Seconds      []skewSecond        `json:"seconds"`
	Verification runner.Verification `json:"verification"`
}

func (o *skewOutput) sum() {
	mean := func(part []skewSecond) (sum float64) {
		for _, s := range part {
			sum += s.Rate / float64(len(part))
		}
		return sum
	}
	if n := len(o.Seconds); n >= 2*skewEdge {
		o.Before, o.After = mean(o.Seconds[:skewEdge]), mean(o.Seconds[n-skewEdge:])
		o.Ratio = o.After / o.Before
	}
}

func (o skewOutput) table(w io.Writer) error {
	var rows [][]string
	for i, s := range o.Seconds {
		row := []string{fmt.Sprint(i + 1), fmt.Sprintf("%.0f", s.Rate), fmt.Sprint(s.Plans),
			fmt.Sprint(s.SubRanges)}
		loads := ""
		for _, l := range s.Loads {
			loads += fmt.Sprintf("%5.2f", l)
		}
		rows = append(rows, append(row, loads))
	}
	if err := table(w, "second ops/s plans sub-ranges load-of-each-node", rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nfirst %d seconds %.0f ops/s, last %d seconds %.0f ops/s: %.2f times\n"+
		"%d records read back: %d violations, %d unread\n", skewEdge, o.Before, skewEdge, o.After, o.Ratio,
		o.Verification.Checked, o.Verification.Violations, o.Verification.Unread)
	return err
}

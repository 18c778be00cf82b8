package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

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
its processors, and spreading load over them gains nothing). It begins with one node, so
all of a keyspace with one replica is on it. A zipfian load is put on it, the other nodes
join, and the controller balances, without being asked. Prints the throughput second by
second, with the plans in progress, and the ratio of the last seconds to the first.`,
		Example: `  turbokv skew
  turbokv skew --theta 0.99 --nodes 8 --cores 0.05 --duration 60s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.skew(cmd.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.nodes, "nodes", cluster.DefaultNodes, "storage nodes")
	flags.Float64Var(&f.cores, "cores", 0.02, "processor `cores` of each node")
	flags.Uint64Var(&f.records, "records", 20_000, "records loaded before")
	flags.IntVar(&f.subRanges, "sub-ranges", 32, "of the keyspace")
	flags.Float64Var(&f.theta, "theta", 1.2, "exponent of the zipfian distribution")
	flags.StringVarP(&f.mix, "workload", "w", "B", "YCSB workload, `letter` A, B or C")
	flags.DurationVar(&f.duration, "duration", 90*time.Second, "of the load")
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
	case f.nodes < 2 || f.nodes > 1+layout.SpareNodes:
		return mix, usagef("--nodes %d: must be 2 to %d", f.nodes, 1+layout.SpareNodes)
	case f.cores <= 0 || f.theta <= 0:
		return mix, usagef("--cores %v --theta %v: must be above 0", f.cores, f.theta)
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
	lab, err := a.openLab(ctx, layout.Plan{Nodes: 1, Base: f.base, DataDir: dir})
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
	var limits limits
	if err := limits.addProcess(l, layout.NodeName(0), f.cores); err != nil {
		return out, err
	}
	watch.begin(ctx)
	grown := make(chan error, 1)
	go func() { grown <- l.grow(ctx, f, &limits) }()
	err = load.Mix(ctx, mix)
	out.Seconds = watch.end()
	if err = errors.Join(err, <-grown, limits.release()); err != nil {
		return out, err
	}
	out.sum()
	out.Verification, err = load.Verify(ctx)
	return out, err
}

// grow starts the other nodes, each as small as the first, when the first seconds have been measured.
func (l *faultLab) grow(ctx context.Context, f skewFlags, limits *limits) error {
	sleep(ctx, (skewEdge+1)*time.Second)
	for i := 1; i < f.nodes; i++ {
		p := l.plan.NodeProcess(i)
		if err := l.group.Start(p.Name, p.Args...); err != nil {
			return err
		}
		if err := limits.addProcess(l, layout.NodeName(i), f.cores); err != nil {
			return err
		}
	}
	return nil
}

// limits are the control groups of the nodes.
type limits struct {
	releases []func() error
	without  bool // there are none, which was said
}

// add makes the machine of a process small. Without control groups it says so and goes on.
func (s *limits) add(pid int, cores float64, notes io.Writer) error {
	if s.without {
		return nil
	}
	release, err := cpulimit.Limit(pid, cores)
	if errors.Is(err, cpulimit.ErrUnavailable) {
		s.without = true
		fmt.Fprintf(notes, "turbokv: the nodes are not limited and share this machine: %v\n", err)
		return nil
	}
	s.releases = append(s.releases, release)
	return err
}

// addProcess is add of a process of a lab.
func (s *limits) addProcess(l *faultLab, name string, cores float64) error {
	pid, err := l.group.PID(name)
	if err != nil {
		return err
	}
	return s.add(pid, cores, l.app.Err)
}

func (s *limits) release() error {
	var errs []error
	for _, release := range s.releases {
		errs = append(errs, release())
	}
	return errors.Join(errs...)
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

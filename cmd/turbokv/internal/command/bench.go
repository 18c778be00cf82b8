package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/antihax/optional"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/suite"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/target"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/workload"
	"github.com/turbokv/turbokv/workload/runner"
	"github.com/turbokv/turbokv/workload/trace"
)

// benchFlags are the options of a benchmark.
type benchFlags struct {
	mixes        []string
	distribution string
	theta        float64
	records      uint64
	keySize      int
	valueSize    int
	threads      []int
	inFlight     int
	duration     time.Duration
	count        uint64
	seed         uint64
	verify       bool
	json         bool
	trace        string
	keyspace     string
	partitioner  string
	durability   string
	replication  int
	subRanges    int
	embedded     bool
	nodes        int
}

// defaultBenchTime is long enough for stable medians and short enough to wait for.
const defaultBenchTime = 10 * time.Second

func (f *benchFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringSliceVarP(&f.mixes, "workload", "w", []string{"A"}, "YCSB workloads, `letters` A to F")
	flags.StringVar(&f.distribution, "distribution", "",
		"uniform, zipfian or latest (default: that of the workload)")
	flags.Float64Var(&f.theta, "theta", workload.DefaultTheta,
		"exponent of zipfian and latest, above 0")
	flags.Uint64Var(&f.records, "records", 50_000, "records loaded before")
	flags.IntVar(&f.keySize, "key-size", workload.DefaultKeySize, "`bytes` of a key")
	flags.IntVar(&f.valueSize, "value-size", workload.DefaultValueSize, "`bytes` of a value")
	flags.IntSliceVar(&f.threads, "threads", []int{16},
		"client threads; several numbers repeat every workload with each")
	flags.IntVar(&f.inFlight, "in-flight", 1,
		"requests in flight a thread; several are sent in batches")
	flags.DurationVar(&f.duration, "duration", defaultBenchTime, "of each workload; 0 for no limit")
	flags.Uint64Var(&f.count, "count", 0, "operations of each workload; 0 for no limit")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of all random choices")
	flags.BoolVar(&f.verify, "verify", true, "read back every acknowledged write at the end")
	flags.BoolVar(&f.json, "json", false, "print JSON, as --output json does")
	flags.StringVar(&f.trace, "trace", "",
		"replay a Twitter or CacheLib trace `file` instead (CSV, .gz, .zst), up to --count "+
			"or --duration if given")
	flags.StringVarP(&f.keyspace, "keyspace", "k", "",
		"`name` of an existing, empty keyspace (default: a new one, dropped at the end)")
	flags.StringVar(&f.partitioner, "partitioner", "range", "of a new keyspace: range or hash")
	flags.StringVar(&f.durability, "durability", "memory", "of a new keyspace: memory or sync")
	flags.IntVar(&f.replication, "replication", 3, "replicas of a new keyspace")
	flags.IntVar(&f.subRanges, "sub-ranges", 0,
		"of a new keyspace (default: chosen by the controller)")
	flags.BoolVar(&f.embedded, "embedded", false, "start a cluster in this process and measure that")
	flags.IntVar(&f.nodes, "nodes", cluster.DefaultNodes, "with --embedded: storage nodes")
}

// adaptToTrace changes defaults: a trace ends by itself, and the keys of real caches begin alike,
// so ranges would spread them badly.
func (f *benchFlags) adaptToTrace(c *cobra.Command) {
	if !c.Flags().Changed("duration") {
		f.duration = 0
	}
	if !c.Flags().Changed("partitioner") {
		f.partitioner = kv.HashPartitioned.String()
	}
}

// benchOutput is the JSON form of the results.
type benchOutput struct {
	Reports      []runner.Report      `json:"reports"`
	Trace        *trace.Stats         `json:"trace,omitempty"`
	Verification *runner.Verification `json:"verification,omitempty"`
	Crash        *crashReport         `json:"crash,omitempty"`
}

func (a *app) benchCommand() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:     "bench",
		GroupID: groupMeasure,
		Short:   "Measure throughput and latency with YCSB workloads or a recorded trace",
		Long: `Measure throughput and latency with the YCSB core workloads A to F or with a recorded
trace of Twitter's (twemcache) or Meta's (CacheLib) caches.

The records are loaded first and every acknowledged write is read back last. Each
thread keeps --in-flight requests in flight; latency is that of an operation, from
call to return, in an HdrHistogram. A trace is replayed as fast as the cluster
answers; values that do not fit are cut and counted.`,
		Example: `  turbokv bench -w A,B,C --threads 64
  turbokv bench -w C --distribution zipfian --theta 1.2 --threads 1,16,256 --json
  turbokv bench --trace cluster052.csv.zst --threads 64 --in-flight 4
  turbokv bench --embedded --durability sync -w A`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.json {
				a.output = outputJSON
			}
			if f.trace != "" {
				f.adaptToTrace(cmd)
			}
			return a.bench(cmd.Context(), f)
		},
	}
	f.add(c)
	return c
}

// bench opens the cluster, measures and prints.
func (a *app) bench(ctx context.Context, f benchFlags) (err error) {
	mixes, spec, err := f.parse()
	if err != nil {
		return err
	}
	s, err := a.benchSite(ctx, f, spec.Durability)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	client, release, err := benchClient(ctx, s, f.keyspace, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	out, err := a.measure(ctx, f, mixes, target.New(client))
	if err != nil {
		return err
	}
	if err := a.printBench(out); err != nil {
		return err
	}
	return out.err()
}

// err is the verdict of a benchmark: what was acknowledged must be there.
func (o benchOutput) err() error {
	if o.Verification == nil {
		return nil
	}
	return o.Verification.Err()
}

// parse checks what can be checked before a cluster is needed.
func (f benchFlags) parse() (mixes []workload.Mix, spec admin.KeyspaceSpec, err error) {
	for _, name := range f.mixes {
		mix, err := workload.ParseMix(name)
		if err != nil {
			return nil, spec, usagef("--workload: %w", err)
		}
		mixes = append(mixes, mix)
	}
	records := workload.Records{KeySize: f.keySize, ValueSize: f.valueSize}
	if _, err := records.Validate(); err != nil {
		return nil, spec, usagef("%w", err)
	}
	if f.distribution != "" {
		if _, err := workload.NewDistribution(f.distribution, f.theta); err != nil {
			return nil, spec, usagef("%w", err)
		}
	}
	for _, n := range f.threads {
		if n < 1 || f.inFlight < 1 {
			return nil, spec, usagef("--threads %d --in-flight %d: must be at least 1", n, f.inFlight)
		}
	}
	if f.trace == "" && f.duration <= 0 && f.count == 0 {
		return nil, spec, usagef("--duration or --count must be above 0, or a workload never ends")
	}
	if f.keyspace == kv.SystemDescriptor.Name {
		return nil, spec, usagef("--keyspace %s: it belongs to the controller", f.keyspace)
	}
	if spec, err = f.spec(); err != nil {
		return nil, spec, err
	}
	for _, m := range mixes {
		if m.MaxScan > 0 && spec.Partitioner == kv.HashPartitioned {
			return nil, spec, usagef("workload %s scans, which --partitioner hash does not offer", m.Name)
		}
	}
	return mixes, spec, nil
}

// spec is the keyspace to create.
func (f benchFlags) spec() (spec admin.KeyspaceSpec, err error) {
	spec = admin.KeyspaceSpec{
		Name: fmt.Sprintf("bench-%d", os.Getpid()), Replication: f.replication, SubRanges: f.subRanges,
	}
	if spec.Partitioner, err = kv.ParsePartitioner(f.partitioner); err != nil {
		return spec, usagef("%w", err)
	}
	if spec.Durability, err = kv.ParseDurability(f.durability); err != nil {
		return spec, usagef("%w", err)
	}
	return spec, nil
}

// benchSite opens the cluster to measure.
func (a *app) benchSite(ctx context.Context, f benchFlags, d kv.Durability) (site, error) {
	if f.embedded {
		return embeddedSite(ctx, f.nodes, d)
	}
	return a.openRemote()
}

// benchClient dials an existing keyspace, or creates the one of the spec and drops it on release.
func benchClient(
	ctx context.Context, s site, existing string, spec admin.KeyspaceSpec,
) (client *clientlib.Client, release func() error, err error) {
	drop := func() error { return nil }
	if existing == "" {
		existing = spec.Name
		if err := s.CreateKeyspace(ctx, spec); err != nil {
			return nil, nil, err
		}
		// The benchmark may have been interrupted: the keyspace is dropped all the same.
		drop = func() error { return s.DropKeyspace(context.WithoutCancel(ctx), spec.Name) }
	}
	if client, err = s.Dial(ctx, existing); err != nil {
		return nil, nil, errors.Join(err, drop())
	}
	if existing != spec.Name {
		if err := checkEmpty(ctx, s, client); err != nil {
			return nil, nil, errors.Join(err, client.Close())
		}
	}
	return client, func() error { return errors.Join(client.Close(), drop()) }, nil
}

// checkEmpty refuses a keyspace that holds records: the benchmark would take them for its own. A
// keyspace that cannot be scanned must never have been written to.
func checkEmpty(ctx context.Context, s site, client *clientlib.Client) error {
	desc := client.Descriptor()
	if desc.Partitioner == kv.RangePartitioned {
		one := &clientlib.ScanOpts{Limit: optional.NewInt32(1)}
		for r, err := range client.Scan(ctx, nil, nil, one) {
			if err != nil {
				return err
			}
			return usagef("--keyspace %s: it holds records, as %s: give an empty one, or none", desc.Name,
				shown(string(r.Key)))
		}
		return nil
	}
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	writes := uint64(0)
	for _, r := range status.SubRanges {
		if r.Keyspace == desc.ID {
			writes += r.Writes
		}
	}
	if writes > 0 {
		return usagef("--keyspace %s: it has been written to %d times, and by hash it cannot be scanned "+
			"for what it holds: give a new one, or none", desc.Name, writes)
	}
	return nil
}

// measure runs all phases.
func (a *app) measure(
	ctx context.Context, f benchFlags, mixes []workload.Mix, t runner.Target,
) (out benchOutput, err error) {
	config := suite.Config{
		Records:    workload.Records{KeySize: f.keySize, ValueSize: f.valueSize, Seed: f.seed},
		Population: f.records, Threads: f.threads[0], InFlight: f.inFlight,
		Distribution: f.distribution, Theta: f.theta, Seed: f.seed,
		Duration: f.duration, Count: f.count, Verify: f.verify, Meter: a.meter(),
	}
	if f.trace != "" {
		return a.replay(ctx, f.trace, config, t)
	}
	s, err := suite.New(t, config)
	if err != nil {
		return out, err
	}
	if err := s.Load(ctx); err != nil {
		return out, err
	}
	for _, threads := range f.threads {
		s.SetThreads(threads)
		for _, mix := range mixes {
			if err := s.Mix(ctx, mix); err != nil {
				return out, err
			}
		}
	}
	if f.verify {
		v, err := s.Verify(ctx)
		if err != nil {
			return out, err
		}
		out.Verification = &v
	}
	out.Reports = s.Reports()
	return out, nil
}

// replay replays a trace file.
func (a *app) replay(
	ctx context.Context, path string, config suite.Config, t runner.Target,
) (out benchOutput, err error) {
	file, err := trace.OpenFile(path)
	if err != nil {
		return out, err
	}
	defer file.Close()
	s, err := suite.New(t, config)
	if err != nil {
		return out, err
	}
	replay, v, err := s.Replay(ctx, file)
	if err != nil {
		return out, fmt.Errorf("trace %s: %w", path, err)
	}
	stats := replay.Stats()
	out = benchOutput{Reports: s.Reports(), Trace: &stats}
	if config.Verify {
		out.Verification = &v
	}
	return out, nil
}

// meter shows progress on standard error: a bar on a terminal, lines elsewhere.
func (a *app) meter() suite.Meter {
	if f, ok := a.Err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &suite.Bar{Out: a.Err}
	}
	return suite.Lines{Out: a.Err}
}

// printBench prints the results.
func (a *app) printBench(out benchOutput) error {
	if a.output == outputJSON {
		e := json.NewEncoder(a.Out)
		e.SetIndent("", "  ")
		return e.Encode(out)
	}
	if err := runner.WriteTable(a.Out, out.Reports...); err != nil {
		return err
	}
	return writeNotes(a.Out, out)
}

// writeNotes prints what does not fit into the table.
func writeNotes(w io.Writer, out benchOutput) error {
	var b strings.Builder
	if s := out.Trace; s != nil {
		fmt.Fprintf(&b, "trace: %d requests of %d rows; %d values and %d keys cut to the limit; "+
			"%d reads missed when it was recorded\n", s.Requests, s.Rows, s.CutValues, s.CutKeys, s.Misses)
	}
	for _, r := range out.Reports {
		for text, n := range r.ErrorTexts {
			fmt.Fprintf(&b, "%s: %d x %s\n", r.Name, n, text)
		}
	}
	if out.Crash != nil {
		fmt.Fprintf(&b, "%v\n", *out.Crash)
	}
	if v := out.Verification; v != nil {
		fmt.Fprintf(&b, "verified: %d records hold what was acknowledged, %d do not, "+
			"%d could not be read\n", v.Checked, v.Violations, v.Unread)
		for _, text := range v.First {
			fmt.Fprintf(&b, "  %s\n", text)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
